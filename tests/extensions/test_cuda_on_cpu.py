"""Where there is no GPU: the CUDA sources, compiled as C++ and run thread after thread, equal the twin bit by bit.

Dense marching cubes is left out: it packs bits by a vote of a warp, and ran on a GPU.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maquette.native import extension

build = extension("build")
HERE = Path(__file__).resolve().parent
LAUNCH = re.compile(r"(\w+)<<<(.*?), kThreads, 0,\s*.*?>>>\(", re.DOTALL)
RUN = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
import torch
torch.ops.load_library({library!r})
from maquette.native import extension
family = extension({family!r})
family.NATIVE = True
family.method = lambda device="cpu": "native" if family.NATIVE else "torch"
import {tests}
{tests}.compare_all(family)
print("equal")
"""


def as_cpp(source: str) -> str:
    """The source without CUDA's headers and launches, registered for the CPU."""
    plain = re.sub(r"#include <c10/cuda[^\n]*\n", "", source)
    looped, launches = LAUNCH.subn(r"for (Launch l(\2, kThreads); l.next();) \1(", plain)
    assert launches > 0 and "<<<" not in looped
    return '#include "cuda_on_cpu.h"\n' + looped.replace("(maquette, CUDA, m)", "(maquette, CPU, m)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "source", "tests"),
    [
        ("marching_cubes", "cuda_blocks.cu", "test_marching_blocks"),
        ("uv_raster", "cuda.cu", "test_uv_raster"),
        ("visibility", "cuda.cu", "test_visibility"),
    ],
)
def test_the_cuda_source_equals_the_twin(family, source, tests, tmp_path):
    """Every index, bound and rounding of the kernels that a device would run."""
    if sys.platform != "linux" or shutil.which("g++") is None:
        pytest.skip("needs g++")
    folder = build.ROOT / family / "csrc"
    (tmp_path / "kernel.cpp").write_text(as_cpp((folder / source).read_text()))
    shutil.copy(folder / "schema.cpp", tmp_path)
    library = tmp_path / "kernel.so"
    flags = [flag for flag in build._cxx_flags() if flag != "-O3"]
    objects = [tmp_path / f"{name}.o" for name in ("kernel", "schema")]
    for made in objects:
        command = [
            "g++",
            "-O1",
            *flags,
            f"-I{HERE}",
            f"-I{folder}",
            "-c",
            str(made.with_suffix(".cpp")),
            "-o",
            str(made),
        ]
        subprocess.run(command, check=True, timeout=500)
    subprocess.run(["g++", *build._link(objects, library, cuda=False)], check=True, timeout=100)
    text = RUN.format(root=str(HERE.parents[1]), here=str(HERE), library=str(library), family=family, tests=tests)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "MAQUETTE_NATIVE": "0"},
    )  # fmt: skip
    assert done.stdout.strip() == "equal", done.stderr[-3000:]
