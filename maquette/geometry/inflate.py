"""An outline blown up into a rounded solid: as thick as it is wide, everywhere.

Two classic inflations are joined. The union of all balls that fit between the outline's sides (the medial axis
transform turned round) has the right thickness: a disc becomes a ball, a stripe a rod, however large the body next to
it. The solution of Poisson's equation is smooth, without ridges, but a stripe comes out 1.4 times as thick as wide. So:
Poisson's solution, scaled by the ratio of the two, blurred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import Camera, FloatArray
from ..errors import BadViewsError
from ..progress import Progress, silent
from ._poisson import poisson
from .signed_distance import LEVEL, signed_distance

BALL_SIDE = 128
"""Longest side of the grid for the union of balls: only a blurred ratio is taken from it."""
RATIO_BLUR = 0.02
"""Standard deviation of that blur, as a share of the picture's longest side."""
STRIPE_RATIO = 0.5
"""Squared thickness of a rod over Poisson's, of a long stripe: what is too thin for the ratio's grid gets."""
RELIEF = 0.012
"""World units by which shading may move the front of a solid of about size 1."""
SIGMA = 0.8
"""Standard deviation in pixels of the blur of a mask with hard edges."""
BINARY = 0.9
"""A mask whose outline pixels are to this share exactly 0 or 1 is not anti-aliased and gets a slight blur."""


def squared_thickness(distance: FloatArray, progress: Progress | None = None) -> FloatArray:
    """Square of half the thickness of the inflated solid, in pixels^2, negative outside.

    distance: [H, W] signed distance to the outline in pixels, positive inside. Returns [H, W] float32 that crosses zero
    linearly, exactly on the outline: ``squared_thickness - z^2`` is a smooth implicit solid, larger = inside.
    """
    progress = progress or silent()
    solution = poisson(distance, progress)
    ratio = _ball_ratio(distance, solution, progress)
    inner = solution * ratio
    return np.where(distance > 0, inner, distance * _rim_slope(distance, inner)).astype(np.float32)


