"""IMAGE and MASK tensors <-> numpy pictures.

ComfyUI: IMAGE [B, H, W, 3 or 4] float, sRGB in [0, 1]; MASK [B, H, W] float in [0, 1]. In Maquette 1 is the subject;
the MASK that core's Load Image gives is 1 - alpha, which here is called ``transparency`` and is turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..maquette.data import FloatArray
from ..maquette.errors import BadImageError, BadInputError, BadMaskError, BadViewsError

if TYPE_CHECKING:
    import torch

    from ..maquette.image import Picture

_OVERSHOOT = 0.02
"""Resampling in other nodes rings a little past [0, 1]; that much is clipped, more is refused."""


def host(tensor: Any, what: str) -> FloatArray:
    """A private float32 numpy copy of a tensor on any device."""
    if not hasattr(tensor, "detach"):
        raise BadInputError(f"{what}: a tensor was expected, got {type(tensor).__name__}")
    array: FloatArray = np.array(tensor.detach().to("cpu").float().numpy(), dtype=np.float32)
    return array


def pictures(image: torch.Tensor, alphas: Sequence[FloatArray | None] | None = None) -> tuple[Picture, ...]:
    """One Picture per item of an IMAGE batch; ``alphas`` (1 = subject) wins over the batch's own fourth channel."""
    from ..maquette.image import from_array

    batch = host(image, "image")
    if batch.ndim == 3:
        batch = batch[None]
    if batch.ndim != 4 or batch.shape[3] not in (1, 3, 4) or 0 in batch.shape:
        raise BadImageError(f"image: [B, H, W, 3] was expected, got {tuple(batch.shape)}")
    near = np.clip(batch, 0.0, 1.0)
    batch = np.where(np.abs(batch - near) <= _OVERSHOOT, near, batch)  # NaN compares false and stays, to be refused
    rgb = np.repeat(batch, 3, axis=3) if batch.shape[3] == 1 else batch[..., :3]
    own = batch[..., 3] if batch.shape[3] == 4 else None
    found = []
    for index in range(len(batch)):
        alpha = alphas[index] if alphas is not None else None
        if alpha is None and own is not None:
            alpha = own[index]
        name = "image" if len(batch) == 1 else f"image {index + 1} of {len(batch)}"
        found.append(from_array(rgb[index], alpha, name))
    return tuple(found)


def masks(mask: torch.Tensor, count: int, what: str = "mask") -> tuple[FloatArray, ...]:
    """``count`` masks [H, W]: one per picture, or one mask used for all of them. BadMaskError for any other number."""
    batch = host(mask, what)
    if batch.ndim == 4 and 1 in (batch.shape[1], batch.shape[3]):
        batch = batch[:, 0] if batch.shape[1] == 1 else batch[..., 0]
    if batch.ndim == 2:
        batch = batch[None]
    if batch.ndim != 3 or 0 in batch.shape:
        raise BadMaskError(f"{what}: [B, H, W] was expected, got {tuple(batch.shape)}")
    if not np.isfinite(batch).all():
        raise BadMaskError(f"{what}: it holds NaN or infinite values; make it again")
    if len(batch) not in (1, count):
        raise BadMaskError(f"{what}: {count} pictures but {len(batch)} masks; give one mask, or one per picture")
    batch = np.clip(batch, 0.0, 1.0)
    return tuple(batch[index % len(batch)] for index in range(count))


def alphas_of(transparency: torch.Tensor | None, image: torch.Tensor) -> tuple[FloatArray | None, ...]:
    """Load Image's MASK -> alpha per picture, None where it says nothing.

    Load Image gives zeros (64 x 64 in any case) for a picture without alpha: that is "no information", not a mask.
    """
    count = len(image) if image.ndim == 4 else 1
    if transparency is None:
        return (None,) * count
    height, width = image.shape[-3:-1]
    found: list[FloatArray | None] = []
    for values in masks(transparency, count, "transparency"):
        if values.max() == 0.0:
            found.append(None)
        elif values.shape != (height, width):
            raise BadMaskError(
                f"transparency: it is {values.shape} but the picture is {(height, width)} (height, width); connect the"
                " MASK of the same Load Image node, or resize it"
            )
        else:
            found.append(1.0 - values)
    return tuple(found)


def priors(prior: torch.Tensor | None, count: int) -> tuple[FloatArray | None, ...]:
    """Where the object probably is, per picture: a MASK, or the brightness of an IMAGE (near = bright)."""
    if prior is None:
        return (None,) * count
    if prior.ndim == 4 and prior.shape[-1] in (3, 4):
        prior = prior[..., :3].mean(dim=-1)
    return masks(prior, count, "prior")


def image_tensor(arrays: Sequence[FloatArray]) -> torch.Tensor:
    """[H, W, 3] arrays of one size -> IMAGE [B, H, W, 3] on the CPU."""
    return _stack(arrays, 3)


def mask_tensor(arrays: Sequence[FloatArray]) -> torch.Tensor:
    """[H, W] arrays of one size -> MASK [B, H, W] on the CPU."""
    return _stack(arrays, 2)


def _stack(arrays: Sequence[FloatArray], axes: int) -> torch.Tensor:
    import torch

    assert all(array.ndim == axes for array in arrays)
    return torch.from_numpy(np.stack(arrays).astype(np.float32, copy=True))


def directions(text: str, count: int) -> tuple[str, ...]:
    """A name per picture from "front, right" or "0, 90"; empty = front, right, back, left in order.

    BadViewsError when the number does not fit, a name is unknown or two are equal.
    """
    from ..maquette.geometry.camera import PRESETS

    asked = tuple(word.strip().lower() for word in text.replace(";", ",").split(",") if word.strip())
    if not asked:
        if count > 4:
            raise BadViewsError(f"{count} pictures need directions: name one per picture, for example front, 45, 90")
        return ("front", "right", "back", "left")[:count]
    if len(asked) != count:
        raise BadViewsError(f"{count} pictures but {len(asked)} directions ({', '.join(asked)}); give one per picture")
    for word in asked:
        if word not in PRESETS and azimuth(word) is None:
            raise BadViewsError(f"unknown direction '{word}'; use {', '.join(PRESETS)} or degrees")
    if len(set(asked)) != count:
        raise BadViewsError(f"two pictures have the same direction ({', '.join(asked)}); each must differ")
    return asked


def azimuth(word: str) -> float | None:
    """Degrees when ``word`` is a number."""
    try:
        degrees = float(word)
    except ValueError:
        return None
    return degrees if np.isfinite(degrees) else None


def camera_angles(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``azimuths`` and ``elevations`` for reconstruct.Settings when a view is named by its angle; else nothing."""
    from ..maquette.geometry.camera import PRESETS

    if all(name in PRESETS for name in names):
        return {}
    pairs = [PRESETS.get(name) or (azimuth(name) or 0.0, 0.0) for name in names]
    return {"azimuths": tuple(a for a, _ in pairs), "elevations": tuple(e for _, e in pairs)}
