"""What travels on MAQUETTE_APPEARANCE: an Appearance together with the views (with cameras) that it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..maquette.data import Appearance, Camera, Mesh, SurfaceSample, View
from ..maquette.errors import BadInputError

if TYPE_CHECKING:
    import torch

Transform = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """An Appearance in the mesh's world frame. The bake projects ``views`` first; the appearance fills the rest.

    Clean and Simplify keep the frame, so a Look made by Reconstruct fits what they give. A node that moves the mesh
    (core's RotateMesh, a normalise) does not move its Look.
    """

    appearance: Appearance
    views: tuple[View, ...] = ()

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        """The wrapped appearance's answer: a Look is an Appearance itself."""
        return self.appearance.sample(points, normals)

    def moved(self, transform: Transform) -> Look:
        """The Look of the object after ``transform`` [4, 4] (a similarity) moved it."""
        views = tuple(replace(v, camera=_moved(v.camera, transform)) if v.camera else v for v in self.views)
        return Look(MovedAppearance(self.appearance, transform), views)


@dataclass(frozen=True)
class MovedAppearance:
    """``inner`` after its object was moved by ``transform`` [4, 4], a similarity (turn, shift, one scale)."""

    inner: Appearance
    transform: Transform

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        """points, normals: [N, 3] in the new frame."""
        back = points.new_tensor(np.linalg.inv(self.transform))
        turn = points.new_tensor(_rotation(self.transform))
        return self.inner.sample(points @ back[:3, :3].T + back[:3, 3], normals @ turn)


def look(value: Any) -> Look:
    """A socket value as a Look; other packs may pass any object with ``sample(points, normals)``."""
    if isinstance(value, Look):
        return value
    if hasattr(value, "sample"):
        return Look(value)
    raise BadInputError(f"appearance: an object with sample(points, normals) was expected, got {type(value).__name__}")


def look_of_mesh(mesh: Mesh) -> Look:
    """A Look of the mesh's own texture or colours."""
    from ..maquette.appearance import OwnLook

    return Look(OwnLook(mesh))


def _rotation(transform: Transform) -> Transform:
    """The turn of a similarity, without its scale."""
    linear = transform[:3, :3]
    rotation: Transform = linear / np.cbrt(np.linalg.det(linear))
    return rotation


def _moved(camera: Camera, transform: Transform) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = _rotation(transform) @ camera.cam_to_world[:3, :3]
    pose[:3, 3] = transform[:3, :3] @ camera.position + transform[:3, 3]
    return Camera(camera.intrinsics, pose, camera.width, camera.height)
