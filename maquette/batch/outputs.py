"""Which files a prompt made: every shape of output that ComfyUI's 3D nodes put into the history.

Shapes met in 0.3.64 to 0.33 (and in community packs): ``{"3d": [{filename, subfolder, type}]}`` of SaveGLB,
``{"result": [path, camera, background]}`` of Preview3D (a path relative to output, with an optional `` [temp]``,
`` [input]`` or `` [output]`` at its end), lists of files under any other key (``images``,
``gifs``, ``mesh``, ``files``), and plain strings that name a file (``text``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf", ".fbx", ".usdz", ".splat", ".spz", ".ksplat", ".mtl")
FILE_SUFFIXES = (*MESH_SUFFIXES, ".png", ".jpg", ".jpeg", ".webp", ".json", ".txt", ".mp4", ".webm", ".gif", ".npz")
_FOLDERS = ("output", "temp", "input")
_ANNOTATED = re.compile(r"^(?P<path>.*?)(?: \[(?P<type>output|temp|input)\])?$", re.S)


@dataclass(frozen=True, order=True)
class RemoteFile:
    """A file on a server, as ``/view`` wants it named. ``type`` is output, temp or input."""

    node: str
    filename: str
    subfolder: str
    type: str
    sure: bool = field(default=True, compare=False)
    """False when the name came as bare text: it may lie elsewhere, or be no file at all."""

    @property
    def is_mesh(self) -> bool:
        """True for 3D files."""
        return self.filename.lower().endswith(MESH_SUFFIXES)


def collect(outputs: Mapping[str, Any]) -> list[RemoteFile]:
    """All kept files of one prompt's ``outputs`` (``{node id: ui dict}``), each once, input and temp files left out.

    Entries that name no file are ignored: a ui dict is whatever a node's author put there. Names that try to leave
    their folder are dropped as well; the server would refuse them, and no local path may be made of them.
    """
    found: dict[tuple[str, str, str], RemoteFile] = {}
    for node, ui in outputs.items():
        if not isinstance(ui, Mapping):
            continue
        for file in _files(str(node), ui):
            if file.type == "output" and is_safe(file):
                place = (file.filename, file.subfolder, file.type)
                if place not in found or (file.sure and not found[place].sure):
                    found[place] = file
    return list(found.values())


def sheets(outputs: Mapping[str, Any], nodes: Collection[str]) -> list[RemoteFile]:
    """Temporary pictures that the given nodes drew: the turntable for the result page."""
    found = [file for node in nodes for file in _files(node, outputs.get(node) or {})]
    return [f for f in found if f.type == "temp" and f.filename.lower().endswith(".png") and is_safe(f)]


def is_safe(file: RemoteFile) -> bool:
    """True when neither name nor sub-folder can lead out of the folder they belong to."""
    for text in (file.filename, file.subfolder):
        parts = re.split(r"[\\/]", text)
        if ".." in parts or text.startswith(("/", "\\")) or re.match(r"^[A-Za-z]:", text) or "\0" in text:
            return False
    return bool(file.filename) and not re.search(r"[\\/]", file.filename)


def _files(node: str, ui: Mapping[str, Any]) -> Iterator[RemoteFile]:
    for key, value in ui.items():
        entries = value if isinstance(value, (list, tuple)) else [value]
        if key == "result":
            entries = entries[:1]  # path, camera, background: only the first names the model
        for entry in entries:
            file = _file(node, entry)
            if file is not None:
                yield file


def _file(node: str, entry: Any) -> RemoteFile | None:
    if isinstance(entry, Mapping):
        name = entry.get("filename")
        if not isinstance(name, str) or not name:
            return None
        subfolder, kind = entry.get("subfolder") or "", entry.get("type") or "output"
        return RemoteFile(node, name, str(subfolder).replace("\\", "/"), kind if kind in _FOLDERS else "output")
    if isinstance(entry, str) and "\n" not in entry and len(entry) < 1024:
        return _from_path(node, entry)
    return None


def _from_path(node: str, text: str) -> RemoteFile | None:
    match = _ANNOTATED.match(text.strip())
    assert match is not None  # the pattern matches any text
    path = match["path"].replace("\\", "/")
    if not path.lower().endswith(FILE_SUFFIXES):
        return None
    kind = match["type"] or "output"
    head = path.split("/", 1)[0]
    if match["type"] is None and "/" in path and head in _FOLDERS:
        kind, path = head, path.split("/", 1)[1]
    return RemoteFile(node, posixpath.basename(path), posixpath.dirname(path), kind, sure=False)
