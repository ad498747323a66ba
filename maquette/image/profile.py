"""Pictures in another colour space (Display P3, Adobe RGB ...) -> sRGB, by the profile that lies in the file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ..log import log

if TYPE_CHECKING:
    from PIL.Image import Image


def to_srgb_profile(image: Image, icc: bytes, name: str) -> Image:
    """``image`` (RGB or RGBA) with its colours in sRGB; unchanged, and logged, where the profile cannot be used.

    A CMYK or grey profile no longer fits the RGB picture that Pillow made of it, so it is left out.
    """
    try:
        from PIL import ImageCms
    except ImportError:
        log.info("%s: colour profile ignored, this Pillow has no ImageCms", name)
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() != "RGB":
            return image
        changed = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError) as error:
        log.info("%s: colour profile ignored (%s)", name, error)
        return image
    return changed if changed is not None else image