def ball_envelope(distance: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """max over m of r_m^2 - |q - m|^2, with r_m the distance at m: squared half-height of the union of inner balls.

    distance: [H, W] pixels, positive inside. Separable, by brute force along each axis (small grids only).
    """
    radius = np.where(distance > 0, distance, 0.0).astype(np.float64)
    power = np.where(radius > 0, radius**2, -np.inf)
    for _ in range(2):
        steps = np.arange(power.shape[1], dtype=np.float64)
        gap = (steps[:, None] - steps[None, :]) ** 2
        power = np.stack([(row[None, :] - gap).max(axis=1) for row in power]).T
    return np.maximum(power, 0.0)


def outline_distance(mask: npt.ArrayLike, least: float = 0.0) -> FloatArray:
    """Signed distance of a mask as inflation likes it: no steps of pixels, no part thinner than ``least`` pixels.

    mask: [H, W] in [0, 1]; least: half-width in pixels below which thin parts are widened to it, so that a grid with
    cells of about that size still catches them. Corners stay as they are; only what sticks out as a thin part changes.
    """
    soft = np.asarray(mask, np.float32)
    distance = signed_distance(_anti_aliased(soft))
    inside, core = soft >= LEVEL, distance >= least
    if least <= 0 or not (inside & ~core).any():
        return distance
    from scipy.ndimage import distance_transform_edt

    away = distance_transform_edt(~core) if core.any() else np.full(inside.shape, np.inf)
    thin = thin_axis(inside, inside & (away > least), inside & (away > 2 * least))
    if not thin.any():
        return distance
    return np.maximum(distance, least - distance_transform_edt(~thin)).astype(np.float32)


def thin_axis(
    inside: npt.NDArray[np.bool_], rest: npt.NDArray[np.bool_], far: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """[H, W] centre lines of the parts of ``inside`` where no disc of some radius fits.

    rest, far: [H, W] what of it lies further than that radius, and than twice, from where the middle of a disc fits.
    """
    from scipy.ndimage import label
    from skimage.morphology import skeletonize

    if not rest.any():
        return np.zeros_like(inside)
    # The rest beyond the opened mask holds thin parts, necks between parts, and the tips of corners. A tip is short
    # and hangs on one side only.
    parts, count = label(rest, structure=np.ones((3, 3)))
    lasting = _contacts(parts, count, inside & ~rest) > 1
    lasting[parts[far]] = True
    lasting_rest = rest & lasting[parts]
    return np.asarray(skeletonize(inside) & lasting_rest) if lasting_rest.any() else np.zeros_like(inside)


def _contacts(parts: npt.NDArray[np.integer], count: int, body: npt.NDArray[np.bool_]) -> npt.NDArray[np.integer]:
    """How many separate stretches of ``body`` each part (label 1 ... count) touches: [count + 1]."""
    from scipy.ndimage import label, maximum_filter

    beside = maximum_filter(parts, 3) * body
    stretches, _ = label(beside > 0, structure=np.ones((3, 3)))
    pairs = np.unique(np.stack([beside[beside > 0], stretches[beside > 0]]), axis=1)
    return np.bincount(pairs[0], minlength=count + 1)


def _anti_aliased(mask: FloatArray) -> FloatArray:
    """The mask itself, or a slightly blurred one when it holds hardly any values between 0 and 1."""
    from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

    inside = mask >= LEVEL
    rim = (maximum_filter(inside, 3) != minimum_filter(inside, 3)) if inside.any() else inside
    hard = (mask < 0.02) | (mask > 0.98)
    if not rim.any() or hard[rim].mean() < BINARY:
        return mask
    blurred = gaussian_filter(mask, SIGMA)
    return np.where(inside, np.maximum(blurred, LEVEL + 0.05), blurred).astype(np.float32)


def _ball_ratio(distance: FloatArray, solution: FloatArray, progress: Progress) -> FloatArray:
    """[H, W] smooth ratio of the union of balls to Poisson's solution."""
    from scipy.ndimage import gaussian_filter, zoom

    progress.check()
    step = max(1, -(-max(distance.shape) // BALL_SIDE))
    coarse, poisson_coarse = distance[::step, ::step] / step, solution[::step, ::step] / step**2
    balls = ball_envelope(coarse)
    progress.check()
    valid = (coarse > 1.5).astype(np.float64)
    ratio = valid * balls / np.maximum(poisson_coarse, 1e-6)
    sigma = RATIO_BLUR * max(coarse.shape)
    weight = gaussian_filter(valid, sigma) + 1e-3
    smooth = (gaussian_filter(ratio, sigma) + 1e-3 * STRIPE_RATIO) / weight
    factor = [n / c for n, c in zip(distance.shape, smooth.shape, strict=True)]
    large = zoom(smooth, factor, order=1, mode="nearest", grid_mode=False)
    return np.clip(large, 0.25, 1.0).astype(np.float32)


def _rim_slope(distance: FloatArray, inner: FloatArray) -> FloatArray:
    """[H, W] slope of ``inner`` per pixel of distance at the nearest point of the rim, carried outside."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    rim = (distance > 0.25) & (distance < 2.5)
    if not rim.any():
        rim = distance > 0
    if not rim.any():
        return np.ones_like(distance)
    slope = np.where(rim, inner / np.maximum(distance, 0.05), 0.0)
    nearest = distance_transform_edt(~rim, return_distances=False, return_indices=True)
    return np.asarray(gaussian_filter(slope[tuple(nearest)], 1.0) + 1e-3, np.float32)


def plane_distance(camera: Camera) -> float:
    """z-depth of the world's origin: where the middle of an inflated solid lies. BadViewsError when it is not ahead."""
    axis = -camera.cam_to_world[:3, 2]
    distance = float(-(camera.position @ axis))
    if distance <= 0:
        raise BadViewsError("the camera looks away from the world's origin, so nothing can be inflated there")
    return distance


def pixel_size(camera: Camera) -> float:
    """World units per pixel at the depth of the world's origin."""
    return plane_distance(camera) / float(camera.intrinsics[0, 0])


@dataclass(frozen=True)
class Inflated:
    """A solid on the rays of one camera.

    A ray meets the plane through the world's origin, across the camera's axis, at q; a point of the ray is given by z,
    its distance in front of that plane along the axis (world units, towards the camera positive). With h = z - middle
    the solid is where ``squared - stretch * h^2 > 0`` behind the middle, and where the same holds of
    ``h / (1 + relief)`` in front of it. All maps [H, W] float32 over the camera's pixels (plus ``margin`` pixels on
    every side), in world units; relief is a ratio.
    """

    camera: Camera
    plane: float
    margin: int
    squared: FloatArray
    middle: FloatArray
    stretch: FloatArray
    relief: FloatArray

    @property
    def pixel(self) -> float:
        """World units per pixel on the plane."""
        return pixel_size(self.camera)

    def front(self) -> FloatArray:
        """[H, W] z-depth of the visible surface from the camera, NaN outside the outline."""
        half = np.sqrt(np.maximum(self.squared, 0.0) / self.stretch) * (1.0 + self.relief)
        depth = np.where(self.squared > 0, self.plane - self.middle - half, np.nan)
        m = self.margin
        return np.asarray(depth[m : depth.shape[0] - m, m : depth.shape[1] - m], np.float32)


def inflate(
    mask: npt.ArrayLike,
    camera: Camera,
    *,
    least: float = 0.0,
    margin: int = 8,
    relief: FloatArray | None = None,
    progress: Progress | None = None,
) -> Inflated:
    """The solid whose outline through ``camera`` is that of ``mask`` [H, W] in [0, 1], the camera's size.

    least: world units; parts of the mask thinner than twice this are widened to it. margin: pixels added around.
    relief: [H, W] in [-1, 1] moves the front by up to RELIEF world units towards the camera (``shading_relief``).
    Each inner ball of the outline becomes a ball in space that touches the cone of rays, so a disc gives a sphere in
    perspective too: the ball over the plane's disc of radius R around m meets the ray through q at
    ``|q|^2 (t - t0)^2 = r^2 - (|q - m|^2 in perspective)``, and R^2, |q - m|^2 follow from the map and its slope.
    """
    plane, pixel = plane_distance(camera), pixel_size(camera)
    padded = np.pad(np.asarray(mask, np.float32), margin)
    flat = squared_thickness(outline_distance(padded, least / pixel), progress) * pixel**2
    down, right = np.gradient(flat, pixel)
    across = ((flat > 0) * (down**2 + right**2)) / 4.0
    radius = np.maximum(flat + across, 0.0)
    x = (np.arange(padded.shape[1]) - margin + 0.5 - camera.intrinsics[0, 2]) * pixel
    y = (np.arange(padded.shape[0]) - margin + 0.5 - camera.intrinsics[1, 2]) * pixel
    reach = plane**2 + x[None, :] ** 2 + y[:, None] ** 2
    squared = flat * plane**4 / ((plane**2 + across) * (plane**2 + radius))
    middle = -0.5 * plane * (right * x[None, :] + down * y[:, None]) / reach
    bumps = np.zeros_like(padded) if relief is None else np.pad(relief, margin)
    ratio = np.clip(RELIEF * bumps / np.sqrt(np.maximum(squared, RELIEF**2)), -0.3, 0.3)
    maps = (a.astype(np.float32) for a in (squared, middle, reach / plane**2, ratio))
    return Inflated(camera, plane, margin, *maps)
