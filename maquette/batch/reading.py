"""What the driver reads of a finished GLB without any 3D library: the report that Maquette wrote into it, and whether
that passes the user's gate."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import BadInputError
from ..gate import check_form, gate

Gate = Callable[[Path], None]
"""Called with the folder of a finished item's files; raises GateError to refuse them."""


def glb_json(path: Path) -> dict[str, Any]:
    """The JSON chunk of a GLB; an empty dict when the file is none or its chunk cannot be read."""
    with path.open("rb") as stream:
        head = stream.read(20)
        if len(head) < 20 or head[:4] != b"glTF" or head[16:20] != b"JSON":
            return {}
        length = struct.unpack("<I", head[12:16])[0]
        text = stream.read(min(length, 64 << 20))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def report_of(folder: Path) -> dict[str, Any]:
    """The mesh report (``asset.extras.maquette.mesh``) of the first GLB in ``folder`` that has one, else empty."""
    for path in sorted(folder.glob("*.glb")):
        ours = _inner(glb_json(path), "asset", "extras", "maquette")
        report = ours.get("mesh", ours)
        if isinstance(report, dict) and "faces" in report:
            return report
    return {}


def _inner(tree: dict[str, Any], *names: str) -> dict[str, Any]:
    """The object at the end of the path ``names``; an empty one when any step is missing or no object."""
    for name in names:
        value = tree.get(name)
        tree = value if isinstance(value, dict) else {}
    return tree


def gate_of(expression: str) -> Gate | None:
    """The gate of ``--gate EXPR``, None for no expression. BadInputError at once for what is no
    expression or names no field."""
    if not expression.strip():
        return None
    check_form(expression)

    def check(folder: Path) -> None:
        report = report_of(folder)
        if not report:
            raise BadInputError("--gate: the result holds no Maquette report; save it with 'Save 3D Asset'")
        gate(report, expression)

    return check
