"""Certify: measure a mesh and say whether it is safe to print, sculpt and rig, and if not, why."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Mesh, MeshReport
from ..geometry.welding import weld_equal
from ..progress import Progress, silent
from .topology import (
    Bools,
    Edges,
    Ints,
    compacted,
    face_components,
    face_groups,
    fans,
    find_edges,
    flat_faces,
    measures,
)

SAMPLED_FACES = 20_000
"""Self-intersections are looked for around at most this many faces."""


def certify(mesh: Mesh, *, sampled_faces: int = SAMPLED_FACES, progress: Progress | None = None) -> MeshReport:
    """Measure ``mesh`` (docs/report.md explains every field). Never raises for a bad mesh: it says what is wrong.

    Vertices at exactly the same place count as one, so the seams of a textured mesh are no holes, and the report agrees
    with what a program sees that reads the mesh from an STL file.
    """
    progress = progress or silent()
    progress.update(0, 4, "certify")
    points, faces, troubles = _usable(mesh)
    if len(faces) == 0:
        return _empty(mesh, troubles)
    flat = flat_faces(points, faces)
    whole = faces[(faces != faces[:, [1, 2, 0]]).all(axis=1)]
    group, sizes = face_groups(faces)
    figures: dict[str, Any] = _topology(points, whole)
    figures |= {"degenerate_faces": int(flat.sum()), "duplicate_faces": len(group) - len(sizes)}
    progress.update(1, 4, "certify")
    figures |= _size(points, faces, figures["boundary_edges"] == 0)
    figures |= _crossings(points, faces[~flat], sampled_faces, progress.part(0.3, 0.9))
    if figures["manifold"] and figures["watertight"] and not flat.any():
        troubles += _judged_by_manifold3d(points, faces)
    reasons = tuple(troubles + _reasons(figures))
    progress.update(4, 4, "certify")
    return MeshReport(
        vertices=len(mesh.vertices), faces=len(mesh.faces), certified=not reasons, reasons=reasons, **figures
    )


def _usable(mesh: Mesh) -> tuple[npt.NDArray[np.float32], Ints, list[str]]:
    """Welded points and the faces that can be measured, with a sentence for each kind that cannot."""
    troubles = []
    faces = mesh.faces.astype(np.int64)
    inside = ((faces >= 0) & (faces < len(mesh.vertices))).all(axis=1)
    if not inside.all():
        troubles.append(f"{int((~inside).sum())} faces point at vertices that do not exist")
        faces = faces[inside]
    finite: Bools = np.asarray(np.isfinite(mesh.vertices).all(axis=1))
    if not finite.all():
        troubles.append(f"{int((~finite).sum())} vertices are NaN or infinite")
        faces = faces[finite[faces].all(axis=1)]
    used, faces = compacted(faces, len(mesh.vertices))
    points = mesh.vertices[used]
    first, group = weld_equal(points)
    return points[first], group[faces], troubles


def _topology(points: npt.NDArray[np.float32], faces: Ints) -> dict[str, Any]:
    """Everything that follows from how the faces hang together."""
    if len(faces) == 0:
        return {
            "components": 0, "boundary_edges": 0, "non_manifold_edges": 0, "watertight": False, "manifold": False,
            "winding_consistent": False, "outward": False, "euler": 0, "genus": None,
        }  # fmt: skip
    edges = find_edges(faces)
    vertices = len(compacted(faces, len(points))[0])
    umbrellas, _ = fans(faces, edges.pairs)
    parts, labels = face_components(faces, edges)
    branching = int((edges.count > 2).sum())
    watertight = bool((edges.count == 2).all())
    manifold = branching == 0 and umbrellas == vertices
    euler = vertices - len(edges.ends) + len(faces)
    volumes = measures(points, faces, labels, parts).volume
    return {
        "components": parts,
        "boundary_edges": int((edges.count == 1).sum()),
        "non_manifold_edges": branching,
        "watertight": watertight,
        "winding_consistent": not edges.same_way.any() and bool(_balanced(edges).all()),
        "outward": bool(volumes.sum() > 0 and volumes[np.argmax(np.abs(volumes))] > 0),
        "manifold": manifold,
        "euler": euler,
        "genus": (2 * parts - euler) // 2 if watertight and manifold else None,
    }


def _balanced(edges: Edges) -> npt.NDArray[np.bool_]:
    """[E] at an edge with an even number of faces, as many run one way as the other."""
    forward = np.add.reduceat(edges.forward[edges.order].astype(np.int64), edges.start[:-1])
    return (edges.count % 2 == 1) | (2 * forward == edges.count)


def _size(points: npt.NDArray[np.float32], faces: Ints, closed: bool) -> dict[str, Any]:
    """Volume (0 when the surface is open), area and bounds, in world units."""
    found = measures(points, faces, np.zeros(len(faces), np.int64), 1)
    used = points[compacted(faces, len(points))[0]]
    return {
        "volume": float(found.volume[0]) if closed else 0.0,
        "area": float(found.face_area.sum()),
        "bounds_min": tuple(float(x) for x in used.min(axis=0)),
        "bounds_max": tuple(float(x) for x in used.max(axis=0)),
    }


def _crossings(points: npt.NDArray[np.float32], faces: Ints, limit: int, progress: Progress) -> dict[str, Any]:
    """How many pairs of faces cross, around at most ``limit`` faces."""
    from .crossing import crossing_pairs

    sampled = np.linspace(0, len(faces) - 1, min(limit, len(faces))).astype(np.int64) if len(faces) else faces[:, 0]
    pairs = crossing_pairs(points, faces, sampled, progress)
    return {"self_intersections": len(pairs), "sampled_faces": len(sampled)}


def _judged_by_manifold3d(points: npt.NDArray[np.float32], faces: Ints) -> list[str]:
    """A second opinion, by a library that printers and CAD programs rely on."""
    try:
        import manifold3d
    except ImportError:
        return []
    solid = manifold3d.Manifold(
        manifold3d.Mesh(np.ascontiguousarray(points, np.float32), np.ascontiguousarray(faces, np.uint32))
    )
    status = solid.status()
    return [] if status == manifold3d.Error.NoError else [f"manifold3d refuses it: {str(status).rsplit('.', 1)[-1]}"]


def _reasons(found: dict[str, Any]) -> list[str]:
    """What stands between this mesh and its certificate, in plain words."""
    checks = (
        (not found["watertight"] and found["boundary_edges"], f"it has holes ({found['boundary_edges']} open edges)"),
        (found["non_manifold_edges"], f"{found['non_manifold_edges']} edges have more than two faces"),
        (not found["manifold"] and not found["non_manifold_edges"], "surfaces touch in single vertices"),
        (not found["winding_consistent"], "neighbouring faces disagree on which side is outside"),
        (found["components"] > 1, f"it is in {found['components']} parts"),
        (found["components"] == 0, "no face has an area"),
        (found["degenerate_faces"], f"{found['degenerate_faces']} faces have no area"),
        (found["duplicate_faces"], f"{found['duplicate_faces']} faces lie twice on the same vertices"),
        (
            found["watertight"] and found["volume"] <= 0,
            f"its volume is {found['volume']:.3g}: it is inside out or flat",
        ),
    )
    return [words for failed, words in checks if failed]


def _empty(mesh: Mesh, troubles: list[str]) -> MeshReport:
    """The report on a mesh with nothing to measure."""
    nothing = (0.0, 0.0, 0.0)
    return MeshReport(
        vertices=len(mesh.vertices), faces=len(mesh.faces), components=0, boundary_edges=0, non_manifold_edges=0,
        degenerate_faces=0, duplicate_faces=0, watertight=False, winding_consistent=False, outward=False,
        manifold=False, euler=0, genus=None, volume=0.0, area=0.0, self_intersections=0, sampled_faces=0,
        bounds_min=nothing, bounds_max=nothing, certified=False, reasons=(*troubles, "it has no faces to measure"),
    )  # fmt: skip
