"""Other people's mesh tools, each run by the Python that has them: ``_mesh_others.py IN.npz OUT.npz JOB [JOB ...]``.

IN holds ``vertices`` and ``faces``; OUT gets those of the last job (``uvs`` too after an unwrap); a JSON object {job:
seconds} is printed. Jobs ``core_*`` need ComfyUI (0.33 or newer) on PYTHONPATH, ``meshlab`` needs pymeshlab (GPL: for
this comparison only, the pack never touches it). Nothing here imports maquette.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

import numpy as np

Arrays = dict[str, Any]
_REPEATS = 3
_QUICK = 10.0
"""Seconds."""


def meshlab(v: Any, f: Any) -> Arrays:
    """The largest part by trimesh, holes by pymeshlab."""
    import pymeshlab
    import trimesh

    loaded = trimesh.Trimesh(v, f, process=False)
    largest = max(loaded.split(only_watertight=False), key=lambda part: len(part.faces))
    work = pymeshlab.MeshSet()
    work.add_mesh(pymeshlab.Mesh(largest.vertices, largest.faces))
    work.meshing_repair_non_manifold_edges()
    work.meshing_close_holes(maxholesize=200)
    made = work.current_mesh()
    return {"vertices": made.vertex_matrix(), "faces": made.face_matrix()}


def _tensors(v: Any, f: Any) -> tuple[Any, Any]:
    import torch

    return torch.tensor(v, dtype=torch.float32), torch.tensor(f, dtype=torch.int64)


def core_fill(v: Any, f: Any) -> Arrays:
    """WeldVertices and FillHoles (no node of core drops floaters)."""
    from comfy_extras import nodes_mesh_postprocess as core

    vertices, faces = _tensors(v, f)
    vertices, faces, _, _ = core.weld_vertices_fn(vertices, faces, epsilon=None, epsilon_rel=1e-5, colors=None)
    vertices, faces, _ = core.fill_holes_v2_fn(
        vertices, faces, max_perimeter=1.0, colors=None, weld_epsilon_rel=0.0, fill_chains=False, max_verts=1024
    )
    return {"vertices": vertices.numpy(), "faces": faces.numpy()}


def core_remesh(v: Any, f: Any) -> Arrays:
    """RemeshMesh: sdf, manifold, 256 cells, enclosed and inverted parts dropped."""
    from comfy_extras.mesh3d.postprocess.remesh import remesh_narrow_band_dc

    vertices, faces = _tensors(v, f)
    made = remesh_narrow_band_dc(
        vertices, faces, resolution=256, band=1.0, project_back=0.0, qef=True, sign_mode="sdf", manifold=True,
        fix_poles=False, smooth_iters=0, drop_small_components=0.01, drop_inverted_components=True,
        drop_enclosed_components=True, scale=(256 + 3.0) / 256, center=vertices.new_zeros(3),
    )  # fmt: skip
    return {"vertices": made[0].numpy(), "faces": made[1].numpy()}


def core_decimate(v: Any, f: Any) -> Arrays:
    """DecimateMesh to 50,000."""
    from comfy_extras.mesh3d.postprocess.qem_decimate import QEMConfig, qem_decimate_simplify

    made = qem_decimate_simplify(*_tensors(v, f), 50_000, colors=None, config=QEMConfig())
    return {"vertices": made[0].numpy(), "faces": made[1].numpy()}


def core_pec(v: Any, f: Any) -> Arrays:
    """UnwrapMesh with its own segmenter."""
    from comfy_extras import nodes_mesh_postprocess as core

    source, faces, uvs = core._uv_unwrap(*_tensors(v, f), "pec", 1024, 4, 0.0)
    return {"vertices": v[source], "faces": faces, "uvs": uvs}


def main() -> None:
    """Run the jobs; the first import is not timed, and what is quick is run again and its best time kept."""
    given, out, *jobs = sys.argv[1:]
    sys.argv = [sys.argv[0], "--cpu"]
    data = np.load(given)
    seconds, made = {}, {}
    with contextlib.redirect_stdout(sys.stderr):
        if any(job.startswith("core_") for job in jobs):
            import comfy.options

            comfy.options.enable_args_parsing()
            import comfy_extras.nodes_mesh_postprocess  # noqa: F401
        for job in jobs:
            v, f, best = data["vertices"], data["faces"], float("inf")
            for _ in range(_REPEATS):
                began = time.perf_counter()
                made = globals()[job](v, f)
                best = min(best, time.perf_counter() - began)
                if best > _QUICK:
                    break
            seconds[job] = best
    np.savez(out, **made)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
