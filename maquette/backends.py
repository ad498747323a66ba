"""How a stage finds its backends: every module in the stage's folder that has a ``SPEC`` is one.

A backend is one file. It must be cheap to import (no torch, no heavy library at module level), because menus and
``maquette doctor`` import all of them; it imports what it needs inside its function. Names that start with ``_`` are
private parts of a backend, never backends.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass, field
from types import ModuleType

from .errors import BadInputError, MissingError

_DISTRIBUTIONS = {"cv2": "opencv-python-headless", "skimage": "scikit-image"}
"""Import names that differ from what pip calls them."""


@dataclass(frozen=True)
class WeightFile:
    """One published file: where it lies, how large it is, and the hash that proves it.

    ``repo`` is on the Hugging Face hub unless ``url`` says where else the file is (then the repository is on GitHub).
    """

    repo: str
    revision: str
    path: str
    size: int | None = None
    sha256: str | None = None
    source: str = ""
    """Where size and hash were learnt (two independent projects, or "unverified")."""
    url: str = ""

    @property
    def page(self) -> str:
        """Where a person finds the file."""
        return f"{'github.com' if self.url else 'huggingface.co'}/{self.repo}"

    @property
    def address(self) -> str:
        """The file itself, for a browser."""
        return self.url or f"https://huggingface.co/{self.repo}/resolve/{self.revision}/{self.path}"


@dataclass(frozen=True)
class Spec:
    """What a menu, ``doctor`` and the README say of a backend.

    requires: import names that must be there (``transformers``); extra: the pip extra that brings them;
    vram_mb: resolution -> peak GPU megabytes, measured unless ``vram_estimated``; folder: sub-folder of ComfyUI's
    ``models/`` for the weights; also: folders of other programs that hold the same files (``~`` and ``$NAME``).
    """

    name: str
    title: str
    summary: str
    licence: str = "MIT"
    commercial_use: bool = True
    requires: tuple[str, ...] = ()
    extra: str = ""
    weights: tuple[WeightFile, ...] = ()
    folder: str = ""
    also: tuple[str, ...] = ()
    vram_mb: dict[int, int] = field(default_factory=dict)
    vram_estimated: bool = False
    default_rank: int = 100
    """``auto`` takes the available backend with the lowest rank; 1000 and more are never chosen by ``auto``."""

    @property
    def room(self) -> int:
        """Bytes of GPU memory that are welcome before the model is loaded: the highest peak of its table; 0 = none."""
        return max(self.vram_mb.values(), default=0) << 20


def discover(package: str, path: list[str]) -> dict[str, ModuleType]:
    """All backends of a stage by name: ``discover(__name__, __path__)`` in the stage's ``__init__``."""
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules(path):
        if info.name.startswith("_"):
            continue
        try:
            module = importlib.import_module(f"{package}.{info.name}")
        except (ImportError, SyntaxError) as error:
            module = _broken(info.name, error)
        spec = getattr(module, "SPEC", None)
        if isinstance(spec, Spec):
            found[spec.name] = module
    return found


def _broken(name: str, error: Exception) -> ModuleType:
    """A stand-in for a backend file that does not import: it is listed with the reason, and takes nothing else down."""
    module = ModuleType(name)
    reason = f"its file does not import ({type(error).__name__}: {error}); reinstall the pack or remove the file"
    module.SPEC = Spec(name, name, "does not load", default_rank=1000)  # type: ignore[attr-defined]
    module.unavailable = lambda: reason  # type: ignore[attr-defined]
    return module


def missing_reason(module: ModuleType) -> str:
    """Empty when the backend can run now, else the one sentence that says what is missing and how to get it.

    Its ``SPEC``'s packages and weights are looked for; a module that has other needs, or can do without the weights,
    defines ``unavailable() -> str``, which then answers in place of the look for weights.
    """
    from .weights.ready import missing

    spec: Spec = module.SPEC
    lacking = [name for name in spec.requires if importlib.util.find_spec(name) is None]
    if lacking:
        wheels = " ".join(_DISTRIBUTIONS.get(name, name) for name in lacking)
        how = f"python install.py --extras {spec.extra}" if spec.extra else f"pip install {wheels}"
        return f"needs {', '.join(lacking)}: {how}"
    check = getattr(module, "unavailable", None)
    return str(check()) if check is not None else missing(spec)


def choose(found: dict[str, ModuleType], name: str, stage: str) -> ModuleType:
    """The backend called ``name``; ``auto`` = the best available one. Says what to do when there is none."""
    if name == "auto":
        ready = [m for m in found.values() if m.SPEC.default_rank < 1000 and not missing_reason(m)]
        if not ready:
            raise MissingError(f"no {stage} backend can run here; `maquette doctor` says what each of them needs")
        return min(ready, key=lambda m: m.SPEC.default_rank)
    if name not in found:
        raise BadInputError(f"there is no {stage} backend '{name}'; choose one of: auto, {', '.join(sorted(found))}")
    reason = missing_reason(found[name])
    if reason:
        raise MissingError(f"{stage} backend '{name}' cannot run: {reason}")
    return found[name]
