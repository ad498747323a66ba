"""What is to be done: a folder, a glob, a zip or a manifest becomes a list of items with a stable key each.

An item is one object: one picture, or several views of it. Its key is a hash of what goes in (bytes of the pictures,
workflow, overrides), so that the same work is known again after any restart, whatever the files are called.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInputError
from .workflow import VIEW_NAMES, Graph, Override

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
ZIP_LIMIT_BYTES = 4 * 1024**3
ZIP_LIMIT_RATIO = 200
ZIP_LIMIT_FILES = 100_000
_VIEW_SUFFIX = re.compile(rf"^(?P<stem>.+?)[_\-. ](?P<view>{'|'.join(VIEW_NAMES)})$", re.I)
_RESERVED = {"con", "prn", "aux", "nul", *(f"{x}{n}" for x in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class Item:
    """One object to make.

    name: folder of its results, unique within the run; views: view name -> picture file; overrides: for this item only;
    model_version: routes to servers that have the model.
    """

    name: str
    views: Mapping[str, Path]
    overrides: tuple[Override, ...] = ()
    model_version: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def key(self, graph: Graph, overrides: Sequence[Override]) -> str:
        """SHA-256 of all that decides the result: pictures (bytes), workflow, overrides."""
        digest = hashlib.sha256()
        for view, path in sorted(self.views.items()):
            digest.update(f"\0view\0{view}\0".encode())
            digest.update(file_hash(path).encode())
        said = [[o.node, o.input, o.value] for o in (*overrides, *self.overrides)]
        digest.update(json.dumps([graph, said, self.model_version], sort_keys=True).encode())
        return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, streamed."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_items(source: str, unpack_to: Path) -> list[Item]:
    """The items of a folder, a glob, a ``.zip`` (unpacked below ``unpack_to``) or a ``.csv`` / ``.jsonl`` manifest.

    Raises BadInputError when there is nothing, or when a manifest row cannot be understood (with its line number).
    """
    path = Path(source)
    if path.is_dir():
        items = group_views(sorted(p for p in path.rglob("*") if _is_picture(p)), base=path)
    elif path.suffix.lower() == ".zip" and path.is_file():
        items = group_views(sorted(unpack(path, unpack_to)), base=unpack_to)
    elif path.suffix.lower() in {".csv", ".jsonl", ".ndjson"} and path.is_file():
        items = list(_manifest(path))
    elif path.is_file():
        items = group_views([path] if _is_picture(path) else [], base=path.parent)
    else:
        matches = glob.glob(source, recursive=True)  # noqa: PTH207 - the pattern may be absolute, which Path.glob refuses
        items = group_views(sorted(Path(p) for p in matches if _is_picture(Path(p))))
    if not items:
        raise BadInputError(
            f"'{source}' gives no pictures; give a folder, a glob such as 'in/*.png', a .zip, a .csv or a .jsonl"
        )
    return unique_names(items)


def _is_picture(path: Path) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts if part not in (".", ".."))
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not (hidden and path.name.startswith("."))


def group_views(paths: Iterable[Path], base: Path | None = None) -> list[Item]:
    """``robot_front.png`` and ``robot_back.png`` are one item ``robot``; every other picture is an item of its own."""
    groups: dict[tuple[Path, str], dict[str, Path]] = {}
    for path in paths:
        match = _VIEW_SUFFIX.match(path.stem)
        stem, view = (match["stem"], match["view"].lower()) if match else (path.stem, "")
        groups.setdefault((path.parent, stem if match else f"{stem}\0"), {})[view or "front"] = path
    items = []
    for (folder, stem), views in groups.items():
        inside = folder.relative_to(base).as_posix() if base is not None and folder.is_relative_to(base) else ""
        prefix = "" if inside in ("", ".") else inside.replace("/", "_") + "_"
        order = {name: place for place, name in enumerate(VIEW_NAMES)}
        ordered = dict(sorted(views.items(), key=lambda pair: order[pair[0]]))
        items.append(Item(safe_name(prefix + stem.rstrip("\0")), ordered))
    return items


def safe_name(text: str) -> str:
    """A folder name that Windows, Linux and macOS all take: no separators, controls or reserved words, 120 bytes."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(" .") or "item"
    if name.split(".")[0].lower() in _RESERVED:
        name = f"_{name}"
    if len(name.encode()) <= 120:
        return name
    tag = hashlib.sha256(text.encode()).hexdigest()[:8]
    return name.encode()[:110].decode("utf-8", "ignore").rstrip(" .") + "_" + tag


