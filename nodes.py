"""The registry: which node classes ComfyUI gets.

``nodes/`` lies beside this file. Python would prefer a folder with an ``__init__.py`` over a file of the same name, so
the folder has none and this module makes itself a package by giving itself a ``__path__``.
"""

from __future__ import annotations

__path__ = [__file__.removesuffix(".py")]

from comfy_api.latest import ComfyExtension, io

from .nodes._comfy import register_model_folders
from .nodes.asset import ImageTo3DAsset
from .nodes.bake import BakeTexture, UnwrapMesh
from .nodes.depth import EstimateDepth
from .nodes.detect import DetectObjects
from .nodes.diagnose import Doctor
from .nodes.fuse import FuseViews
from .nodes.image import GatherViews, PrepareImage
from .nodes.io import Load3DAsset, PreviewMesh, Save3DAsset
from .nodes.mesh import CleanMesh, MeshReport, SimplifyMesh
from .nodes.reconstruct import Reconstruct
from .nodes.segment import Segment
from .nodes.trimesh import MeshToTrimesh, TrimeshToMesh

NODES: tuple[type[io.ComfyNode], ...] = (
    ImageTo3DAsset,
    DetectObjects,
    Segment,
    PrepareImage,
    GatherViews,
    EstimateDepth,
    Reconstruct,
    FuseViews,
    CleanMesh,
    SimplifyMesh,
    MeshReport,
    UnwrapMesh,
    BakeTexture,
    Load3DAsset,
    Save3DAsset,
    PreviewMesh,
    MeshToTrimesh,
    TrimeshToMesh,
    Doctor,
)


class MaquetteExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All node classes; a list, because ComfyUI refuses anything else."""
        register_model_folders()
        return list(NODES)
