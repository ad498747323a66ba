"""Line the input camera up with the mask: the model guesses the view's elevation and scale without telling them.

For a few elevations the mesh's points are projected; scale and offset follow from the two bounding boxes, and the
elevation whose silhouette overlaps the mask best is kept. Good alignment is what photo projection lives on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...data import Camera, FloatArray
from ...geometry.camera import project
from .frame import azimuth_of, elevation_of

ELEVATIONS = tuple(range(-30, 61, 10))
STEP = 5
DOUBT = 0.001
"""IoU that every degree away from the assumed elevation must win: round things fit from anywhere."""
SCALES = (0.6, 1.6)
SIDE = 96


@dataclass(frozen=True)
class Fit:
    """The fitted camera, the overlap of silhouette and mask, and what changed."""

    camera: Camera
    iou: float
    elevation: float
    scale: float


def fit_camera(vertices: FloatArray, mask: FloatArray, camera: Camera, *, search: bool) -> Fit:
    """vertices: [V, 3] world, dense on the surface; mask: [H, W] of ``camera``'s picture.

    search: also try other elevations than the camera's own (they are tried on the orbit through its position).
    """
    points = vertices[:: max(1, len(vertices) // 60_000)].astype(np.float64)
    target = _Target(mask)
    best = _try(points, target, camera, elevation_of(camera))
    if not search:
        return best
    start = best
    for coarse in ELEVATIONS:
        best = _better(best, start, _try(points, target, _tilted(camera, coarse), coarse))
    for elevation in (best.elevation - STEP, best.elevation + STEP):
        best = _better(best, start, _try(points, target, _tilted(camera, elevation), elevation))
    return best


class _Target:
    """The mask at working size, and its box in full pixels (left, top, right, bottom)."""

    def __init__(self, mask: FloatArray) -> None:
        inside = mask > 0.5
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        self.box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
        self.cells = float((self.box[2:] - self.box[:2]).max()) / SIDE
        steps = [np.arange(math.ceil((b - a) / self.cells)) for a, b in zip(self.box[:2], self.box[2:], strict=True)]
        x, y = (((a + s * self.cells + self.cells / 2).astype(int)) for a, s in zip(self.box[:2], steps, strict=True))
        self.mask = inside[np.ix_(np.minimum(y, mask.shape[0] - 1), np.minimum(x, mask.shape[1] - 1))]


def _try(points: npt.NDArray[np.float64], target: _Target, camera: Camera, elevation: float) -> Fit:
    """Match the boxes by one scale and an offset, then count the overlap."""
    pixels, _ = project(camera, points)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    wanted = target.box[2:] - target.box[:2]
    scale = float(np.clip(math.sqrt(np.prod(wanted / np.maximum(high - low, 1e-6))), *SCALES))
    shift = (target.box[:2] + target.box[2:]) / 2 - scale * (low + high) / 2
    k = camera.intrinsics.copy()
    k[:2] *= scale
    k[:2, 2] += shift
    fitted = Camera(k, camera.cam_to_world, camera.width, camera.height)
    return Fit(fitted, _overlap(pixels * scale + shift, target), elevation, scale)


def _overlap(pixels: npt.NDArray[np.float64], target: _Target) -> float:
    """Intersection over union of the splatted points and the mask; what falls off the box counts against it."""
    cells = np.floor((pixels - target.box[:2]) / target.cells).astype(np.int64)
    height, width = target.mask.shape
    pad = SIDE // 2
    cells = np.clip(cells + pad, 0, [width + 2 * pad - 1, height + 2 * pad - 1])
    seen = np.zeros((height + 2 * pad, width + 2 * pad), bool)
    seen[cells[:, 1], cells[:, 0]] = True
    seen = ~_grown(~_grown(seen))  # closes the pinholes between splatted points
    wanted = np.zeros_like(seen)
    wanted[pad : pad + height, pad : pad + width] = target.mask
    return float((seen & wanted).sum() / max((seen | wanted).sum(), 1))


def _grown(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Every cell and its eight neighbours."""
    padded = np.pad(cells, 1, mode="edge")
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _better(best: Fit, start: Fit, other: Fit) -> Fit:
    best_score, score = (fit.iou - DOUBT * abs(fit.elevation - start.elevation) for fit in (best, other))
    return other if score > best_score else best


def _tilted(camera: Camera, elevation: float) -> Camera:
    """The camera at another height of its orbit, looking at the origin."""
    a, e = math.radians(azimuth_of(camera)), math.radians(elevation)
    back = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    right = np.array([math.cos(a), 0.0, -math.sin(a)])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    pose[:3, 3] = back * float(np.linalg.norm(camera.position))
    return Camera(camera.intrinsics, pose, camera.width, camera.height)
