"""A smaller GLB: textures as WebP, geometry compressed with Draco. Plain PNG and plain arrays are the default."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import MissingError

if TYPE_CHECKING:
    from PIL.Image import Image

DRACO_STEP = 2.0**-14
"""Draco lays positions on a grid of 14 bits: how far bounds may move, as a share of the size."""
_QUALITY = 95


def packing(webp: bool, draco: bool) -> dict[str, bool]:
    """What the exporter is told. MissingError, with the next step, when this machine cannot do it.

    webp: EXT_texture_webp: colours at quality 95, the other maps without loss; viewers older than 2021 may not show it.
    draco: KHR_draco_mesh_compression at 14 bits: vertices move by up to 1/32768 of the size, so a certificate holds for
    the mesh before it.
    """
    if webp:
        _need_webp()
    if draco:
        _need_draco()
    return {**({"extension_webp": True} if webp else {}), **({"extension_draco": True} if draco else {})}


def as_webp(maps: dict[str, Image]) -> None:
    """Let each picture of ``maps`` (glTF names) save itself as WebP in its own way: the exporter knows no options."""
    for name, picture in maps.items():
        how: dict[str, Any] = {"quality": _QUALITY} if name == "baseColorTexture" else {"lossless": True}
        picture.save = partial(picture.save, **how)  # type: ignore[method-assign]


def _need_webp() -> None:
    from PIL import features

    if not features.check("webp"):
        raise MissingError("this Pillow cannot write WebP: pip install --upgrade pillow, or leave webp out")


def _need_draco() -> None:
    from trimesh.exchange.gltf import export_glb

    if "extension_draco" not in inspect.signature(export_glb).parameters:
        raise MissingError("Draco needs trimesh 5 or newer: pip install --upgrade trimesh, or leave draco out")
    try:
        import DracoPy  # noqa: F401
    except ImportError as error:
        raise MissingError("compressing with Draco needs DracoPy: pip install DracoPy, or leave draco out") from error
