"""Shapes with known topology and volume, and ways to break them. Independent of trimesh on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from maquette.data import Mesh


def box(size: float = 1.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """Twelve faces, volume size^3."""
    points = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) - 0.5
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
    return Mesh(points * size + np.array(at), np.array(faces))


def sphere(detail: int = 3, radius: float = 0.5, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """An icosphere of 20 * 4^detail faces."""
    g = (1 + 5**0.5) / 2
    points = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0), (0, -1, g), (0, 1, g)]
    points += [(0, -1, -g), (0, 1, -g), (g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1)]
    vertices = np.array(points, float)
    triples = "0 11 5 0 5 1 0 1 7 0 7 10 0 10 11 1 5 9 5 11 4 11 10 2 10 7 6 7 1 8 3 9 4 3 4 2 3 2 6 3 6 8 3 8 9 4 9 5"
    triples += " 2 4 11 6 2 10 8 6 7 9 8 1"
    faces = np.array(triples.split(), int).reshape(-1, 3)
    for _ in range(detail):
        ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        unique, index = np.unique(ends, axis=0, return_inverse=True)
        middle = index.reshape(3, -1) + len(vertices)
        vertices = np.concatenate([vertices, vertices[unique].mean(axis=1)])
        a, b, c = faces.T
        ab, bc, ca = middle
        rows = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = np.concatenate([np.stack(row, axis=1) for row in rows])
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    return Mesh(vertices * radius + np.array(at), faces)


def grid(columns: int, rows: int, wrap_u: bool, wrap_v: bool) -> Any:
    """Faces [F, 3] of a grid of quads, closed in either direction."""
    u, v = np.meshgrid(np.arange(columns - (not wrap_u)), np.arange(rows - (not wrap_v)), indexing="ij")
    u, v = u.ravel(), v.ravel()
    right, up = (u + 1) % columns, (v + 1) % rows
    a, b, c, d = u * rows + v, right * rows + v, right * rows + up, u * rows + up
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def torus(major: float = 0.4, minor: float = 0.12, columns: int = 48, rows: int = 24) -> Mesh:
    """Genus 1, outward."""
    u, v = np.meshgrid(
        np.linspace(0, 2 * np.pi, columns, endpoint=False),
        np.linspace(0, 2 * np.pi, rows, endpoint=False),
        indexing="ij",
    )
    ring = major + minor * np.cos(v)
    points = np.stack([ring * np.cos(u), ring * np.sin(u), minor * np.sin(v)], axis=-1).reshape(-1, 3)
    return Mesh(points, grid(columns, rows, True, True))


def moebius(columns: int = 60, width: float = 0.15) -> Mesh:
    """A strip with one side and one border."""
    t = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    sides = [
        np.stack(
            [
                (0.5 + s * width * np.cos(t / 2)) * np.cos(t),
                (0.5 + s * width * np.cos(t / 2)) * np.sin(t),
                s * width * np.sin(t / 2),
            ],
            axis=1,
        )
        for s in (-1, 1)
    ]
    n = columns
    faces = [f for i in range(n - 1) for f in ((i, i + 1, n + i), (i + 1, n + i + 1, n + i))]
    faces += [(n - 1, n, 2 * n - 1), (n, 0, 2 * n - 1)]
    return Mesh(np.concatenate(sides), np.array(faces))


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one, nothing welded."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=False)])
    return Mesh(np.concatenate([m.vertices for m in meshes]), faces)


def soup(mesh: Mesh) -> Mesh:
    """Every face with corners of its own, as in an STL file."""
    return Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3))


def turned(mesh: Mesh, seed: int = 0) -> Mesh:
    """Rotated by a random rotation."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    if np.linalg.det(matrix) < 0:
        matrix[:, 0] *= -1
    return mesh.replace(vertices=mesh.vertices.astype(float) @ matrix.T)


def shuffled(mesh: Mesh, seed: int = 0) -> Mesh:
    """The same mesh with vertices and faces in another order, and each face starting at another corner."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(mesh.vertices))
    rename = np.argsort(order)
    faces = rename[mesh.faces][rng.permutation(len(mesh.faces))]
    shift = rng.integers(0, 3, len(faces))
    faces = np.take_along_axis(faces, (np.arange(3) + shift[:, None]) % 3, axis=1)
    return Mesh(mesh.vertices[order], faces)


def without_faces(mesh: Mesh, remove: Any) -> Mesh:
    """With holes: the faces of the boolean mask are gone."""
    return mesh.replace(faces=mesh.faces[~np.asarray(remove)])


def edge_counts(mesh: Mesh) -> dict[tuple[int, int], int]:
    """Directed edges of the mesh, welded by position, counted the slow and obvious way."""
    place: dict[bytes, int] = {}
    name = [place.setdefault((v + np.float32(0)).tobytes(), len(place)) for v in mesh.vertices]
    counts: dict[tuple[int, int], int] = {}
    for face in mesh.faces.tolist():
        a, b, c = (name[v] for v in face)
        for edge in ((a, b), (b, c), (c, a)):
            counts[edge] = counts.get(edge, 0) + 1
    return counts


def is_closed_manifold(mesh: Mesh) -> bool:
    """Every directed edge once, with its opposite once: an oracle that shares no code with the library."""
    counts = edge_counts(mesh)
    return all(n == 1 and counts.get((b, a)) == 1 for (a, b), n in counts.items())


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)
