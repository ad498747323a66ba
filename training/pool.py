"""A ring of scenes on the GPU that worker processes keep renewing while the network trains."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .scenes import layout as at
from .scenes.families import make_scene

CHUNK = 1024


def scene_arrays(seeds: list[int], family: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """heads [N, HEAD] and prims [N, MAX_PRIMS, PRIM] of these seeds."""
    heads = np.zeros((len(seeds), at.HEAD), np.float32)
    prims = np.zeros((len(seeds), at.MAX_PRIMS, at.PRIM), np.float32)
    for i, seed in enumerate(seeds):
        scene = make_scene(seed, family)
        heads[i], prims[i, : len(scene.prims)] = scene.head, scene.prims
    return heads, prims


def _chunk(start: int) -> tuple[np.ndarray, np.ndarray]:
    return scene_arrays(list(range(start, start + CHUNK)))


class Pool:
    """``draw`` gives scenes at random; a thread overwrites the oldest ones with fresh seeds."""

    def __init__(self, first_seed: int, chunks: int = 128, workers: int = 13, device: str = "cuda") -> None:
        self._stop = threading.Event()
        self._workers = multiprocessing.get_context("fork").Pool(workers)  # before CUDA starts
        self.heads = torch.zeros(chunks * CHUNK, at.HEAD, device=device)
        self.prims = torch.zeros(chunks * CHUNK, at.MAX_PRIMS, at.PRIM, device=device)
        self.filled, self.made, self.chunks = 0, 0, chunks
        self._source = self._workers.imap_unordered(_chunk, self._seeds(first_seed))
        for _ in range(max(4, chunks // 8)):
            self._take()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _seeds(self, start: int) -> Iterator[int]:
        tickets = threading.Semaphore(64)  # imap reads its input ahead without bound
        self._tickets = tickets
        while not self._stop.is_set():
            tickets.acquire()
            yield start
            start += CHUNK

    def _take(self) -> None:
        heads, prims = next(self._source)
        self._tickets.release()
        at_ = self.made % self.chunks * CHUNK
        self.heads[at_ : at_ + CHUNK] = torch.from_numpy(heads).to(self.heads.device)
        self.prims[at_ : at_ + CHUNK] = torch.from_numpy(prims).to(self.prims.device)
        self.made += 1
        self.filled = min(self.made, self.chunks) * CHUNK

    def _run(self) -> None:
        while not self._stop.is_set():
            self._take()

    def draw(self, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """n scenes: heads, prims."""
        index = torch.randint(self.filled, (n,), generator=g, device=self.heads.device)
        return self.heads[index], self.prims[index]

    def close(self) -> None:
        """End the workers."""
        self._stop.set()
        for _ in range(8):
            self._tickets.release()
        self._workers.terminate()
