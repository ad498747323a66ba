"""The 256 cases of marching cubes, made by tracing contours instead of being typed in.

Corner ``c`` of a cell sits at ``(c & 1, c >> 1 & 1, c >> 2 & 1)``; bit ``c`` of a case says that the corner is inside.
Edge ``e = 4 * axis + k`` runs along ``axis``; ``EDGES[e]`` names its lower and upper corner.

On each cell face every run of inside corners is cut off by one segment. That rule looks at nothing but the signs of
the face, so the two cells that share the face draw the same segments (in opposite directions): the surface has no
cracks, also where a face is ambiguous (then inside corners are separated). Segments chain into loops, loops are cut
into triangles, and no cut may lie in a cell face, because the neighbour could choose the same cut and the edge would
get four triangles. So every mesh is a closed 2-manifold inside the volume.
"""

from __future__ import annotations

from collections.abc import Iterator

Triangle = tuple[int, int, int]

EDGES: tuple[tuple[int, int], ...] = tuple(
    (low, low | 1 << axis) for axis in range(3) for low in range(8) if not low >> axis & 1
)
_EDGE_OF = {corners: edge for edge, corners in enumerate(EDGES)}


def _rings() -> list[tuple[int, ...]]:
    """The corners of the six faces, counter-clockwise seen from outside the cell."""
    rings = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        ring = tuple(p << u | q << v for p, q in ((0, 0), (1, 0), (1, 1), (0, 1)))
        rings += [ring[::-1], tuple(c | 1 << axis for c in ring)]
    return rings


_RINGS = _rings()


def _ring_edges(ring: tuple[int, ...]) -> list[int]:
    return [_EDGE_OF[(min(a, b), max(a, b))] for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]


_FACE_EDGES = [frozenset(_ring_edges(ring)) for ring in _RINGS]


def _segments(case: int) -> dict[int, int]:
    """Crossed edge -> the next crossed edge of its loop, over all six faces."""
    following: dict[int, int] = {}
    for ring in _RINGS:
        inside = [case >> corner & 1 for corner in ring]
        edges = _ring_edges(ring)
        for start in range(4):
            if inside[start] or not inside[(start + 1) % 4]:
                continue
            stop = (start + 1) % 4
            while inside[(stop + 1) % 4]:
                stop = (stop + 1) % 4
            following[edges[start]] = edges[stop]
    return following


def _loops(case: int) -> Iterator[list[int]]:
    following = _segments(case)
    while following:
        edge = min(following)
        loop = []
        while edge in following:
            loop.append(edge)
            edge = following.pop(edge)
        yield loop


def _triangulations(loop: list[int]) -> Iterator[list[Triangle]]:
    """Every way to cut a loop into triangles without new points."""
    if len(loop) < 3:
        yield []
        return
    for middle in range(1, len(loop) - 1):
        for left in _triangulations(loop[: middle + 1]):
            for right in _triangulations(loop[middle:]):
                yield [*left, *right, (loop[0], loop[middle], loop[-1])]


def _cost(loop: list[int], triangles: list[Triangle]) -> float:
    """Summed squared length of the cuts between edge midpoints; infinite when a cut lies in a cell face."""
    border = {frozenset(pair) for pair in zip(loop, loop[1:] + loop[:1], strict=True)}
    total = 0.0
    for a, b, c in triangles:
        for pair in ((a, b), (b, c), (c, a)):
            if frozenset(pair) in border:
                continue
            if any(edges.issuperset(pair) for edges in _FACE_EDGES):
                return float("inf")
            total += sum((p - q) ** 2 for p, q in zip(_middle(pair[0]), _middle(pair[1]), strict=True))
    return total


def _middle(edge: int) -> tuple[float, ...]:
    low, high = EDGES[edge]
    return tuple(((low >> axis & 1) + (high >> axis & 1)) / 2 for axis in range(3))


def _triangles(case: int) -> list[Triangle]:
    """The triangles of a case as edge numbers, counter-clockwise seen from outside (the lower values)."""
    out: list[Triangle] = []
    for loop in _loops(case):
        best = min(_triangulations(loop), key=lambda triangles: _cost(loop, triangles))
        assert _cost(loop, best) < float("inf")
        out += best
    return out


TRIANGLES: tuple[tuple[Triangle, ...], ...] = tuple(tuple(_triangles(case)) for case in range(256))
MAX_TRIANGLES = max(len(triangles) for triangles in TRIANGLES)


def header() -> str:
    """The text of ``csrc/table.h``: per case the triangle count, then three edge numbers a triangle (a test
    compares).
    """
    rows = []
    for triangles in TRIANGLES:
        edges = [edge for triangle in triangles for edge in triangle]
        numbers = [len(triangles), *edges, *[0] * (3 * MAX_TRIANGLES - len(edges))]
        rows.append("{" + ", ".join(map(str, numbers)) + "}")
    body = ",\n  ".join(rows)
    return (
        "// Made by table.py (header()); do not edit. Row: triangle count, then edges; edge = 4 * axis + k.\n"
        "#pragma once\n"
        f"#define MAQUETTE_MC_ROW {3 * MAX_TRIANGLES + 1}\n"
        f"#define MAQUETTE_MC_TABLE {{ \\\n  {body.replace(chr(10), ' ' + chr(92) + chr(10))} \\\n}}\n"
        "// Lowest corner (bits x, y, z) of each edge.\n"
        f"#define MAQUETTE_MC_EDGE_LOW {{ {', '.join(str(low) for low, _ in EDGES)} }}\n"
    )
