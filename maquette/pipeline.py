"""The whole river in one call: segment -> prepare -> reconstruct -> clean -> simplify -> bake -> certify.

The command line and the node *Image to 3D Asset* both end here; every step is a stage that can be called alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .data import Mesh, MeshReport, Reconstruction, View
from .errors import BadInputError, BadViewsError, GateError
from .gate import check_form
from .geometry.camera import FIELD_OF_VIEW, PRESETS
from .log import log
from .progress import Progress, silent

if TYPE_CHECKING:
    from .image import Picture


@dataclass(frozen=True)
class GenerateSettings:
    """What ``generate`` may be told; the defaults suit a first try.

    views: a preset name per picture (front, right, back, left, top, bottom); azimuths: degrees per picture instead;
    both empty = front, right, back, left in the order given. faces: 0 keeps what the reconstruction gave. texture: side
    of the square maps in texels, 0 = vertex colours only. picture: side of the prepared square picture, 0 = chosen from
    the texture. helper_device: where the subject is found, empty = as ``device`` says, which with ``auto`` spares a
    small GPU. gate: an expression over the report, e.g. ``watertight and faces <= 20000``; empty = none.
    """

    segment: str = "auto"
    backend: str = "auto"
    views: tuple[str, ...] = ()
    azimuths: tuple[float, ...] = ()
    resolution: int = 128
    faces: int = 20_000
    texture: int = 1024
    picture: int = 0
    field_of_view: float = FIELD_OF_VIEW
    device: str = "auto"
    helper_device: str = ""
    seed: int = 0
    gate: str = ""
    models_dir: str | None = None
    vram_budget_mb: int | None = None


@dataclass(frozen=True)
class Asset:
    """What ``generate`` gives: the textured mesh, what was measured on it, and how it came about."""

    mesh: Mesh
    report: MeshReport
    reconstruction: Reconstruction
    views: tuple[View, ...]
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The JSON report: ``mesh`` is the certificate, the rest says how it was made."""
        return {
            "mesh": self.report.as_dict(),
            "backend": self.reconstruction.backend,
            "views": [view.name for view in self.views],
            "figures": self.figures,
            "notes": list(self.notes),
        }


def generate(
    pictures: Sequence[Picture], settings: GenerateSettings | None = None, progress: Progress | None = None
) -> Asset:
    """Pictures of one object -> one textured, certified asset.

    Raises BadImageError, BadMaskError, BadViewsError for input that cannot work, BadInputError for a gate that names
    no field, MissingError when a chosen backend cannot run, GateError when the mesh does not pass ``settings.gate``.
    """
    from .weights import searching

    settings, progress = settings or GenerateSettings(), progress or silent()
    if settings.gate.strip():
        check_form(settings.gate)
    with searching(settings.models_dir):
        return _generate(pictures, settings, progress)


def _generate(pictures: Sequence[Picture], settings: GenerateSettings, progress: Progress) -> Asset:
    names = view_names(len(pictures), settings)
    notes: list[str] = []
    with progress.stage("segment", 0.0, 0.15) as window:
        views = _views(pictures, names, settings, window, notes)
    with progress.stage("reconstruct", 0.15, 0.5) as window:
        made = _reconstruct(views, settings, window)
    mesh, figures = _finish_geometry(made, settings, progress, notes)
    mesh, coverage = _dress(mesh, made, settings, progress, notes)
    with progress.stage("certify", 0.97, 1.0) as window:
        from .mesh import certify

        report = certify(mesh, progress=window)
    figures |= {"coverage": coverage, "seconds": dict(progress.timings.seconds), "peak_memory_mb": peak_memory_mb()}
    figures |= {"reconstruction": dict(made.figures)}
    if not report.certified:
        notes.append("not certified: " + "; ".join(report.reasons))
    asset = Asset(mesh, report, made, made.views, (*made.notes, *notes), figures)
    for note in asset.notes:
        log.info("%s", note)
    pass_gate(report, settings.gate)
    return asset


def view_names(count: int, settings: GenerateSettings) -> tuple[str, ...]:
    """One name per picture: the presets asked for, the azimuths as text, or front, right, back, left in order."""
    if count == 0:
        raise BadInputError("no picture was given; give at least one")
    if settings.views and settings.azimuths:
        raise BadViewsError("give either view names or azimuths, not both")
    asked = settings.views or tuple(f"{azimuth:g}" for azimuth in settings.azimuths)
    if not asked:
        if count > 4:
            raise BadViewsError(f"{count} pictures were given without directions; name them with views or azimuths")
        return ("front", "right", "back", "left")[:count]
    if len(asked) != count:
        raise BadViewsError(f"{count} pictures but {len(asked)} directions ({', '.join(asked)}); give one per picture")
    unknown = [name for name in settings.views if name not in PRESETS]
    if unknown:
        raise BadViewsError(f"unknown view '{unknown[0]}'; choose from {', '.join(PRESETS)}")
    if len(set(asked)) != len(asked):
        raise BadViewsError(f"two pictures have the same direction ({', '.join(asked)}); each view must differ")
    return asked


