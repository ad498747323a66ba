"""Clean: the least change that makes a mesh a closed, consistently wound 2-manifold, with every change counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data import Mesh
from ..errors import BadInputError
from ..progress import Progress, silent
from .distances import distances
from .hidden import without_hidden
from .holes import fill_holes
from .orientation import agreed, outward
from .parts import usable, welded_rims, without_collapsed, without_doubles, without_floaters
from .slivers import without_slivers
from .splitting import distinct, split
from .surface import Surface, to_mesh, welded_mesh
from .topology import Bools, compacted, fans, find_edges, flat_faces, touching
from .uniting import united

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
    remove_inner: bool = False,
    repair: str = "fix",
    resolution: int = 256,
    distance: bool = True,
    progress: Progress | None = None,
) -> CleanResult:
    """Make ``mesh`` closed, manifold and consistently wound with the least change.

    weld: join open edges that touch; floaters: parts below this share of the largest part's volume go (0 keeps all);
    remove_inner: drop walls that no ray from outside reaches; repair: ``keep`` changes nothing and only checks, ``fix``
    repairs, ``solid`` extracts the surface anew at ``resolution`` cells when ``fix`` does not suffice. Colours,
    confidence, uvs and texture are carried along (``solid`` turns a texture into vertex colours). A mesh with nothing
    to repair comes back as it is. distance: measure how far the result lies from the input, into the figures.

    Raises BadMeshError when no face can be used, BadInputError for an unknown ``repair`` or an impossible ``floaters``.
    Never returns an empty mesh: the largest part always stays.
    """
    progress = progress or silent()
    if repair not in REPAIRS:
        raise BadInputError(f"unknown repair level '{repair}'; choose from {', '.join(REPAIRS)}")
    if not 0 <= floaters < 1:
        raise BadInputError(f"floaters is a share of the largest part's volume, from 0 to below 1; got {floaters}")
    figures: dict[str, Any] = {"repair": repair, "vertices_before": len(mesh.vertices), "faces_before": len(mesh.faces)}
    if repair == "keep":
        return _kept(mesh, figures)
    plan = _Plan(weld, floaters, fill_holes, remove_inner)
    given, oriented = _oriented(mesh, plan, figures, progress.part(0.0, 0.3))
    made = None
    if repair == "solid":
        made = _resewn(mesh, (given, oriented), floaters, resolution, figures, progress.part(0.3, 0.95))
        made = made or _solid(mesh, oriented, plan, resolution, figures, progress.part(0.3, 0.95))
    if made is None:
        surface = _mended(oriented, plan, figures, progress.part(0.3, 0.9))
        cleaned = mesh if _untouched(mesh, surface, figures) else to_mesh(surface, mesh)
        made = _Made(cleaned, surface, _notes(surface, figures))
    figures |= {"vertices": len(made.mesh.vertices), "faces": len(made.mesh.faces)}
    if distance:
        figures |= made.far or (_NOT_MOVED if made.mesh is mesh else distances(given, made.surface))
    progress.update(1, 1, "clean")
    return CleanResult(made.mesh, tuple(made.notes), figures)


@dataclass(frozen=True)
class _Plan:
    """What the caller asked for."""

    weld: bool
    floaters: float
    close: bool
    remove_inner: bool


@dataclass(frozen=True)
class _Made:
    """The result as a mesh and as the surface it was made of, what to say of it, and its distance from the input where
    that is known."""

    mesh: Mesh
    surface: Surface
    notes: list[str]
    far: dict[str, float] | None = None


def _kept(mesh: Mesh, figures: dict[str, Any]) -> CleanResult:
    """Level ``keep``: the very mesh; it must be usable all the same."""
    figures |= {"vertices": len(mesh.vertices), "faces": len(mesh.faces), **_NOT_MOVED}
    return CleanResult(mesh.checked(), (), figures)


_NOT_MOVED = {"distance_mean": 0.0, "distance_p99": 0.0, "distance_max": 0.0}


Step = Callable[[Surface], tuple[Surface, int]]


def _oriented(mesh: Mesh, plan: _Plan, figures: dict[str, Any], progress: Progress) -> tuple[Surface, Surface]:
    """The usable faces as they came, and without what is no surface, wound consistently; nothing is cut or filled."""
    progress.update(0, 5, "clean")
    given, outside, unusable = usable(mesh)
    figures |= {"out_of_range_faces": outside, "non_finite_faces": unusable}
    surface = given
    if plan.weld:
        surface, figures["welded"] = welded_rims(surface)
    steps: tuple[tuple[str, Step], ...] = (
        ("degenerate_faces", without_collapsed),
        ("duplicate_faces", without_doubles),
        ("slivers", without_slivers),
        ("turned_faces", agreed),
    )
    for done, (name, step) in enumerate(steps):
        surface, figures[name] = step(surface)
        progress.update(done + 1, 5, "clean")
    return given, surface


def _mended(oriented: Surface, plan: _Plan, figures: dict[str, Any], progress: Progress) -> Surface:
    """The other steps of level ``fix``; what each one did goes into ``figures``."""
    surface, figures["split_vertices"] = split(oriented)
    surface, gone = without_floaters(surface, plan.floaters)
    figures |= {"floaters": gone.parts, "floater_faces": gone.faces}
    figures |= {"floater_sheets": gone.sheets, "floater_sheet_area": gone.sheet_area}
    progress.update(1, 5, "clean")
    if plan.remove_inner:
        surface, figures["inner_faces"] = without_hidden(surface, progress.part(0.2, 0.5))
        surface, added = split(surface)  # the cut may leave faces that hang together by a vertex
        figures["split_vertices"] += added
    if plan.close:
        surface = _closed(surface, len(oriented.points), plan.floaters, figures, progress.part(0.5, 1.0))
    figures["parts"] = surface.parts[0]
    return surface


def _closed(surface: Surface, untouched: int, floaters: float, figures: dict[str, Any], progress: Progress) -> Surface:
    """Holes filled, every part turned outward, overlapping parts united. Points before ``untouched`` are not new."""
    before, filled = len(surface.faces), fill_holes(surface, progress)
    figures |= {"holes": filled.holes, "hole_faces": filled.faces, "open_sheets": filled.sheets}
    surface, turned = outward(filled.surface)
    figures["turned_faces"] += turned
    surface, figures["united_parts"] = united(surface)
    if figures["united_parts"]:
        surface, gone = without_floaters(surface, floaters)  # slivers where surfaces almost coincide
        figures["floaters"] += gone.parts
        figures["floater_faces"] += gone.faces
        surface, _ = outward(surface)
    if not (filled.holes or figures["united_parts"] or figures["split_vertices"]):
        return surface
    if not figures["united_parts"] and _fits(surface, untouched, before):
        surface, apart = distinct(surface)
        if not apart:
            return surface
    return _tidied(surface, figures)


def _fits(surface: Surface, points: int, faces: int) -> bool:
    """Whether the surface is manifold and has no flat face wherever it has a point from ``points`` on or a face from
    ``faces`` on: what a split or a patch has made is mostly sound, and seeing that is cheaper than mending everything.
    """
    fresh = np.zeros(len(surface.points), bool)
    fresh[points:] = True
    fresh[surface.faces[faces:]] = True
    around = touching(surface.faces, fresh)
    local = surface.faces[around]
    edges = find_edges(local)
    inner = touching(edges.ends, fresh)
    if (edges.count[inner] > 2).any() or edges.same_way[inner[edges.edge[edges.pairs[:, 0]]]].any():
        return False
    count, fan = fans(local, edges.pairs)
    owner = np.zeros(count, np.int64)
    owner[fan] = local.reshape(-1)
    if np.count_nonzero(fresh[owner]) != np.count_nonzero(np.bincount(local.reshape(-1)[fresh[local.reshape(-1)]])):
        return False
    return not flat_faces(surface.points, local, surface.scale).any()


def _tidied(surface: Surface, figures: dict[str, Any]) -> Surface:
    """What patches and unions leave: flat faces, edges that meet again, vertices at one place."""
    for _ in range(_ROUNDS):
        surface, moves = without_slivers(without_collapsed(surface)[0])
        surface, added = split(surface)
        surface, apart = distinct(surface)
        figures["slivers"] += moves
        figures["split_vertices"] += added
        if not moves + added + apart:
            break
    return surface


_ROUNDS = 5


def _without_cavities(surface: Surface, figures: dict[str, Any]) -> Surface:
    """A solid has no rooms inside: parts that are turned inwards go."""
    cavities = _inner_parts(surface)
    if cavities.any() and not cavities.all():
        surface = surface.kept(~cavities[surface.parts[1]])
        figures |= {"cavities": int(cavities.sum()), "parts": surface.parts[0]}
    return surface


def is_sound(surface: Surface) -> bool:
    """Closed, manifold, wound outward, in one part and without flat faces: what ``certify`` asks for."""
    if (surface.partners.partner < 0).any() or surface.parts[0] != 1:
        return False
    if surface.partners.same_way or flat_faces(surface.points, surface.faces, surface.scale).any():
        return False
    return surface.fans[0] == len(compacted(surface.faces, len(surface.points))[0]) and surface.measures.volume[0] > 0


def _solid(
    mesh: Mesh, oriented: Surface, plan: _Plan, resolution: int, figures: dict[str, Any], progress: Progress
) -> _Made:
    """Level ``solid``: what ``fix`` made, without rooms inside, where that is sound; else the surface extracted anew.

    Several bodies that are sound by themselves and apart stay as ``fix`` left them.
    """
    from .solid import solid_of

    fixed = _without_cavities(_mended(oriented, plan, figures, progress.part(0.0, 0.5)), figures)
    notes = _notes(fixed, figures)
    if is_sound(fixed):
        return _Made(mesh if _untouched(mesh, fixed, figures) else to_mesh(fixed, mesh), fixed, notes)
    if figures["floater_faces"] > _RUBBLE * len(oriented.faces):
        fixed = without_floaters(oriented, 0.0)[0]
    elif all(is_sound(fixed.kept(fixed.parts[1] == k)) for k in range(min(fixed.parts[0], _MANY_BODIES))):
        figures["solid"] = False
        notes.append("the parts are sound by themselves and apart: nothing was extracted anew")
        return _Made(to_mesh(fixed, mesh), fixed, notes)
    made, more, cell = solid_of(fixed, resolution, progress.part(0.5, 0.9))
    return _extracted(mesh, made, cell, plan.floaters, notes + more, figures, progress.part(0.9, 1.0))


def _resewn(
    mesh: Mesh,
    stages: tuple[Surface, Surface],
    floaters: float,
    resolution: int,
    figures: dict[str, Any],
    progress: Progress,
) -> _Made | None:
    """Level ``solid`` for a mesh in open pieces, which no patch can join: extracted anew from all of them together.

    stages: as it came, and oriented. None when it is not in pieces, or they enclose no body together.
    """
    from .solid import MISSED, sewn

    given, oriented = stages
    if not _in_pieces(oriented):
        return None
    body = sewn(oriented, resolution, progress.part(0.0, 0.7))
    if body is None:
        return None
    made, cell = body
    note = f"the mesh was in open pieces: extracted anew at {resolution} cells, details below {cell:.3g} are gone"
    own = dict(figures)
    found = _extracted(mesh, made, cell, floaters, [note], own, progress.part(0.7, 1.0))
    far = distances(given, found.surface)
    if far["distance_p99"] > MISSED * cell:  # the body is also too much: its own surface lies where none was
        return None
    figures |= own
    return replace(found, far=far)


def _in_pieces(surface: Surface) -> bool:
    """Whether a good share of the faces lies in many parts with open edges beside the largest part."""
    parts, labels = surface.parts
    size = np.bincount(labels, minlength=parts)
    size[np.argmax(size)] = 0
    size[np.bincount(labels[surface.partners.open_halves() // 3], minlength=parts) == 0] = 0
    return int(np.count_nonzero(size)) >= _PIECES and int(size.sum()) > _RUBBLE * len(labels)


def _extracted(
    mesh: Mesh,
    made: Surface,
    cell: float,
    floaters: float,
    notes: list[str],
    figures: dict[str, Any],
    progress: Progress,
) -> _Made:
    """What was extracted, cleaned like any other mesh, with the colours of the input."""
    from .solid import colored_like

    plan, own = _Plan(False, floaters, True, False), dict[str, Any]()
    _, oriented = _oriented(welded_mesh(made), plan, own, progress.part(0.0, 0.3))
    surface = _mended(oriented, plan, own, progress.part(0.3, 1.0))
    figures |= {"solid": True, "solid_cell": cell, "parts": surface.parts[0]}
    return _Made(colored_like(surface, mesh), surface, notes)


_PIECES = 8
_MANY_BODIES = 64
_RUBBLE = 0.2
"""With a larger share of faces among the floaters or in open pieces, what repair makes is not the object any more."""


def _untouched(mesh: Mesh, surface: Surface, figures: dict[str, Any]) -> bool:
    """Nothing was repaired and there was nothing to weld (or only the seams of a texture): hand back the very mesh."""
    same = len(surface.faces) == len(mesh.faces) and bool((surface.rows == mesh.faces).all())
    if not same or any(figures.get(name, 0) for name in _CHANGES):
        return False
    return mesh.uvs is not None or len(compacted(surface.faces, len(surface.points))[0]) == len(mesh.vertices)


_CHANGES = (
    "welded", "degenerate_faces", "duplicate_faces", "slivers", "turned_faces", "split_vertices", "holes",
    "united_parts", "inner_faces", "cavities",
)  # fmt: skip

_WORDS = (
    ("out_of_range_faces", "{} faces pointed at vertices that do not exist and were dropped"),
    ("non_finite_faces", "{} faces had NaN or infinite vertices and were dropped"),
    ("floaters", "{} floaters were dropped"),
    ("inner_faces", "{} faces of inner walls, which no ray from outside reaches, were dropped"),
    ("cavities", "{} closed inner walls were dropped"),
    ("holes", "{} holes were closed"),
    ("split_vertices", "{} vertices were added where surfaces touched"),
    ("united_parts", "{} overlapping parts were united with others"),
    ("open_sheets", "{} open sheets were left open: they enclose no volume (repair=solid gives them a thickness)"),
)


def _notes(surface: Surface, figures: dict[str, Any]) -> list[str]:
    """What a user should read; the rest is in the figures."""
    notes = [words.format(figures[name]) for name, words in _WORDS if figures.get(name)]
    if figures.get("floater_sheets"):
        what = (
            f"{figures['floater_sheets']} of the floaters are open sheets, {figures['floater_sheet_area']:.3g} in area"
        )
        notes.append(f"{what}: beside the largest part they enclose too little to stay (floaters=0 keeps them)")
    if figures["parts"] > 1:
        notes.append(f"the mesh is in {figures['parts']} parts, each too large to be a floater")
    inner = int(_inner_parts(surface).sum())
    if inner:
        notes.append(f"{inner} parts lie inside others (a double wall?): remove_inner drops what cannot be seen")
    if figures.get("hole_faces") and surface.table.uvs is not None:
        notes.append("the texture knows nothing of closed holes: each patch has one colour from its rim")
    return notes


def _inner_parts(surface: Surface) -> Bools:
    """[parts] those that are turned inwards: cavities of another part."""
    if surface.parts[0] == 1:
        return np.zeros(1, bool)
    return surface.measures.volume < 0
