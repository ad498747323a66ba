"""The triplane kernel and its twin compute the same function, at any point and for any decoder."""

from __future__ import annotations

import builtins
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.native import extension

triplane = extension("triplane")
Parts = tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]


def parts(width: int, layers: int, channels: int, side: int, seed: int = 0) -> Parts:
    """Random planes and a decoder whose outputs spread like a trained one's."""
    g = torch.Generator().manual_seed(seed)
    planes = torch.randn(3, channels, side, side, generator=g)
    inputs = [3 * channels] + [width] * (layers - 1)
    weights = [1.5 * torch.randn(width, n, generator=g) / n**0.5 for n in inputs]
    weights.append(torch.randn(4, width, generator=g) / width**0.5)
    biases = [0.1 * torch.randn(len(w), generator=g) for w in weights]
    return planes, weights, biases


def by_hand(planes: torch.Tensor, point: list[float]) -> torch.Tensor:
    """Bilinear look-up with loops: half-pixel centres, zero outside."""
    _, channels, height, width = planes.shape
    out = []
    for plane, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        x, y = (point[a] + 1) / 2 * width - 0.5, (point[b] + 1) / 2 * height - 0.5
        x0, y0 = int(x // 1), int(y // 1)
        value = torch.zeros(channels)
        for ix, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            for iy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
                if 0 <= ix < width and 0 <= iy < height:
                    value += wx * wy * planes[plane, :, iy, ix]
        out.append(value)
    return torch.cat(out)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3))
def test_look_up_equals_the_definition(point: list[float]) -> None:
    """Also outside the cube and between the outermost texel centre and the edge."""
    planes, _, _ = parts(16, 2, 4, 6)
    got = triplane.reference.sample(planes, torch.tensor([point]))
    torch.testing.assert_close(got[0], by_hand(planes, point), atol=2e-5, rtol=1e-4)


def test_fewer_channels_are_the_first_ones_and_no_points_are_fine() -> None:
    """Density alone costs less but is the same number."""
    planes, weights, biases = parts(16, 2, 4, 6)
    ready = triplane.prepare(planes, weights, biases)
    points = torch.rand(100, 3) * 2 - 1
    torch.testing.assert_close(triplane.query(ready, points, 1)[:, 0], triplane.query(ready, points)[:, 0])
    assert triplane.query(ready, points[:0]).shape == (0, 4)


def test_the_twin_says_why_it_is_the_twin() -> None:
    """No silent fallback."""
    ready = triplane.prepare(*parts(16, 2, 4, 6))
    assert (ready.method, ready.reason) == ("torch", "no kernel for cpu")


@pytest.mark.parametrize(
    "failure", [RuntimeError("Failed to find C compiler"), OSError("exec format"), ImportError("x")]
)
def test_a_broken_triton_is_a_reason_not_a_crash(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a C compiler keeps working on the twin."""
    real = builtins.__import__

    def failing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "triton" or name.endswith("kernel"):
            raise failure
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", failing)
    monkeypatch.delitem(sys.modules, "maquette_extensions.triplane.kernel", raising=False)
    monkeypatch.delattr(triplane, "kernel", raising=False)
    monkeypatch.setattr(triplane, "_unsuitable", lambda *_: "")
    ready = triplane.prepare(*parts(16, 2, 4, 6))
    assert ready.method == "torch"
    assert str(failure) in ready.reason


INTERPRETED = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
import torch
from test_triplane import parts, triplane
from maquette_extensions.triplane import kernel
for size in ((64, 9, 40, 32), (16, 2, 8, 16)):
    planes, weights, biases = parts(*size)
    points = torch.rand(300, 3) * 2.6 - 1.3
    points[0], points[1] = torch.tensor([1.0, -1.0, 1.0]), 1e9
    want = triplane.reference.query(planes, points, weights, biases)
    exact = kernel.query(kernel.fold(planes, weights, biases, torch.float32), points, 4)
    torch.testing.assert_close(exact, want, atol=2e-5, rtol=1e-4)
    half = kernel.query(kernel.fold(planes, weights, biases, torch.float16), points, 4)
    assert float((half - want).norm() / want.norm()) < 2e-3
print("equal")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernel_equals_the_twin_in_tritons_interpreter(root: Path) -> None:
    """The kernel's arithmetic, checked without a GPU."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", INTERPRETED, str(root), str(Path(__file__).parent)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [(64, 9, 40, 64), (16, 2, 8, 16)])
def test_the_kernel_equals_the_twin_on_the_gpu(size: tuple[int, int, int, int], dtype: torch.dtype) -> None:
    """Against float64, no farther away than twice the twin in the same half precision."""
    planes, weights, biases = parts(*size)
    ready = triplane.prepare(planes.to("cuda", dtype), weights, biases)
    assert ready.method == "fused kernel", ready.reason
    points = torch.rand(100_003, 3, device="cuda") * 2.6 - 1.3
    exact = triplane.reference.query(
        planes.cuda().double(),
        points.double(),
        [w.cuda().double() for w in weights],
        [b.cuda().double() for b in biases],
    )
    twin = triplane.prepare(planes.to("cuda", dtype), weights, biases, kernel=False)
    error, allowed = ((triplane.query(r, points) - exact).norm() / exact.norm() for r in (ready, twin))
    assert float(error) <= 2 * float(allowed)