def pass_gate(report: MeshReport, expression: str) -> None:
    """Raise GateError when ``expression`` is given and does not hold for the report."""
    if expression.strip():
        from .mesh import gate

        gate(report, expression)


def resolve_device(name: str) -> str:
    """``auto`` -> cuda when torch sees one, else cpu; anything else is checked."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadInputError(f"device '{name}' was asked for but this torch ({torch.__version__}) sees no GPU; use cpu")
    if name.split(":")[0] not in {"cpu", "cuda", "mps", "xpu"}:
        raise BadInputError(f"unknown device '{name}'; use auto, cpu or cuda")
    return name


def helper_device(name: str) -> str:
    """As ``resolve_device``, for the models of segment, depth and detect: ``auto`` spares a GPU below 6 GB."""
    from .memory import for_helper

    found = resolve_device(name)
    return for_helper(found) if name == "auto" else found


def peak_memory_mb() -> float | None:
    """Highest resident memory of this process so far in megabytes; None where the system does not tell (Windows)."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


def _views(
    pictures: Sequence[Picture],
    names: Sequence[str],
    settings: GenerateSettings,
    progress: Progress,
    notes: list[str],
) -> tuple[View, ...]:
    """Cut the subject out of every picture and frame it the way the cameras expect."""
    from .image import prepare, prepare_views
    from .segment import segment

    device, masks = helper_device(settings.helper_device or settings.device), []
    for index, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        window = progress.part(index / len(pictures), (index + 1) / len(pictures))
        cut = segment(picture, settings.segment, device=device, progress=window)
        masks.append(cut.mask)
        notes.append(f"{name}: subject found by {cut.method}")
        notes.extend(f"{name}: {note}" for note in cut.notes)
    size = settings.picture or min(max(512, settings.texture), 1024)
    if len(pictures) == 1:
        return (prepare(pictures[0], masks[0], size=size, name=names[0]),)
    return prepare_views(pictures, masks, names, size=size)


def _reconstruct(views: tuple[View, ...], settings: GenerateSettings, progress: Progress) -> Reconstruction:
    from .reconstruct import Settings, reconstruct

    chosen = Settings(
        resolution=settings.resolution,
        field_of_view=settings.field_of_view,
        azimuths=settings.azimuths or None,
        seed=settings.seed,
        device=resolve_device(settings.device),
        vram_budget_mb=settings.vram_budget_mb,
        models_dir=settings.models_dir,
    )
    return reconstruct(views, settings.backend, chosen, progress)


def _finish_geometry(
    made: Reconstruction, settings: GenerateSettings, progress: Progress, notes: list[str]
) -> tuple[Mesh, dict[str, Any]]:
    """Clean and simplify; nothing may touch the geometry after this (UVs come last)."""
    from .mesh import clean, simplify, smooth_normals

    with progress.stage("clean", 0.5, 0.58) as window:
        cleaned = clean(made.mesh, progress=window)
    notes.extend(cleaned.notes)
    mesh = cleaned.mesh
    if 0 < settings.faces < len(mesh.faces):
        with progress.stage("simplify", 0.58, 0.65) as window:
            mesh = simplify(mesh, settings.faces, progress=window)
    return smooth_normals(mesh), {"faces_reconstructed": len(made.mesh.faces), "clean": dict(cleaned.figures)}


def _dress(
    mesh: Mesh, made: Reconstruction, settings: GenerateSettings, progress: Progress, notes: list[str]
) -> tuple[Mesh, dict[str, float]]:
    """A baked texture, or vertex colours when ``texture`` is 0."""
    device = resolve_device(settings.device)
    if settings.texture == 0:
        from .bake import color_vertices

        with progress.stage("color", 0.65, 0.97):
            return color_vertices(mesh, made.appearance, device=device), {}
    from .bake import bake, unwrap

    with progress.stage("unwrap", 0.65, 0.85) as window:
        unwrapped = unwrap(mesh, size=settings.texture, progress=window)
    with progress.stage("bake", 0.85, 0.97) as window:
        baked = bake(
            unwrapped, made.appearance, views=made.views, size=settings.texture, device=device, progress=window
        )
    notes.extend(baked.notes)
    return baked.mesh, dict(baked.coverage)


__all__ = [
    "Asset",
    "GateError",
    "GenerateSettings",
    "generate",
    "helper_device",
    "pass_gate",
    "resolve_device",
    "view_names",
]
