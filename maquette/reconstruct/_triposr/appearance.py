"""The triplane as an Appearance: colour at any point, so that a mesh can be edited first and baked afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ...data import SurfaceSample
from .config import Config
from .field import SceneField
from .network import Decoder

if TYPE_CHECKING:
    from torch import Tensor

ROUGHNESS = 0.8
"""The model knows no material; glTF's reader gets a plain, dull one."""
_KERNEL_BLOCK = 1 << 20
"""Points of one launch of the fused kernel."""


@dataclass(frozen=True)
class TriplaneAppearance:
    """Colour from triplanes kept in host memory (2 MB for the published model).

    codes: [3, P, H, W]; to_model: [3, 3], world point @ to_model = model point (rotation and scale in one). What was
    made ready for the device asked last stays there (3 MB) until another is asked or the appearance goes; copies and
    pickles are without it.
    """

    codes: Tensor
    decoder: Decoder
    config: Config
    to_model: Tensor
    block: int = field(default=1 << 16)
    _ready: dict[torch.device, tuple[SceneField, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points: [N, 3] world, any device; base_color sRGB; known 0: the model made it up. Normals are not used."""
        del normals
        scene, to_model = self._on(points.device)
        radius = self.config.radius
        color = scene.color((points.float() @ to_model).clamp(-radius, radius))
        zero = torch.zeros(len(points), device=points.device)
        return SurfaceSample(color, zero, torch.full_like(zero, ROUGHNESS), zero)

    def points_by(self, device: str | torch.device) -> str:
        """How points are evaluated there, for reports: "fused kernel", or "torch" and why."""
        scene, _ = self._on(torch.zeros(0, device=device).device)  # "cuda" becomes "cuda:0"
        return f"{scene.method}: {scene.why_no_kernel}" if scene.why_no_kernel else scene.method

    def _on(self, device: torch.device) -> tuple[SceneField, Tensor]:
        """Field and ``to_model`` on ``device``: the upload, the folding, and above all the try of a kernel that cannot
        be built, take far longer than the colours of a block."""
        ready = self._ready.get(device)
        if ready is None:
            half = device.type == "cuda"
            codes = self.codes.to(device, torch.float16 if half else torch.float32)
            scene = SceneField(codes, self.decoder, self.config, block=self.block)
            if scene.method != "torch":  # the kernel has no temporaries
                scene.block = max(scene.block, _KERNEL_BLOCK)
            ready = scene, self.to_model.to(device)
            self._ready.clear()
            self._ready[device] = ready
        return ready

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": {}}
