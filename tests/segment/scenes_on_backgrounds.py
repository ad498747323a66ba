"""Example pictures before made-up backgrounds, with their exact masks: what the segmentation tests measure on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from maquette.image import Picture, from_array

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
KINDS = ("gradient", "blotches", "table")


def background(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    """[H, W, 3]: a lit backdrop, colourful blotches out of focus, or a table with grain before a wall."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    first, second = rng.uniform(0.1, 0.9, (2, 3))
    if kind == "gradient":
        rgb = first + (second - first) * (0.8 * y + 0.2 * x)[..., None]
    elif kind == "blotches":
        blur = gaussian_filter(rng.normal(size=(height, width, 3)), (height / 25, width / 25, 0))
        rgb = first + 0.1 * blur / blur.std()
    else:
        grain = gaussian_filter(rng.normal(size=(height, width)), (2, width / 20))
        table = np.array([0.28, 0.3, 0.34]) * (1 + 0.12 * grain / grain.std())[..., None]
        wall = 0.62 + 0.25 * first + 0.06 * (x[..., None] - 0.5)
        below = 1 / (1 + np.exp(-(y - 0.6) * 60))[..., None]
        rgb = wall * (1 - below) + table * below
    return np.clip(rgb + rng.normal(0, 0.01, rgb.shape), 0, 1)


def example(name: str, side: int = 640) -> tuple[np.ndarray, np.ndarray]:
    """Straight colours [H, W, 3] and alpha [H, W] of a committed picture, reduced to ``side``."""
    image = Image.open(EXAMPLES / f"{name}.png").convert("RGBa").resize((side, side), Image.Resampling.BOX)
    rgba = np.asarray(image, np.float32) / 255
    alpha = rgba[..., 3]
    return rgba[..., :3] / np.maximum(alpha, 1e-6)[..., None], alpha


def composed(name: str, kind: str, seed: int, side: int = 400) -> tuple[Picture, np.ndarray]:
    """The picture in front of a background, and its true mask."""
    rgb, alpha = example(name, side)
    a = alpha[..., None]
    return from_array(np.clip(rgb, 0, 1) * a + background(kind, side, side, seed) * (1 - a), None, name), alpha


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union at one half."""
    first, second = np.asarray(a) >= 0.5, np.asarray(b) >= 0.5
    return float((first & second).sum() / max((first | second).sum(), 1))
