"""The little of glTF that trimesh does not keep: exact vertex colours, exact factors, notes in ``asset``.

trimesh turns vertex colours into 8 bits on both ways, which bands dark linear colours, and factors too. Colours travel
as a custom attribute instead, which it keeps as floats, and get their proper name at the last moment.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import __version__
from ..data import Material
from ..errors import BadMeshError

COLOR, CONFIDENCE = "_MAQUETTE_COLOR", "_CONFIDENCE"
_JSON = 0x4E4F534A
_LISTS = (
    "accessors", "animations", "bufferViews", "buffers", "cameras", "images", "materials", "meshes", "nodes",
    "samplers", "scenes", "skins", "textures",
)  # fmt: skip
_MOST_VALUES = 1 << 28
"""Elements of one accessor: 268 million, five times the largest reconstruction met."""


def split_glb(data: bytes) -> tuple[dict[str, Any], bytes]:
    """(tree, the rest of the file after the JSON chunk). Raises BadMeshError when it is no whole GLB."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise BadMeshError("it does not start like a GLB file; is it another format with the wrong ending?")
    total, length, kind = struct.unpack_from("<I", data, 8)[0], *struct.unpack_from("<II", data, 12)
    if total > len(data) or kind != _JSON or 20 + length > len(data):
        raise BadMeshError(f"the GLB is cut off: its header promises {total} bytes, {len(data)} are there")
    return parsed(data[20 : 20 + length]), data[20 + length :]


def parsed(text: bytes) -> dict[str, Any]:
    """The glTF tree in ``text``, every list that the readers walk through being a list of objects.

    Raises BadMeshError when it is no JSON, when one of those has another shape, or when an accessor claims more values
    than any file of ours could need (the reader would fill the memory with zeros for it).
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMeshError(f"its glTF part is no JSON that can be read: {error}") from error
    if not isinstance(tree, dict):
        raise BadMeshError(f"its glTF part is a {type(tree).__name__} where an object is needed; the file is damaged")
    for name in _LISTS:
        _need_objects(tree, name, name)
    for index, mesh in enumerate(tree.get("meshes", [])):
        _need_objects(mesh, "primitives", f"meshes[{index}].primitives")
        for primitive in mesh.get("primitives", []):
            if not isinstance(primitive.get("attributes", {}), dict):
                raise BadMeshError(f"meshes[{index}]: attributes is no object; the file is damaged")
    for index, accessor in enumerate(tree.get("accessors", [])):
        count = accessor.get("count", 0)
        if not isinstance(count, int) or not 0 <= count <= _MOST_VALUES:
            raise BadMeshError(f"accessors[{index}]: a count of {str(count)[:40]} cannot be right; the file is damaged")
    return tree


def _need_objects(tree: dict[str, Any], name: str, where: str) -> None:
    values = tree.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise BadMeshError(f"{where} is no list of objects; the file is damaged")


def joined_glb(tree: dict[str, Any], rest: bytes) -> bytes:
    """The GLB again."""
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = 20 + len(text) + len(rest)
    return struct.pack("<4sIIII", b"glTF", 2, size, len(text), _JSON) + text + rest


def _primitives(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Those with attributes, of a tree that came through ``parsed`` or from the exporter."""
    return [p for mesh in tree.get("meshes", []) for p in mesh.get("primitives", []) if "attributes" in p]


def colors_hidden(tree: dict[str, Any]) -> dict[str, Any]:
    """``tree`` with COLOR_0 under our custom name, except where Draco has compressed it and refers to it by its own."""
    for primitive in _primitives(tree):
        attributes = primitive["attributes"]
        if "COLOR_0" in attributes and "COLOR_0" not in str(primitive.get("extensions")):
            attributes[COLOR] = attributes.pop("COLOR_0")
    return tree


def as_floats(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Stored colours as floats in [0, 1]: normalised integers are divided by their largest value."""
    if values.dtype.kind in "ui":
        return values.astype(np.float64) / np.iinfo(values.dtype).max
    return values.astype(np.float64)


def finisher(
    material: Material, textured: bool, report: dict[str, Any] | None, metadata: dict[str, Any] | None
) -> Callable[[dict[str, Any]], None]:
    """What the exporter calls on the finished tree: names, factors, OPAQUE, generator, extras."""

    def finish(tree: dict[str, Any]) -> None:
        for primitive in _primitives(tree):
            if COLOR in primitive["attributes"]:
                primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop(COLOR)
        for entry in tree.get("materials", []):
            entry["alphaMode"] = "OPAQUE"  # a see-through texture is never meant (mission, bug 7)
            entry["doubleSided"] = material.double_sided
            pbr = entry.setdefault("pbrMetallicRoughness", {})
            pbr["baseColorFactor"] = [*(float(x) for x in material.base_color), 1.0]
            mapped = textured and "metallicRoughnessTexture" in pbr
            pbr["metallicFactor"] = 1.0 if mapped else float(material.metallic)
            pbr["roughnessFactor"] = 1.0 if mapped else float(material.roughness)
        tree["asset"]["generator"] = f"Maquette {__version__}"
        extras = {str(key): value for key, value in (metadata or {}).items()}
        if report is not None:
            # The certificate alone may be given; it stands under "mesh" as in the report of a whole run.
            extras["maquette"] = report if "mesh" in report else {"mesh": report}
        if extras:
            tree["asset"]["extras"] = json.loads(json.dumps(extras, default=str))
        for mesh in tree.get("meshes", []):
            mesh.pop("extras", None)

    return finish
