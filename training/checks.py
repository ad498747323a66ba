"""At the start of a training from nothing on a GPU: is its kernel right, and where does the time of a batch go?"""

from __future__ import annotations

import time

import torch

from .batches import make_batch
from .pool import Pool, scene_arrays
from .scenes import layout as at
from .scenes.looks import framed_looks
from .scenes.native import Renderer


def time_parts(renderer: Renderer, pool: Pool, batch: int) -> None:
    """Print milliseconds of each part of making a batch."""
    g = torch.Generator(renderer.device).manual_seed(0)
    heads, prims = pool.draw(batch, g)
    looks, _ = framed_looks(renderer, heads, prims, g)
    parts = {
        "looks": lambda: framed_looks(renderer, heads, prims, g),
        "picture": lambda: renderer.picture(heads, prims, looks),
        "spans": lambda: renderer.spans(heads, prims, looks),
        "batch": lambda: make_batch(renderer, heads, prims, g),
    }
    for name, work in parts.items():
        work()
        torch.cuda.synchronize()
        t = time.time()
        for _ in range(5):
            work()
        torch.cuda.synchronize()
        print(f"{name}: {(time.time() - t) / 5 * 1e3:.1f} ms for {batch}", flush=True)


def check_twin(renderer: Renderer) -> None:
    """GPU kernel against the CPU build of the same source, on random points of 32 scenes."""
    cpu = Renderer("cpu")
    heads, prims = (torch.from_numpy(a) for a in scene_arrays(list(range(32))))
    look = torch.zeros(at.LOOK)
    look[at.STRETCH], look[at.STRETCH_STEP] = 1.0, 1.0
    points = torch.rand(20000, 3) * 2 - 1
    worst = 0.0
    for h, p in zip(heads, prims, strict=True):
        a, _ = cpu.field(h, p.contiguous(), look, points)
        b, _ = renderer.field(*(x.contiguous().to(renderer.device) for x in (h, p, look, points)))
        worst = max(worst, float((a - b.cpu()).abs().quantile(0.999)))
    print(f"kernel against CPU build: 99.9 % of the distances within {worst:.2e}", flush=True)
