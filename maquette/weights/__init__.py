"""Published weights: found where they already lie, else downloaded once, checked by hash, and never half there.

Order of search: ``models_dir``, the folders of ``searching`` (ComfyUI's), $MAQUETTE_MODELS, this user's cache, other
programs' folders (``Spec.also``), the Hugging Face cache. A download goes to the first of the first four that is given.
Only ``maquette models fetch`` downloads; with MAQUETTE_DOWNLOAD=1 TripoSR also fetches its own when it is asked to run.
HF_HUB_OFFLINE=1 or MAQUETTE_OFFLINE=1 forbids both; HF_ENDPOINT and HF_TOKEN are respected.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from ..backends import Spec, WeightFile, discover
from ..errors import BadInputError, WeightsError
from ..log import log
from ..progress import Progress, silent
from ._places import Lookup, asked_to_download, local_copy, offline, searching, target
from ._verify import check

__all__ = ["Lookup", "asked_to_download", "cli_rows", "fetch", "locate", "offline", "require", "searching", "verify"]

STAGES = ("segment", "depth", "reconstruct", "detect")
"""The stages that have backends with weights."""
_MB = 1_000_000


def locate(spec: Spec, models_dir: str | Path | None = None) -> list[Path | None]:
    """Where each of a backend's files lies now; None = nowhere. Sizes are looked at, hashes are not."""
    return [local_copy(spec, file, models_dir) for file in spec.weights]


def require(
    spec: Spec, *, models_dir: str | Path | None = None, progress: Progress | None = None, download: bool = True
) -> list[Path]:
    """The backend's files, downloaded when they are not here; each was checked against its published hash once.

    A local file always wins. Raises WeightsError: not here and no download allowed, disk full, network lost (run again:
    it resumes), refused by the server, or not the published file (both hashes are named).
    """
    progress = progress or silent()
    return [
        _one(spec, file, models_dir, progress.part(i / len(spec.weights), (i + 1) / len(spec.weights)), download)
        for i, file in enumerate(spec.weights)
    ]


def _one(spec: Spec, file: WeightFile, models_dir: str | Path | None, progress: Progress, download: bool) -> Path:
    found = local_copy(spec, file, models_dir)
    if found is not None:
        return check(found, file, progress)
    place = target(spec, file, models_dir)
    size = f"{file.size / _MB:.0f} MB" if file.size else "size unknown"
    if not download or offline():
        online = "switch downloads on again (HF_HUB_OFFLINE, MAQUETTE_OFFLINE) and " if offline() else ""
        raise WeightsError(
            f"{spec.title} needs '{file.path}' ({size}), which is not here. Put {file.address} at '{place}', or"
            f" {online}run `maquette models fetch {spec.name}`"
        )
    from ._download import download as get

    log.info("downloading %s (%s, licence %s) from %s to %s", file.path, size, spec.licence, file.repo, place)
    return get(file, place, progress)


def cli_rows(models_dir: str | None = None) -> list[dict[str, Any]]:
    """One row per backend with weights, for ``maquette models list`` and the doctor: plain JSON."""
    rows = []
    for name, (stage, spec) in _specs().items():
        found = locate(spec, models_dir)
        total = sum(file.size or 0 for file in spec.weights)
        here = [path for path in found if path is not None]
        state = "present" if len(here) == len(found) else "not downloaded" if not here else "incomplete"
        licence = spec.licence if spec.commercial_use else f"{spec.licence} (non-commercial)"
        rows.append(
            {
                "stage": stage,
                "name": name,
                "title": spec.title,
                "size_mb": round(total / _MB) if total else "?",
                "licence": licence,
                "state": state,
                "files": [str(path) for path in here],
                "folder": str(target(spec, spec.weights[0], models_dir).parent),
            }
        )
    return rows


def fetch(name: str, *, models_dir: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Download a backend's weights unless they are here; BadInputError for an unknown name."""
    return require(_spec(name), models_dir=models_dir, progress=progress)


def verify(name: str, *, models_dir: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Read every file of a backend and compare its hash; WeightsError when one is missing or is another file."""
    spec, progress, out = _spec(name), progress or silent(), []
    for index, (file, path) in enumerate(zip(spec.weights, locate(spec, models_dir), strict=True)):
        if path is None:
            place = target(spec, file, models_dir)
            raise WeightsError(f"'{place}' is not there or not whole; get it with `maquette models fetch {name}`")
        part = progress.part(index / len(spec.weights), (index + 1) / len(spec.weights))
        out.append(check(path, file, part, again=True))
    return out


def _specs() -> dict[str, tuple[str, Spec]]:
    """(stage, spec) of every backend that has weights, by name; ``stage/name`` where two stages use one name."""
    found: dict[str, tuple[str, Spec]] = {}
    for stage in STAGES:
        for module in _backends(stage).values():
            spec: Spec = module.SPEC
            if spec.weights:
                found[f"{stage}/{spec.name}" if spec.name in found else spec.name] = (stage, spec)
    return found


def _backends(stage: str) -> dict[str, ModuleType]:
    """The backends of a stage, by the stage's name only: this room imports no stage."""
    package = importlib.import_module(f"..{stage}", __package__)
    return discover(package.__name__, list(package.__path__))


def _spec(name: str) -> Spec:
    specs = _specs()
    if name not in specs:
        raise BadInputError(f"there is no model '{name}'; choose one of: {', '.join(specs) or '(none)'}")
    return specs[name][1]
