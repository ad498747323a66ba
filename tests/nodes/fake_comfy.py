"""As much of ComfyUI as the nodes touch, so that they run without it. ``tests/e2e`` runs the same on the real one.

The shapes follow ComfyUI 0.3.64, the oldest supported: no newer schema fields, no ``advanced`` inputs, a MESH with
only vertices and faces.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Stands for ComfyUI's InterruptProcessingException, which is a plain Exception too."""


class OldMesh:
    """Core's MESH of 0.3.64."""

    def __init__(self, vertices: Any, faces: Any) -> None:
        self.vertices, self.faces = vertices, faces


class NewMesh:
    """Core's MESH of 0.33, as far as attributes go."""

    def __init__(self, vertices: Any, faces: Any, uvs: Any = None, vertex_counts: Any = None) -> None:
        self.vertices, self.faces, self.uvs, self.vertex_counts = vertices, faces, uvs, vertex_counts
        self.vertex_colors = self.texture = self.metallic_roughness = self.face_counts = self.normals = None
        self.tangents = self.normal_map = self.material = self.emissive = None
        self.unlit = self.occlusion_in_mr = False


class _Socket:
    def __init__(self, kind: str, name: str | None = None, **settings: Any) -> None:
        self.kind, self.id, self.settings = kind, name, settings
        self.tooltip, self.optional = settings.get("tooltip"), settings.get("optional", False)
        self.display_name, self.default = settings.get("display_name"), settings.get("default")
        self.options = settings.get("options")


def _socket_class(kind: str, allowed: str) -> type:
    """A socket class that refuses arguments 0.3.64 would refuse."""
    names = set(allowed.split())

    def make(self: Any, id: str | None = None, **settings: Any) -> None:
        unknown = set(settings) - names
        if unknown:
            raise TypeError(f"{kind}: unexpected {unknown}")
        _Socket.__init__(self, kind, id, **settings)

    return type(kind, (_Socket,), {"__init__": make})


_BASE = "display_name optional tooltip lazy"
_WIDGET = _BASE + " default socketless force_input"
_ALLOWED = {
    "BOOLEAN": _WIDGET + " label_on label_off",
    "INT": _WIDGET + " min max step control_after_generate display_mode",
    "FLOAT": _WIDGET + " min max step round display_mode",
    "STRING": _WIDGET + " multiline placeholder dynamic_prompts",
    "COMBO": _WIDGET + " options control_after_generate upload",
}


def comfy_type(kind: str) -> Any:
    """A type with Input and Output, like ``io.Image``."""
    return types.SimpleNamespace(
        io_type=kind,
        Input=_socket_class(kind, _ALLOWED.get(kind, _BASE)),
        Output=_socket_class(kind, "display_name tooltip is_output_list"),
    )


def _multi(name: str, types: list[Any], **settings: Any) -> _Socket:
    return _Socket(",".join(t.io_type for t in types), name, **settings)


@dataclasses.dataclass
class Schema:
    """The fields of 0.3.64, no more."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Any] | None = None
    outputs: list[Any] | None = None
    hidden: list[Any] | None = None
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False


class NodeOutput:
    """What execute returns."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui


class ExecutionBlocker:
    """Core's value that stops whatever it reaches."""

    def __init__(self, message: str | None) -> None:
        self.message = message


class ComfyNode:
    """Base of all nodes."""

    hidden = None


class ComfyExtension:
    """Base of the pack's extension."""


@dataclasses.dataclass
class State:
    """What a test may look at or change."""

    root: Path
    bars: list[list[int]] = dataclasses.field(default_factory=list)
    interrupt_after: int | None = None
    checks: int = 0
    device: str = os.environ.get("MAQUETTE_TEST_DEVICE", "cpu")
    freed: list[int] = dataclasses.field(default_factory=list)


