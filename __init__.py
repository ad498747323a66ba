"""The door of the ComfyUI pack: where its web files lie and how ComfyUI gets its nodes. Nothing else belongs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"


def comfy_entrypoint() -> ComfyExtension:
    """Called once by ComfyUI's loader."""
    from .nodes import MaquetteExtension

    return MaquetteExtension()
