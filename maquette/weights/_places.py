"""Where weights may lie and where a download goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..backends import Spec, WeightFile

Lookup = Callable[[str], Sequence[str | Path]]
"""Folder name (``triposr``) -> the folders of such models, the preferred one first (ComfyUI's folder_paths)."""

_LOOKUP: ContextVar[Lookup | None] = ContextVar("maquette_weights_lookup", default=None)
_TRUE = {"1", "true", "yes", "on"}
_CHECKPOINTS = {".ckpt", ".pt", ".pth", ".bin"}
"""Torch's own formats, of which a safetensors copy holds the same."""


@contextmanager
def searching(where: Lookup | str | Path | None) -> Iterator[None]:
    """Within the block models are also searched in, and downloaded to, the folders that ``where`` gives.

    A folder (``models_dir``) comes before what an outer block gives; None changes nothing.
    """
    outer = _LOOKUP.get()
    if callable(where):
        token = _LOOKUP.set(where)
    elif where is None:
        token = _LOOKUP.set(outer)
    else:
        root = Path(where)
        token = _LOOKUP.set(lambda sub: [root / sub, root, *(outer(sub) if outer is not None else ())])
    try:
        yield
    finally:
        _LOOKUP.reset(token)


def offline() -> bool:
    """Whether downloads are forbidden, read from the environment now."""
    return any(_set(name) for name in ("HF_HUB_OFFLINE", "MAQUETTE_OFFLINE"))


def asked_to_download() -> bool:
    """Whether a backend may fetch its own weights when it is asked to run: MAQUETTE_DOWNLOAD=1, read now."""
    return _set("MAQUETTE_DOWNLOAD")


def _set(name: str) -> bool:
    return os.environ.get(name, "").lower() in _TRUE


def folders(spec: Spec, models_dir: str | Path | None) -> list[Path]:
    """Folders of a backend's weights, the preferred first."""
    sub = spec.folder or spec.name
    out: list[Path] = []
    if models_dir is not None:
        out += [Path(models_dir) / sub, Path(models_dir)]
    lookup = _LOOKUP.get()
    if lookup is not None:
        out += [Path(folder) for folder in lookup(sub)]
    if os.environ.get("MAQUETTE_MODELS"):
        out += [Path(os.environ["MAQUETTE_MODELS"]) / sub]
    return [*out, cache() / "models" / sub]


def _elsewhere(spec: Spec) -> list[Path]:
    """Other programs' folders: read, never written to. A ``$NAME`` that is not set names no folder."""
    spread = (os.path.expandvars(name) for name in spec.also)
    return [Path(name).expanduser() for name in spread if "$" not in name]


def target(spec: Spec, file: WeightFile, models_dir: str | Path | None) -> Path:
    """Where a download of ``file`` goes."""
    return folders(spec, models_dir)[0] / file.path


def local_copy(spec: Spec, file: WeightFile, models_dir: str | Path | None) -> Path | None:
    """The file, or a safetensors copy of it beside where it would lie; None when none is here."""
    for folder in [*folders(spec, models_dir), *_elsewhere(spec)]:
        path = folder / file.path
        if path.is_file():  # also of another size: ``check`` says what is wrong, no silent download
            return path
        copy = path.with_suffix(".safetensors")
        if path.suffix in _CHECKPOINTS and copy.is_file():
            return copy
    return None if file.url else _hub_copy(file)


def _hub_copy(file: WeightFile) -> Path | None:
    """The pinned revision in the Hugging Face cache, where another program left it."""
    if not _hub_cache().is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repo, file.path, cache_dir=_hub_cache(), revision=file.revision)
    return Path(found) if isinstance(found, str) else None


def _hub_cache() -> Path:
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cache() -> Path:
    """This user's cache of the pack."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(base).expanduser() / "maquette"
