"""For backends that need a whole folder of published files: is it here, and where."""

from __future__ import annotations

from pathlib import Path

from ..backends import Spec
from ..errors import WeightsError
from ..progress import Progress
from . import locate, require


def missing(spec: Spec) -> str:
    """Empty when every file of ``spec`` is here, else the sentence with the command that fetches them."""
    lacking = [file for file, path in zip(spec.weights, locate(spec), strict=True) if path is None]
    if not lacking:
        return ""
    size = sum(file.size or 0 for file in lacking)
    much = f"{size / 1e6:.0f} MB, " if size else ""
    terms = "" if spec.commercial_use else ", non-commercial use only"
    return f"its weights are not here: `maquette models fetch {spec.name}` ({much}licence {spec.licence}{terms})"


def folder(spec: Spec, progress: Progress | None = None) -> Path:
    """The folder that holds every file of ``spec``, checked. Never downloads. WeightsError when one is missing."""
    paths = require(spec, progress=progress, download=False)
    folders = {path.parent for path in paths}
    if len(folders) != 1:
        raise WeightsError(
            f"the files of {spec.title} lie in {len(folders)} folders ({', '.join(map(str, sorted(folders)))}); put"
            " them into one"
        )
    return folders.pop()
