"""Clean: the least change that makes a mesh a closed, consistently wound 2-manifold, with every change counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..data import Mesh
from ..errors import BadInputError
from ..progress import Progress, silent
from .holes import fill_holes
from .orientation import agreed, outward
from .parts import usable, welded_rims, without_collapsed, without_doubles, without_floaters
from .slivers import without_slivers
from .splitting import split
from .surface import Surface, to_mesh
from .topology import compacted

REPAIRS = ("keep", "fix", "solid")


@dataclass(frozen=True)
class CleanResult:
    """mesh: the cleaned mesh; notes: what the user should know; figures: every change counted, for the report."""

    mesh: Mesh
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


def clean(
    mesh: Mesh,
    *,
    weld: bool = True,
    floaters: float = 0.01,
    fill_holes: bool = True,
    repair: str = "fix",
    progress: Progress | None = None,
) -> CleanResult:
    """Make ``mesh`` closed, manifold and consistently wound with the least change.

    weld: join open edges that touch; floaters: parts below this share of the largest part's volume go (0 keeps all);
    repair: ``keep`` changes nothing and only reports, ``fix`` repairs, ``solid`` re-extracts the surface when ``fix``
    does not suffice. Colours, confidence, uvs and texture are carried along. A mesh with nothing to repair comes back
    as it is.

    Raises BadMeshError when no face can be used, BadInputError for an unknown ``repair``. Never returns an empty mesh.
    """
    progress = progress or silent()
    if repair not in REPAIRS:
        raise BadInputError(f"unknown repair level '{repair}'; choose from {', '.join(REPAIRS)}")
    if not 0 <= floaters < 1:
        raise BadInputError(f"floaters is a share of the largest part's volume, from 0 to below 1; got {floaters}")
    figures: dict[str, Any] = {"vertices_before": len(mesh.vertices), "faces_before": len(mesh.faces)}
    if repair == "keep":
        return _kept(mesh, figures)
    surface = _fixed(mesh, weld, floaters, fill_holes, figures, progress)
    cleaned = mesh if _untouched(mesh, surface, figures) else to_mesh(surface, mesh)
    figures |= {"vertices": len(cleaned.vertices), "faces": len(cleaned.faces)}
    progress.update(1, 1, "clean")
    return CleanResult(cleaned, tuple(_notes(surface, figures)), figures)


def _kept(mesh: Mesh, figures: dict[str, Any]) -> CleanResult:
    """Level ``keep``: the very mesh; it must be usable all the same."""
    figures |= {"vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    return CleanResult(mesh.checked(), (), figures)


Step = Callable[[Surface], tuple[Surface, int]]


def _fixed(
    mesh: Mesh, weld: bool, floaters: float, close: bool, figures: dict[str, Any], progress: Progress
) -> Surface:
    """All steps of level ``fix``; what each one did goes into ``figures``."""
    progress.update(0, 8, "clean")
    surface, outside, unusable = usable(mesh)
    figures |= {"out_of_range_faces": outside, "non_finite_faces": unusable}
    if weld:
        surface, figures["welded"] = welded_rims(surface)
    steps: tuple[tuple[str, Step], ...] = (
        ("degenerate_faces", without_collapsed),
        ("duplicate_faces", without_doubles),
        ("slivers", without_slivers),
        ("turned_faces", agreed),
        ("split_vertices", split),
    )
    for done, (name, step) in enumerate(steps):
        surface, figures[name] = step(surface)
        progress.update(done + 2, 10, "clean")
    surface, figures["floaters"], figures["floater_faces"] = without_floaters(surface, floaters)
    if close:
        filled = fill_holes(surface, progress.part(0.7, 0.9))
        surface = filled.surface
        figures |= {"holes": filled.holes, "hole_faces": filled.faces, "open_sheets": filled.sheets}
    surface, turned = outward(surface)
    figures["turned_faces"] += turned
    figures["parts"] = surface.parts[0]
    return surface


def _untouched(mesh: Mesh, surface: Surface, figures: dict[str, Any]) -> bool:
    """Nothing was repaired and there was nothing to weld (or only the seams of a texture): hand back the very mesh."""
    same = len(surface.faces) == len(mesh.faces) and bool((surface.rows == mesh.faces).all())
    changes = ("welded", "degenerate_faces", "duplicate_faces", "slivers", "turned_faces", "split_vertices", "holes")
    if not same or any(figures.get(name, 0) for name in changes):
        return False
    return mesh.uvs is not None or len(compacted(surface.faces, len(surface.points))[0]) == len(mesh.vertices)


_WORDS = (
    ("out_of_range_faces", "{} faces pointed at vertices that do not exist and were dropped"),
    ("non_finite_faces", "{} faces had NaN or infinite vertices and were dropped"),
    ("floaters", "{} floaters were dropped"),
    ("holes", "{} holes were closed"),
    ("split_vertices", "{} vertices were added where surfaces touched"),
    ("open_sheets", "{} open sheets were left open: they enclose no volume (repair=solid gives them a thickness)"),
)


def _notes(surface: Surface, figures: dict[str, Any]) -> list[str]:
    """What a user should read; the rest is in the figures."""
    notes = [words.format(figures[name]) for name, words in _WORDS if figures.get(name)]
    if figures["parts"] > 1:
        notes.append(f"the mesh is in {figures['parts']} parts, each too large to be a floater")
    if figures.get("hole_faces") and surface.table.uvs is not None:
        notes.append("the texture knows nothing of closed holes: each patch has one colour from its rim")
    return notes
