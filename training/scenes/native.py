"""Compiles csrc/scenes.cu (g++ for the CPU, nvcc for the GPU) and calls it on tensors."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from . import layout as at

SOURCES = Path(__file__).parent.parent / "csrc"


def compiler(cuda: bool) -> str | None:
    """Path of the compiler, None when there is none."""
    return shutil.which("nvcc" if cuda else "g++")


GPU_FLAGS = ("-O3", "--use_fast_math", "-arch=sm_90", "-Xcompiler", "-fPIC")
CPU_FLAGS = ("-O3", "-ffast-math", "-fPIC", "-x", "c++")


def build(cuda: bool, folder: Path | None = None) -> Path:
    """The shared library for the present sources, compiled once into ``folder`` (default: the temporary folder)."""
    flags = GPU_FLAGS if cuda else CPU_FLAGS
    text = b"".join([*(path.read_bytes() for path in sorted(SOURCES.glob("*"))), " ".join(flags).encode()])
    name = f"maquette-scenes-{'gpu' if cuda else 'cpu'}-{hashlib.sha256(text).hexdigest()[:12]}.so"
    target = (folder or Path(tempfile.gettempdir())) / name
    if target.exists():
        return target
    tool, source = compiler(cuda), str(SOURCES / "scenes.cu")
    if tool is None:
        raise RuntimeError(f"no {'nvcc' if cuda else 'g++'} was found; use training.scenes.reference, which needs none")
    partial = str(target.with_suffix(f".{os.getpid()}.part"))  # several ranks may build at once
    if cuda:
        subprocess.run([tool, *flags, "-shared", source, "-o", partial], check=True)
    else:
        # Linked without -ffast-math: with it, loading the library makes the whole process round tiny numbers to 0.
        subprocess.run([tool, *flags, "-c", source, "-o", f"{partial}.o"], check=True)
        subprocess.run([tool, "-shared", f"{partial}.o", "-o", partial], check=True)
        Path(f"{partial}.o").unlink()
    Path(partial).rename(target)
    return target


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous()
    return ctypes.c_void_p(tensor.data_ptr())


class Renderer:
    """The compiled functions; every tensor must be contiguous and on ``device``.

    heads: [B, HEAD], prims: [B, P, PRIM], looks: [B, LOOK], float32.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._library = ctypes.CDLL(str(build(self.device.type == "cuda")))

    def _call(self, name: str, *arguments: Tensor | int) -> None:
        stream = (
            ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            if self.device.type == "cuda"
            else ctypes.c_void_p(0)
        )
        converted = [
            _pointer(a) if isinstance(a, Tensor) else ctypes.c_long(a) if a > 2**31 else ctypes.c_int(a)
            for a in arguments
        ]
        getattr(self._library, name)(*converted, stream)

    def bounds(self, heads: Tensor, prims: Tensor, looks: Tensor, size: int = 96) -> Tensor:
        """[B, 4] int32: lowest and highest pixel (x, y) of the silhouette in a ``size`` picture."""
        box = torch.tensor([size, size, -1, -1], dtype=torch.int32, device=self.device).repeat(len(heads), 1)
        self._call("scene_bounds", heads, prims, looks, len(heads), prims.shape[1], size, box)
        return box

    def picture(self, heads: Tensor, prims: Tensor, looks: Tensor, size: int = 256) -> Tensor:
        """[B, S, S, 4] linear colour and alpha."""
        out = torch.empty(len(heads), size, size, 4, device=self.device)
        self._call("scene_picture", heads, prims, looks, len(heads), prims.shape[1], size, out)
        return out

    def spans(self, heads: Tensor, prims: Tensor, looks: Tensor, size: int = 128) -> tuple[Tensor, Tensor]:
        """[B, S, S, 12] z-depths where the ray enters and leaves (0 = none); [B, S, S, 4] colour of the last exit."""
        spans = torch.empty(len(heads), size, size, 2 * at.LAYERS, device=self.device)
        back = torch.empty(len(heads), size, size, 4, device=self.device)
        self._call("scene_spans", heads, prims, looks, len(heads), prims.shape[1], size, spans, back)
        return spans, back

    def columns(self, spans: Tensor, frames: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, S, K] uint8 solid share of the bins behind the first surface; [B, S, S] its depth, -1000 = none."""
        b, s, _, _ = spans.shape
        k = len(edges) - 1
        columns = torch.empty(b, s, s, k, dtype=torch.uint8, device=self.device)
        front = torch.empty(b, s, s, device=self.device)
        self._call("scene_columns", spans, frames, edges, b, s * s, k, columns, front)
        return columns, front

    def field(self, head: Tensor, prims: Tensor, look: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance [N] (negative inside) and primitive [N] of one scene at ``points`` [N, 3]."""
        out = torch.empty(len(points), device=self.device)
        which = torch.empty(len(points), dtype=torch.int32, device=self.device)
        stream = torch.cuda.current_stream().cuda_stream if self.device.type == "cuda" else 0
        inputs = [_pointer(t) for t in (head, prims, look, points)]
        count = ctypes.c_long(len(points))
        self._library.scene_field(*inputs, count, _pointer(out), _pointer(which), ctypes.c_void_p(stream))
        return out, which
