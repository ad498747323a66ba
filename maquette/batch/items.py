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
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInputError
from .workflow import EVERY_NODE, VIEW_NAMES, Graph, Override

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
ZIP_LIMIT_BYTES = 4 * 1024**3
ZIP_LIMIT_RATIO = 200
ZIP_LIMIT_FILES = 100_000
_VIEW_SUFFIX = re.compile(rf"^(?P<stem>.+?)[_\-. ](?P<view>{'|'.join(VIEW_NAMES)})$", re.I)
_BARE_VIEW = re.compile(rf"^(?:{'|'.join(VIEW_NAMES)})$", re.I)
MARKER = "item.json"
"""Lies in every result folder that the driver made: what it was made from. Only such a folder is ever replaced."""
OWN_NAMES = ("dead_letter", "index.html", "events.jsonl", "ledger.sqlite")
"""What the driver keeps in the output beside the results; no item may take these names."""
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

    def key(self, graph: Graph, overrides: Sequence[Override], hasher: Callable[[Path], str] | None = None) -> str:
        """SHA-256 of all that decides the result: pictures (bytes), workflow, overrides."""
        digest = hashlib.sha256()
        for view, path in sorted(self.views.items()):
            digest.update(f"\0view\0{view}\0".encode())
            digest.update((hasher or file_hash)(path).encode())
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


def read_items(source: str, unpack_to: Path, output: Path | None = None) -> list[Item]:
    """The items of a folder, a glob, a ``.zip`` (unpacked below ``unpack_to``) or a ``.csv`` / ``.jsonl`` manifest.

    ``output``: folder of the results; what the driver wrote there is never taken for input.
    Raises BadInputError when there is nothing, or when a manifest row cannot be understood (with its line number).
    """
    path = Path(source)
    if path.is_dir():
        found = (p for p in path.rglob("*") if _is_picture(p, path) and not _is_result(p, path, output))
        items = group_views(sorted(found), base=path)
    elif path.suffix.lower() == ".zip" and path.is_file():
        items = group_views(sorted(unpack(path, unpack_to)), base=unpack_to)
    elif path.suffix.lower() in {".csv", ".jsonl", ".ndjson"} and path.is_file():
        items = list(_manifest(path))
    elif path.is_file():
        items = group_views([path] if _is_picture(path, path.parent) else [], base=path.parent)
    else:
        matches = glob.glob(source, recursive=True)  # noqa: PTH207 - the pattern may be absolute, which Path.glob refuses
        chosen = (Path(p) for p in matches if _is_picture(Path(p), Path(p).parent))
        items = group_views(sorted(p for p in chosen if not _is_result(p, None, output)))
    if not items:
        raise BadInputError(
            f"'{source}' gives no pictures; give a folder, a glob such as 'in/*.png', a .zip, a .csv or a .jsonl"
        )
    return unique_names(items)


def _is_picture(path: Path, base: Path) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(base).parts)
    return path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file()


def _is_result(path: Path, source: Path | None, output: Path | None) -> bool:
    """True for a file that the driver itself wrote: all below the output, or, where input and output are one folder,
    what lies in result folders and dead letters."""
    if output is None or not path.resolve().is_relative_to(output.resolve()):
        return False
    if source is None or source.resolve() != output.resolve():
        return True
    head = path.resolve().relative_to(output.resolve()).parts[0]
    return head in OWN_NAMES or (output / head / MARKER).is_file()


def group_views(paths: Iterable[Path], base: Path | None = None) -> list[Item]:
    """``robot_front.png`` and ``robot_back.png`` are one item ``robot``, and so are ``robot/front.png`` and
    ``robot/back.png``; every other picture is an item of its own (also ``a.jpg`` beside ``a.png``)."""
    pictures = list(paths)
    folders = _view_folders(pictures)
    groups: dict[tuple[Path, str, int], dict[str, Path]] = {}
    for path in pictures:
        match = _VIEW_SUFFIX.match(path.stem)
        view, stem = (match["view"].lower(), match["stem"]) if match else ("front", f"{path.stem}\0")
        if path.parent in folders and _BARE_VIEW.match(path.stem):
            view, stem = path.stem.lower(), ""
        again = 0
        while view in groups.get((path.parent, stem, again), {}):
            again += 1
        groups.setdefault((path.parent, stem, again), {})[view] = path
    return [Item(_group_name(folder, stem, base), _in_order(views)) for (folder, stem, _), views in groups.items()]


def _view_folders(paths: Sequence[Path]) -> set[Path]:
    """Folders that hold several files named by nothing but a view, a front among them: one object each."""
    found: dict[Path, set[str]] = {}
    for path in paths:
        if _BARE_VIEW.match(path.stem):
            found.setdefault(path.parent, set()).add(path.stem.lower())
    return {folder for folder, views in found.items() if len(views) > 1 and "front" in views}


def _group_name(folder: Path, stem: str, base: Path | None) -> str:
    inside = folder.relative_to(base).as_posix() if base is not None and folder.is_relative_to(base) else "."
    words = [] if inside == "." else inside.split("/")
    words += [stem.rstrip("\0")] if stem else []
    return safe_name("_".join(words) or folder.resolve().name)


