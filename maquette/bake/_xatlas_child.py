"""Child process: unwraps one mesh with xatlas, which holds the interpreter lock for tens of seconds. Reads and writes
one .npz (child.py says how); imports nothing of this package."""

from __future__ import annotations

import io
import sys

import numpy as np
import xatlas


def main() -> None:
    """vertices, normals [V, 3], faces [F, 3], size, padding -> source [W], faces [F, 3], pixels [W, 2], extent [4]."""
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    atlas = xatlas.Atlas()
    atlas.add_mesh(arrays["vertices"], arrays["faces"].astype(np.uint32), arrays["normals"])
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding = int(arrays["size"]), int(arrays["padding"])
    pack.bilinear = True
    atlas.generate(xatlas.ChartOptions(), pack, False)
    source, faces, uvs = atlas[0]
    answer = io.BytesIO()
    np.savez(
        answer,
        source=source.astype(np.int64),
        faces=faces.astype(np.int64),
        pixels=uvs.astype(np.float64) * [atlas.width, atlas.height],
        extent=np.array([atlas.width, atlas.height, atlas.atlas_count, atlas.chart_count]),
    )
    sys.stdout.buffer.write(answer.getvalue())


if __name__ == "__main__":
    main()
