"""Fuse Views: a mesh per view -> one solid."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from comfy_api.latest import io

from ..maquette.errors import BadViewsError
from ._comfy import job
from ._look import Look, look, look_of_mesh
from ._meshes import core_mesh, one_mesh
from ._schema import APPEARANCE, advanced, mesh_input, schema
from .image import NAMES


class FuseViews(io.ComfyNode):
    """Register up to six meshes of one object and join those that fit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        sockets: list[Any] = []
        for name in NAMES:
            sockets.append(mesh_input(name, optional=True, tooltip=f"The mesh made from the {name} picture."))
            tip = f"The appearance that Reconstruct gave with the {name} mesh."
            sockets.append(APPEARANCE.Input(f"{name}_appearance", optional=True, tooltip=tip))
        return schema(
            node_id="MaquetteFuseViews",
            display_name="Fuse Views",
            category="Maquette/3d",
            description="Align one mesh per view, leave out a view that does not fit (and say so), join the rest.",
            search_aliases=["register", "icp", "align meshes", "merge"],
            inputs=[
                *sockets,
                io.Boolean.Input(
                    "turned",
                    default=False,
                    tooltip="Off: every mesh was made as if its picture were the front; the names say how to turn it."
                    " On: the meshes stand in one common frame already.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of a view's surface that must match the others; a view below is left out by name.",
                ),
                advanced(
                    io.Int.Input,
                    "resolution",
                    default=128,
                    min=16,
                    max=1024,
                    step=16,
                    tooltip="Cells of the joint grid.",
                ),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="One closed solid."),
                APPEARANCE.Output(display_name="appearance", tooltip="The looks of the views that were used."),
                io.String.Output(display_name="notes", tooltip="Fitness and error per view, and who was left out."),
            ],
        )

    @classmethod
    def execute(
        cls, turned: bool = False, threshold: float = 0.6, resolution: int = 128, **sockets: Any
    ) -> io.NodeOutput:
        from ..maquette.fuse import fuse

        names = [name for name in NAMES if sockets.get(name) is not None]
        if not names:
            raise BadViewsError("no mesh is connected; connect at least one, for example to front")
        found = [one_mesh(sockets[name], name) for name in names]
        rotations = None if turned else [turn_of(name) for name in names]
        fused = fuse(
            found, names=names, rotations=rotations, threshold=threshold, resolution=resolution, progress=job()
        )
        return io.NodeOutput(core_mesh(fused.mesh), _joint_look(names, sockets, fused), "\n".join(_said(fused)))


def turn_of(name: str) -> np.ndarray[Any, Any]:
    """[4, 4] that turns an object seen from its front so that this side looks towards view ``name``."""
    from ..maquette.geometry.camera import preset_camera

    out = np.eye(4)
    out[:3, :3] = preset_camera(name).cam_to_world[:3, :3]
    return out


def _joint_look(names: list[str], sockets: dict[str, Any], fused: Any) -> Look:
    """The looks of the accepted views, moved with their meshes, the first view first."""
    from ..maquette.appearance import Layered

    looks = []
    for name, transform, fit in zip(names, fused.transforms, fused.views, strict=True):
        given = sockets.get(f"{name}_appearance")
        if given is not None and fit.accepted:
            looks.append(look(given).moved(np.asarray(transform, np.float64)))
    if not looks:
        return look_of_mesh(fused.mesh)
    return Look(Layered(tuple(x.appearance for x in looks)), tuple(view for x in looks for view in x.views))


def _said(fused: Any) -> list[str]:
    """One JSON line per view, then the stage's notes."""
    return [*(json.dumps(asdict(fit), default=float) for fit in fused.views), *fused.notes]
