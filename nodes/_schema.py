"""Schemas that every supported ComfyUI accepts: fields and arguments it does not know are left out, never guessed by
version number."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from comfy_api.latest import io

from ..maquette.errors import BadInputError
from ..maquette.gate import check_form
from ._comfy import model_folders

TRIMESH = io.Custom("TRIMESH")
"""Community packs' ``trimesh.Trimesh`` socket."""
APPEARANCE = io.Custom("MAQUETTE_APPEARANCE")
"""A ``Look``: how the object looks, baked onto a mesh later."""
VIEWS = io.Custom("MAQUETTE_VIEWS")
"""A tuple of ``View``: prepared pictures of one object, with a direction each."""

_FILES = ("File3DGLB", "File3DOBJ", "File3DSTL", "File3DPLY", "File3DAny")
_DIRECTIONS = "front, right, back, left, top, bottom; or azimuths in degrees, for example 0, 45, 180"
DIRECTIONS_TIP = f"From where each picture of the batch was taken, in order: {_DIRECTIONS}. Empty = front, right, back,"
DIRECTIONS_TIP += " left."


def schema(**fields: Any) -> io.Schema:
    """``io.Schema`` with the fields that this ComfyUI has."""
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def advanced(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """An input that newer ComfyUIs fold away under "advanced"; a plain one elsewhere."""
    if "advanced" in inspect.signature(make).parameters:
        kwargs["advanced"] = True
    return make(*args, **kwargs)


def mesh_input(name: str = "mesh", *, tooltip: str, optional: bool = False) -> Any:
    """A socket for any mesh: core's MESH, the community's TRIMESH, and core's 3D files where they exist."""
    files = [getattr(io, kind) for kind in _FILES if hasattr(io, kind)]
    return io.MultiType.Input(name, types=[io.Mesh, TRIMESH, *files], tooltip=tooltip, optional=optional)


def device_input() -> Any:
    """Where torch computes."""
    return advanced(
        io.Combo.Input,
        "device",
        options=["auto", "cpu"],
        default="auto",
        tooltip="Where to compute: auto = the device ComfyUI uses, cpu = leave the GPU alone.",
    )


def backend_input(stage: Any, name: str, what: str) -> Any:
    """The menu of a stage's backends. Names are the values, so that a workflow fits every machine; those that cannot
    run here are listed with the reason in the tooltip and refuse with the same sentence."""
    return io.Combo.Input(
        name,
        options=["auto", *stage.names()],
        default="auto",
        tooltip=f"{what} auto = the best one that can run here.\n{backend_list(stage)}",
    )


def backend_list(stage: Any) -> str:
    """One line per backend: what it is, or why it cannot run."""
    return "\n".join(f"- {name}: {_state(stage, name)}" for name in stage.names())


def _state(stage: Any, name: str) -> str:
    from ..maquette.backends import discover, missing_reason
    from ..maquette.weights import searching
    from ..maquette.weights.ready import missing

    module = discover(stage.__name__, list(stage.__path__))[name]
    with searching(model_folders):
        reason = missing_reason(module) or missing(module.SPEC)
    return f"UNAVAILABLE, {reason}" if reason else str(module.SPEC.title)


def choice(value: str, options: Sequence[str], what: str) -> str:
    """``value``, or BadInputError: ComfyUI 0.3.64 does not check menus itself."""
    if value not in options:
        raise BadInputError(f"{what}: there is no '{value}'; choose one of {', '.join(options)}")
    return value


def checked_gate(gate: str | None) -> bool | str:
    """For ``validate_inputs``: True, or why no mesh could be judged by this. A linked value arrives as None."""
    try:
        if gate is not None and gate.strip():
            check_form(gate)
    except BadInputError as error:
        return str(error)
    return True