def _io() -> Any:
    made = types.SimpleNamespace(
        Schema=Schema, ComfyNode=ComfyNode, NodeOutput=NodeOutput, Custom=comfy_type, Hidden=types.SimpleNamespace()
    )
    for name in ("Boolean", "Int", "Float", "String", "Combo", "Image", "Mask", "Mesh"):
        setattr(made, name, comfy_type(name.upper()))
    made.MultiType = types.SimpleNamespace(Input=_multi)
    made.Hidden.prompt, made.Hidden.extra_pnginfo = "PROMPT", "EXTRA_PNGINFO"
    return made


def _management(state: State) -> Any:
    module: Any = types.ModuleType("comfy.model_management")

    def check() -> None:
        state.checks += 1
        if state.interrupt_after is not None and state.checks > state.interrupt_after:
            raise Interrupted

    module.throw_exception_if_processing_interrupted = check
    module.get_torch_device = lambda: state.device
    module.minimum_inference_memory = lambda: 0
    module.free_memory = lambda amount, device: state.freed.append(amount)
    module.soft_empty_cache = lambda: None
    return module


def _utils(state: State) -> Any:
    module: Any = types.ModuleType("comfy.utils")

    class ProgressBar:
        def __init__(self, total: int) -> None:
            self.seen: list[int] = []
            state.bars.append(self.seen)

        def update_absolute(self, value: int, total: int) -> None:
            self.seen.append(value)

    module.ProgressBar = ProgressBar
    return module


def _folder_paths(state: State) -> Any:
    module: Any = types.ModuleType("folder_paths")
    for kind in ("input", "output", "temp"):
        (state.root / kind).mkdir(exist_ok=True)
        setattr(module, f"get_{kind}_directory", lambda kind=kind: str(state.root / kind))
    module.get_directory_by_type = lambda kind: str(state.root / kind)
    module.models_dir = str(state.root / "models")
    module.folder_names_and_paths = {"checkpoints": ([], set())}
    module.get_folder_paths = lambda key: module.folder_names_and_paths[key][0]

    def add(key: str, path: str) -> None:
        known = module.folder_names_and_paths.setdefault(key, ([], set()))[0]
        known.extend([] if path in known else [path])

    module.add_model_folder_path = add

    def save_path(prefix: str, root: str) -> tuple[str, str, int, str, str]:
        path = Path(root) / prefix
        path.parent.mkdir(parents=True, exist_ok=True)
        subfolder = str(Path(prefix).parent)
        return str(path.parent), path.name, 1, "" if subfolder == "." else subfolder, prefix

    module.get_save_image_path = save_path
    return module


@contextmanager
def installed(root: Path, mesh_class: type, put: Callable[[str, Any], None]) -> Iterator[State]:
    """The fake modules in place, by ``put(name, module)`` (a monkeypatch of sys.modules)."""
    state = State(root)
    latest: Any = types.ModuleType("comfy_api.latest")
    latest.io, latest.ComfyExtension = _io(), ComfyExtension
    latest.ui = types.SimpleNamespace(PreviewImage=lambda image, cls=None: {"images": [tuple(image.shape)]})
    latest.Types = types.SimpleNamespace(**({"MESH": mesh_class} if mesh_class is NewMesh else {}))
    extras: Any = types.ModuleType("comfy_extras.nodes_hunyuan3d")
    extras.MESH = mesh_class
    cli: Any = types.ModuleType("comfy.cli_args")
    cli.args = types.SimpleNamespace(disable_metadata=False)
    graph: Any = types.ModuleType("comfy_execution.graph_utils")
    graph.ExecutionBlocker = ExecutionBlocker
    modules = {
        "comfy_execution.graph_utils": graph,
        "comfy_api.latest": latest,
        "comfy_extras.nodes_hunyuan3d": extras,
        "comfy.cli_args": cli,
    }
    modules |= {"comfy.model_management": _management(state), "comfy.utils": _utils(state)}
    for name, module in modules.items():
        package, leaf = name.rsplit(".", 1)
        if package not in sys.modules or not hasattr(sys.modules[package], "__maquette_fake__"):
            parent: Any = types.ModuleType(package)
            parent.__path__, parent.__maquette_fake__ = [], True
            put(package, parent)
        setattr(sys.modules[package], leaf, module)
        put(name, module)
    put("folder_paths", _folder_paths(state))
    yield state
