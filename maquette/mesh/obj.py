"""OBJ with its material file and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..data import Mesh
from .color import to_encoded
from .materials import pictures_of


def write_obj(mesh: Mesh, path: Path) -> None:
    """OBJ in full precision with our own material file: the library's leaves out roughness and names files itself."""
    textured = mesh.texture is not None and mesh.uvs is not None
    colored = mesh.vertex_colors is not None and not textured
    lines = ["# Maquette", "o mesh"] if colored else ["# Maquette", f"mtllib {path.stem}.mtl", "o mesh"]
    table = mesh.vertices.astype(np.float64)
    if colored and mesh.vertex_colors is not None:
        table = np.column_stack([table, to_encoded(mesh.vertex_colors)])
    lines += _rows("v", table)
    index = mesh.faces + 1
    slots = [index, index if mesh.uvs is not None else None, index if mesh.vertex_normals is not None else None]
    if mesh.uvs is not None:
        lines += _rows("vt", np.column_stack([mesh.uvs[:, 0], 1.0 - mesh.uvs[:, 1]]))
    if mesh.vertex_normals is not None:
        lines += _rows("vn", mesh.vertex_normals)
    if not colored:  # beside a material, readers drop the colours of vertices
        lines.append("usemtl maquette")
        _mtl(mesh, path, textured)
    lines += _face_lines(slots)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def _rows(key: str, table: Any) -> list[str]:
    """One line per row, with the nine digits that give float32 back exactly."""
    pattern = key + " %.9g" * table.shape[1]
    return [pattern % tuple(row) for row in table.tolist()]


def _face_lines(slots: list[Any]) -> list[str]:
    """``f`` lines in the shortest form that says all: v, v/vt, v//vn or v/vt/vn."""
    points, uvs, normals = slots
    if uvs is None and normals is None:
        form = "f {0} {1} {2}"
    else:
        middle = "" if uvs is None else "{%d}"
        corner = "{%d}/" + middle + ("" if normals is None else "/{%d}")
        form = "f " + " ".join(corner % ((k,) * corner.count("%d")) for k in range(3))
    return [form.format(*row) for row in points.tolist()]


def _mtl(mesh: Mesh, path: Path, textured: bool) -> None:
    """The material file, and the maps as PNG with names after the OBJ's."""
    color = np.ones(3) if textured else to_encoded(np.array(mesh.material.base_color))
    lines = ["# Maquette", "newmtl maquette", f"Kd {color[0]:.6g} {color[1]:.6g} {color[2]:.6g}", "Ks 0 0 0", "d 1"]
    lines += ["illum 1", f"Pr {mesh.material.roughness:.6g}", f"Pm {mesh.material.metallic:.6g}"]
    if textured and mesh.texture is not None:
        keys = {"baseColorTexture": ("map_Kd", "_color"), "normalTexture": ("norm", "_normal")}
        for name, picture in pictures_of(mesh.texture).items():
            if name in keys:
                key, ending = keys[name]
                picture.save(path.with_name(f"{path.stem}{ending}.png"), format="PNG")
                lines.append(f"{key} {path.stem}{ending}.png")
    path.with_suffix(".mtl").write_text("\n".join(lines) + "\n", encoding="utf-8")