def unique_names(items: Sequence[Item]) -> list[Item]:
    """The items with a number added to names that occur twice (compared as Windows and macOS do, without case)."""
    taken: set[str] = set()
    out = []
    for item in items:
        name, count = item.name, 1
        while name.lower() in taken:
            count += 1
            name = f"{item.name}_{count}"
        taken.add(name.lower())
        out.append(
            item if name == item.name else Item(name, item.views, item.overrides, item.model_version, item.extra)
        )
    return out


def unpack(archive: Path, folder: Path) -> Iterator[Path]:
    """Pictures of a zip, each written below ``folder``. Refuses bombs, links and names that lead out of the folder."""
    try:
        bundle = zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInputError(f"the archive '{archive}' cannot be read: {error}") from error
    with bundle:
        infos = [i for i in bundle.infolist() if PurePosixPath(i.filename).suffix.lower() in IMAGE_SUFFIXES]
        _refuse_bombs(archive, bundle.infolist())
        for info in infos:
            yield _extract(bundle, info, folder)


def _refuse_bombs(archive: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in infos)
    packed = max(sum(info.compress_size for info in infos), 1)
    if len(infos) > ZIP_LIMIT_FILES or total > ZIP_LIMIT_BYTES or total / packed > ZIP_LIMIT_RATIO:
        raise BadInputError(
            f"the archive '{archive}' would unpack to {len(infos)} files and {total / 1e9:.1f} GB from"
            f" {packed / 1e6:.1f} MB; that is refused: unpack it yourself and give the folder"
        )


def _extract(bundle: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> Path:
    parts = re.split(r"[\\/]", info.filename)
    link = stat.S_ISLNK(info.external_attr >> 16)
    if link or ".." in parts or info.filename.startswith(("/", "\\")) or re.match(r"^[A-Za-z]:", info.filename):
        raise BadInputError(f"the archive holds '{info.filename}', which leads out of its folder; it is refused")
    target = folder.joinpath(*(safe_name(part) for part in parts if part not in ("", ".")))
    target.parent.mkdir(parents=True, exist_ok=True)
    with bundle.open(info) as source, target.open("wb") as out:
        left = info.file_size
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise BadInputError(f"'{info.filename}' in the archive is larger than it says; it is refused")
            out.write(block)
    return target


def _manifest(path: Path) -> Iterator[Item]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".csv":
        rows: Iterable[tuple[int, Any]] = enumerate(csv.DictReader(io.StringIO(text)), start=2)
    else:
        rows = ((n, _json_row(path, n, line)) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    for number, row in rows:
        yield _row_item(path, number, row)


def _json_row(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadInputError(f"{path}, line {number}: not JSON: {error}") from error


def _row_item(path: Path, number: int, row: Any) -> Item:
    """A row: ``image`` or a column per view (or ``views``: {name: file}), ``name``, ``model_version``, ``seed``;
    a column ``NODE.input`` (or ``overrides``: {"NODE.input": value}) sets a value for this item only."""
    where = f"{path}, line {number}"
    if not isinstance(row, dict):
        raise BadInputError(f"{where}: a row must be an object with 'image' or 'views'")
    cells = {str(k).strip(): v for k, v in row.items() if k is not None and v not in (None, "")}
    views = dict(cells.pop("views", {}) or {})
    views |= {name: cells.pop(name) for name in VIEW_NAMES if name in cells}
    if "image" in cells:
        views.setdefault("front", cells.pop("image"))
    if not views:
        raise BadInputError(f"{where}: no picture; give 'image' or a column per view ({', '.join(VIEW_NAMES)})")
    files = {}
    for view, name in views.items():
        file = Path(str(name)) if Path(str(name)).is_absolute() else path.parent / str(name)
        if not file.is_file():
            raise BadInputError(f"{where}: the picture '{name}' is not there")
        files[str(view).lower()] = file
    name = safe_name(str(cells.pop("name", "") or next(iter(files.values())).stem))
    version = str(cells.pop("model_version", ""))
    said = {**dict(cells.pop("overrides", {}) or {}), **{k: cells.pop(k) for k in list(cells) if "." in k}}
    overrides = tuple(
        Override.parse(f"{key}={value if isinstance(value, str) else json.dumps(value)}") for key, value in said.items()
    )
    return Item(name, files, overrides, version, cells)
