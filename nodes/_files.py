"""ComfyUI's input, output and temp folders: names that stay inside, counters that never overwrite."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..maquette.data import Mesh
from ..maquette.errors import BadInputError

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf")
_ANNOTATION = re.compile(r"^(.*?)\s*\[(input|output|temp)\]$")


@dataclass(frozen=True)
class Slot:
    """Where a file goes: ``path`` on disk; ``subfolder`` and ``kind`` as ComfyUI's /view wants them."""

    path: Path
    subfolder: str
    kind: str

    @property
    def ui(self) -> dict[str, str]:
        """One entry of ``ui["3d"]``."""
        return {"filename": self.path.name, "subfolder": self.subfolder, "type": self.kind}

    @property
    def relative(self) -> str:
        """Path below the folder with forward slashes: what core's Preview3D takes."""
        return f"{self.subfolder}/{self.path.name}" if self.subfolder else self.path.name


def next_slot(prefix: str, suffix: str, kind: str = "output") -> Slot:
    """A free name ``<prefix>_00001_<suffix>`` in ComfyUI's output (or temp) folder; ``%date%``-like words as in core.

    BadInputError when the prefix leads outside the folder or the folder cannot be made.
    """
    import folder_paths

    root = folder_paths.get_output_directory() if kind == "output" else folder_paths.get_temp_directory()
    if not Path(prefix.replace("\\", "/")).name.strip(". "):
        raise BadInputError(f"filename_prefix: a file name is missing in '{prefix}'; for example 3d/Maquette")
    check_inside(Path(root), Path(root) / prefix, "filename_prefix", prefix)
    try:
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, root)
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"filename_prefix: the folder for '{prefix}' cannot be written ({error})") from error
    while (path := Path(folder) / f"{name}_{counter:05}_{suffix}").exists():
        counter += 1
    return Slot(path, subfolder.replace(os.sep, "/").strip("/"), kind)


def check_inside(root: Path, path: Path, what: str, given: str) -> None:
    """BadInputError when ``path`` (links resolved) lies outside ``root``."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise BadInputError(f"{what}: '{given}' leads outside {root.name}/; give a path below it")


def input_meshes() -> list[str]:
    """Mesh files in ``input/`` and ``input/3d/`` (with all below), as relative names for a menu."""
    import folder_paths

    root = Path(folder_paths.get_input_directory())
    found = [*root.glob("*"), *(root / "3d").rglob("*")]
    return sorted({p.relative_to(root).as_posix() for p in found if p.suffix.lower() in MESH_SUFFIXES and p.is_file()})


def find_mesh(name: str) -> Path:
    """``name`` below input/, or below another folder when it ends in ``[output]``, ``[temp]`` or ``[input]``.

    BadInputError when it is not there, leads outside the folder, or is no mesh format.
    """
    import folder_paths

    name = name.strip()
    if not name:
        raise BadInputError("file: choose a mesh file; put yours into ComfyUI's input/3d folder and refresh (R)")
    match = _ANNOTATION.match(name)
    bare, kind = (match[1], match[2]) if match else (name, "input")
    root = Path(folder_paths.get_directory_by_type(kind))
    path = root / bare
    check_inside(root, path, "file", name)
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise BadInputError(f"file: '{bare}' is not a mesh file; one of {', '.join(MESH_SUFFIXES)} is needed")
    if not path.is_file():
        raise BadInputError(f"file: there is no '{bare}' in {kind}/")
    return path


def read_file3d(value: Any) -> Mesh:
    """Core's File3D (a path or bytes) -> Mesh."""
    from ..maquette.mesh import read_mesh

    suffix = "." + str(value.format or "glb").lower().lstrip(".")
    if suffix not in MESH_SUFFIXES:
        raise BadInputError(
            f"mesh: a 3D file of kind {suffix} cannot be read; one of {', '.join(MESH_SUFFIXES)} is needed"
        )
    with tempfile.TemporaryDirectory(prefix="maquette-") as folder:
        path = Path(folder) / f"file{suffix}"
        value.save_to(str(path))
        return read_mesh(path)
