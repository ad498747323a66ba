"""The maps while they are painted: colours as floats, metallic and roughness only once they vary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import FloatArray, Mesh, Texture
from ._gutter import fill_gutter

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_CONSTANT = 1.5 / 255
"""A metallic-roughness map that varies less is two numbers, not a texture."""
_BLOCK = 1 << 20
_ON_DEVICE = 4096
"""Side up to which the maps of a CUDA device stay there until they are done, 0.2 GB each; larger ones on the host."""


@dataclass
class Canvas:
    """color: [S, S, 3] float32 sRGB; used: [S, S] texels inside a triangle; lost: [S, S] those that nothing knew.

    packed: [S, S, 3] metallic-roughness as in glTF, or None while every texel had ``plain`` (metallic, roughness): a
    map that is the same all over would be half of the memory for nothing. All lie on one device until ``on``.
    """

    color: Tensor
    used: Tensor
    lost: Tensor
    packed: Tensor | None = None
    plain: FloatArray | None = None
    notes: list[str] = field(default_factory=list)
    share: float = 0.0
    """Of the texels, those in use; known once ``filled``."""

    @classmethod
    def blank(cls, size: int, device: str | torch.device = "cpu") -> Canvas:
        """Nothing painted yet."""
        import torch

        place = device if torch.device(device).type == "cuda" and size <= _ON_DEVICE else "cpu"
        empty = torch.zeros((size, size), dtype=torch.bool, device=place)
        return cls(torch.zeros((size, size, 3), device=place), empty, empty.clone())

    def paint(self, rows: slice, inside: Tensor, values: Tensor) -> None:
        """values: [N, 5] colour, metallic, roughness of the texels ``inside`` [N], flat indices into the strip;
        NaN = unknown."""
        import torch

        inside, values = inside.to(self.color.device), values.to(self.color.device)
        known = torch.isfinite(values).all(dim=1)
        self.used[rows].view(-1)[inside] = True
        self.lost[rows].view(-1)[inside] = ~known
        self.color[rows].view(-1, 3)[inside] = torch.where(known[:, None], values[:, :3], 0.0)
        if len(values):
            self._paint_scalars(rows, inside, values[:, 3:], known)

    def _paint_scalars(self, rows: slice, inside: Tensor, pairs: Tensor, known: Tensor) -> None:
        import torch

        first = pairs[known.to(torch.uint8).argmax()] if self.plain is None else pairs.new_tensor(self.plain)
        if self.packed is None:
            off = torch.where(known[:, None], (pairs - first).abs(), 0.0).max()
            some, metallic, roughness, most = torch.stack([known.any().to(off), *first, off]).tolist()  # one wait
            if not some:
                return
            if self.plain is None:
                self.plain = np.array([metallic, roughness], np.float32)
            if most < _CONSTANT / 2:
                return
            self.packed = torch.ones_like(self.color)
            self.packed[..., 2], self.packed[..., 1] = metallic, roughness
        sure = torch.where(known[:, None], pairs, first)
        self.packed[rows].view(-1, 3)[inside] = torch.cat([torch.ones_like(sure[:, :1]), sure.flip(1)], dim=1)

    def filled(self, mesh: Mesh) -> None:
        """Unknown texels take the nearest known one's values (in the atlas), then the gutters are filled."""
        import torch

        used, lost = torch.stack([self.used.sum(), self.lost.sum()]).tolist()
        self.share = used / self.used.numel()
        if used == lost:
            self.color[:] = self.color.new_tensor(np.power(mesh.material.base_color, 1 / 2.2))
            self.plain = np.array([mesh.material.metallic, mesh.material.roughness], np.float32)
            self.packed = None
            self.notes.append("no appearance knew any part of the surface; the texture is the plain material")
            return
        if lost:
            self.notes.append(f"{lost / used:.1%} of the texels had no colour and took that of the nearest one")
            self._fill_lost()
        for maps in (self.color, self.packed):
            if maps is not None:
                fill_gutter(maps, self.used)

    def _fill_lost(self) -> None:
        """The nearest known texel is one at the border of the known ones, so only those go into the search tree."""
        import torch
        from scipy.ndimage import binary_erosion
        from scipy.spatial import cKDTree

        known = (self.used & ~self.lost).cpu().numpy()
        rim = np.argwhere(known & ~binary_erosion(known, border_value=True))
        tree, where = cKDTree(rim), np.argwhere(self.lost.cpu().numpy())
        for start in range(0, len(where), _BLOCK):
            block = where[start : start + _BLOCK]
            row, column = torch.tensor(block.T, device=self.color.device)
            near = torch.tensor(rim[tree.query(block)[1]].T, device=self.color.device)
            for maps in (self.color, self.packed):
                if maps is not None:
                    maps[row, column] = maps[near[0], near[1]]

    def on(self, mesh: Mesh) -> Mesh:
        """The mesh with its texture; a constant metallic and roughness goes into the material instead of a map.

        Factor and vertex colours end here, for glTF would multiply the texture, which has them in it, once more.
        """
        mesh = mesh.replace(vertex_colors=None)
        color = self.color.clamp_(0, 1).cpu().numpy()
        material = replace(mesh.material, base_color=(1.0, 1.0, 1.0))
        if self.packed is None:
            metallic, roughness = (
                (0.0, 0.8) if self.plain is None else (round(float(x), 6) for x in self.plain.clip(0, 1))
            )
            material = replace(material, metallic=metallic, roughness=roughness)
            return mesh.replace(texture=Texture(color), material=material)
        material = replace(material, metallic=1.0, roughness=1.0)
        return mesh.replace(texture=Texture(color, self.packed.clamp_(0, 1).cpu().numpy()), material=material)
