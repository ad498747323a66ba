"""Fuse Views: a mesh per view -> one solid."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from comfy_api.latest import io

from ..maquette.errors import BadViewsError
from ._comfy import at_home, job
from ._look import Look, look, look_of_mesh
from ._meshes import core_mesh, one_mesh
from ._schema import APPEARANCE, advanced, choice, mesh_input, schema
from .image import NAMES

POSES = ("by name", "aligned", "search")


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
                io.Combo.Input(
                    "poses",
                    options=list(POSES),
                    default="by name",
                    tooltip="by name = each mesh was made as if its picture were the front, its socket says how to turn"
                    " it; aligned = all stand in one frame already; search = find the turn (slow, less sure).",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
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
        cls, poses: str = "by name", threshold: float = 0.5, resolution: int = 128, **sockets: Any
    ) -> io.NodeOutput:
        from ..maquette.fuse import fuse

        choice(poses, POSES, "poses")
        names = [name for name in NAMES if sockets.get(name) is not None]
        if not names:
            raise BadViewsError("no mesh is connected; connect at least one, for example to front")
        found = [one_mesh(sockets[name], name) for name in names]
        priors = _priors(poses, names)
        with at_home():
            fused = fuse(
                found, names=names, rotations=priors, threshold=threshold, resolution=resolution, progress=job()
            )
        return io.NodeOutput(core_mesh(fused.mesh), _joint_look(sockets, fused), "\n".join(_said(fused)))


def _priors(poses: str, names: list[str]) -> Any:
    """What ``fuse`` takes as first guess of each mesh's turn."""
    from ..maquette.fuse import preset_rotations

    if poses == "search":
        return None
    return preset_rotations(names) if poses == "by name" else [np.eye(4)] * len(names)


def _joint_look(sockets: dict[str, Any], fused: Any) -> Look:
    """The looks of the accepted views, moved with their meshes, the first view first."""
    from ..maquette.appearance import Layered

    looks = []
    for view in fused.views:
        given = sockets.get(f"{view.name}_appearance")
        if given is not None and view.accepted:
            looks.append(look(given).moved(np.asarray(view.transform, np.float64)))
    if not looks:
        return look_of_mesh(fused.mesh)
    return Look(Layered(tuple(x.appearance for x in looks)), tuple(photo for x in looks for photo in x.views))


def _said(fused: Any) -> list[str]:
    """One JSON line per view, then the stage's notes."""
    keys = ("name", "accepted", "fitness", "rmse", "method")
    return [
        *(json.dumps({key: getattr(view, key) for key in keys}, default=float) for view in fused.views),
        *fused.notes,
    ]