def _in_order(views: Mapping[str, Path]) -> dict[str, Path]:
    return {name: views[name] for name in VIEW_NAMES if name in views}


def safe_name(text: str) -> str:
    """A folder name that Windows, Linux and macOS all take: no separators, controls or reserved words, 120 bytes."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", text).strip(" .") or "item"
    if name.split(".")[0].lower() in _RESERVED:
        name = f"_{name}"
    if len(name.encode()) <= 120:
        return name
    tag = hashlib.sha256(text.encode()).hexdigest()[:8]
    return name.encode()[:110].decode("utf-8", "ignore").rstrip(" .") + "_" + tag


def safe_file_name(text: str) -> str:
    """``safe_name`` for a file: the suffix outlives the shortening."""
    suffix = PurePosixPath(text).suffix
    if not suffix or len(suffix) > 12:
        return safe_name(text)
    return safe_name(text.removesuffix(suffix)) + re.sub(r"[^.\w]", "_", suffix)


def unique_names(items: Sequence[Item]) -> list[Item]:
    """The items with a number added to names that occur twice (compared as Windows and macOS do, without case)."""
    taken = {name.lower() for name in OWN_NAMES}
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
        taken: set[str] = set()
        for info in infos:
            if PurePosixPath(info.filename).name.startswith(".") or info.filename.startswith("__MACOSX"):
                continue
            try:
                yield _extract(bundle, info, folder, taken)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
                raise BadInputError(f"'{info.filename}' in '{archive}' cannot be unpacked: {error}") from error


def _refuse_bombs(archive: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in infos)
    packed = max(sum(info.compress_size for info in infos), 1)
    if len(infos) > ZIP_LIMIT_FILES or total > ZIP_LIMIT_BYTES or total / packed > ZIP_LIMIT_RATIO:
        raise BadInputError(
            f"the archive '{archive}' would unpack to {len(infos)} files and {total / 1e9:.1f} GB from"
            f" {packed / 1e6:.1f} MB; that is refused: unpack it yourself and give the folder"
        )


def _extract(bundle: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, taken: set[str]) -> Path:
    parts = re.split(r"[\\/]", info.filename)
    link = stat.S_ISLNK(info.external_attr >> 16)
    if link or ".." in parts or info.filename.startswith(("/", "\\")) or re.match(r"^[A-Za-z]:", info.filename):
        raise BadInputError(f"the archive holds '{info.filename}', which leads out of its folder; it is refused")
    *folders, last = [part for part in parts if part not in ("", ".")]
    target = folder.joinpath(*(safe_name(part) for part in folders), safe_file_name(last))
    stem, count = target.stem, 1
    while str(target).lower() in taken:  # two names that differ only in letters that no file system may hold
        count += 1
        target = target.with_name(f"{stem}_{count}{target.suffix}")
    taken.add(str(target).lower())
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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"the manifest '{path}' cannot be read as UTF-8 text: {error}") from error
    if path.suffix.lower() == ".csv":
        rows: Iterable[tuple[int, Any]] = enumerate(csv.DictReader(io.StringIO(text)), start=2)
    else:
        rows = ((n, _json_row(path, n, line)) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    try:
        for number, row in rows:
            yield _row_item(path, number, row)
    except csv.Error as error:
        raise BadInputError(f"the manifest '{path}' is not CSV: {error}") from error


def _json_row(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadInputError(f"{path}, line {number}: not JSON: {error}") from error


def _row_item(path: Path, number: int, row: Any) -> Item:
    """A row: ``image`` or a column per view (or ``views``: {name: file}), ``name``, ``model_version``, ``seed`` (set on
    every node that has one); a column ``NODE.input`` (or ``overrides``: {"NODE.input": value}) for this item only."""
    where = f"{path}, line {number}"
    if not isinstance(row, dict):
        raise BadInputError(f"{where}: a row must be an object with 'image' or 'views'")
    cells = {str(k).strip(): v for k, v in row.items() if k is not None and v not in (None, "")}
    views, said = cells.pop("views", {}), cells.pop("overrides", {})
    if not isinstance(views, dict) or not isinstance(said, dict):
        raise BadInputError(f"{where}: 'views' and 'overrides' are objects, for example {{\"front\": \"a.png\"}}")
    views = dict(views)
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
    stem = next(iter(files.values())).stem
    match = _VIEW_SUFFIX.match(stem) if len(files) > 1 else None
    named = cells.pop("name", "") or cells.pop("output", "") or (match["stem"] if match else stem)
    version = str(cells.pop("model_version", ""))
    said = {**said, **{k: cells.pop(k) for k in list(cells) if "." in k}}
    if "seed" in cells:
        said[f"{EVERY_NODE}.seed"] = cells.pop("seed")
    overrides = tuple(
        Override.parse(f"{key}={value if isinstance(value, str) else json.dumps(value)}") for key, value in said.items()
    )
    return Item(safe_name(str(named)), files, overrides, version, cells)
