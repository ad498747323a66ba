"""The maps while they are painted: colours as floats, metallic and roughness only once they vary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..data import Mesh, Texture
from ._gutter import fill_gutter

_CONSTANT = 1.5 / 255
"""A metallic-roughness map that varies less is two numbers, not a texture."""
_BLOCK = 1 << 20


@dataclass
class Canvas:
    """color: [S, S, 3] float32 sRGB; used: [S, S] texels inside a triangle; lost: [S, S] those that nothing knew.

    packed: [S, S, 3] metallic-roughness as in glTF, or None while every texel had ``plain`` (metallic, roughness): a
    map that is the same all over would be half of the memory for nothing.
    """

    color: npt.NDArray[np.float32]
    used: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]
    packed: npt.NDArray[np.float32] | None = None
    plain: npt.NDArray[np.float32] | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def blank(cls, size: int) -> Canvas:
        """Nothing painted yet."""
        empty = np.zeros((size, size), bool)
        return cls(np.zeros((size, size, 3), np.float32), empty, empty.copy())

    def paint(self, rows: slice, inside: npt.NDArray[np.bool_], values: npt.NDArray[np.float32]) -> None:
        """values: [N, 5] colour, metallic, roughness of the texels ``inside`` [h, S] of ``rows``; NaN = unknown."""
        known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=1))
        self.used[rows] = inside
        self.lost[rows][inside] = ~known
        self.color[rows][inside] = np.where(known[:, None], values[:, :3], 0.0)
        self._paint_scalars(rows, inside, values[:, 3:], known)

    def _paint_scalars(
        self, rows: slice, inside: npt.NDArray[np.bool_], pairs: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]
    ) -> None:
        sure = pairs[known]
        if len(sure) == 0:
            return
        if self.plain is None:
            self.plain = sure[0].copy()
        if self.packed is None:
            if np.abs(sure - self.plain).max() < _CONSTANT / 2:
                return
            self.packed = np.ones_like(self.color)
            self.packed[..., 2], self.packed[..., 1] = self.plain
        strip = self.packed[rows]
        strip[inside, 2], strip[inside, 1] = np.where(known[:, None], pairs, self.plain).T

    def filled(self, mesh: Mesh) -> None:
        """Unknown texels take the nearest known one's values (in the atlas), then the gutters are filled."""
        known = self.used & ~self.lost
        if not known.any():
            self.color[:] = np.power(mesh.material.base_color, 1 / 2.2)
            self.plain = np.array([mesh.material.metallic, mesh.material.roughness], np.float32)
            self.packed = None
            self.notes.append("no appearance knew any part of the surface; the texture is the plain material")
            return
        if self.lost.any():
            share = self.lost.sum() / self.used.sum()
            self.notes.append(f"{share:.1%} of the texels had no colour and took that of the nearest one")
            self._fill_lost(known)
        for maps in (self.color, self.packed):
            if maps is not None:
                fill_gutter(maps, self.used)

    def _fill_lost(self, known: npt.NDArray[np.bool_]) -> None:
        """The nearest known texel is one at the border of the known ones, so only those go into the search tree."""
        from scipy.ndimage import binary_erosion
        from scipy.spatial import cKDTree

        rim = np.argwhere(known & ~binary_erosion(known, border_value=True))
        tree, where = cKDTree(rim), np.argwhere(self.lost)
        for start in range(0, len(where), _BLOCK):
            row, column = where[start : start + _BLOCK].T
            near = rim[tree.query(np.stack([row, column], axis=1))[1]].T
            for maps in (self.color, self.packed):
                if maps is not None:
                    maps[row, column] = maps[near[0], near[1]]

    def on(self, mesh: Mesh) -> Mesh:
        """The mesh with its texture; a constant metallic and roughness goes into the material instead of a map.

        Factor and vertex colours end here, for glTF would multiply the texture, which has them in it, once more.
        """
        mesh = mesh.replace(vertex_colors=None)
        np.clip(self.color, 0, 1, out=self.color)
        material = replace(mesh.material, base_color=(1.0, 1.0, 1.0))
        if self.packed is None:
            metallic, roughness = (
                (0.0, 0.8) if self.plain is None else (round(float(x), 6) for x in self.plain.clip(0, 1))
            )
            material = replace(material, metallic=metallic, roughness=roughness)
            return mesh.replace(texture=Texture(self.color), material=material)
        np.clip(self.packed, 0, 1, out=self.packed)
        material = replace(material, metallic=1.0, roughness=1.0)
        return mesh.replace(texture=Texture(self.color, self.packed), material=material)
