"""Compile a kernel family in place, and load what was compiled - only if it still fits.

A library lies in ``extensions/<family>/_build/`` beside a stamp (JSON) that names the torch and CUDA it was made for,
the compiler, and the hash of the sources. ``load`` refuses it when torch, CUDA or sources have changed, or when the
file is not the one that was stamped (a zero-byte or half-copied library). Nothing is ever compiled unless ``build``
is called; without a library the wrappers use their PyTorch twins.

Command line: ``python extensions/build.py [family ...] [--cpu]`` (what ``install.py --extensions`` calls).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent
STAMP = "stamp.json"
TIMEOUT_S = 1800


class BuildError(RuntimeError):
    """A family could not be compiled; the message is one sentence with the next step, then the compiler's own words."""


@dataclass(frozen=True)
class Built:
    """What ``build`` made: the library, whether CUDA kernels are in it, and the seconds it took."""

    family: str
    library: Path
    cuda: bool
    seconds: float


def families() -> list[str]:
    """Names of the families that have sources to compile."""
    return sorted(path.parent.name for path in ROOT.glob("*/csrc") if path.is_dir())


def sources_hash(family: str) -> str:
    """SHA-256 over names and contents of everything in ``csrc``."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / family / "csrc").iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def expected(family: str) -> dict[str, str]:
    """What a library must have been made for to be loaded here."""
    return {
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "machine": f"{sys.platform}-{platform.machine()}",
        "sources": sources_hash(family),
    }


def why_not(family: str) -> str:
    """Empty when a fitting library lies there, else the one sentence that says why it is not used."""
    folder = ROOT / family / "_build"
    again = "run `python install.py --extensions`"
    try:
        stamp: dict[str, Any] = json.loads((folder / STAMP).read_text())
        library = folder / stamp["library"]
        content = library.read_bytes()
    except FileNotFoundError:
        return f"not compiled; {again} to make it faster"
    except (OSError, ValueError, KeyError, TypeError):
        return f"its stamp cannot be read; {again}"
    if len(content) != stamp.get("size") or hashlib.sha256(content).hexdigest() != stamp.get("sha256"):
        return f"the library is not the one that was compiled ({len(content)} bytes); {again}"
    for key, value in expected(family).items():
        if stamp.get(key) != value:
            return f"compiled for {key} {str(stamp.get(key))[:20]}, here is {value[:20]}; {again}"
    return ""


def load(family: str) -> bool:
    """Load the compiled operators of ``family`` once; False when there is no fitting library or it is switched off."""
    if os.environ.get("MAQUETTE_NATIVE", "1") == "0":
        return False
    if _registered(family):
        return True
    if why_not(family):
        return False
    stamp = json.loads((ROOT / family / "_build" / STAMP).read_text())
    try:
        torch.ops.load_library(str(ROOT / family / "_build" / stamp["library"]))
    except OSError:  # a missing system library: the twin works
        return False
    return _registered(family)


def _registered(family: str) -> bool:
    """Registering a name twice aborts the process, so ask first."""
    return hasattr(torch.ops.maquette, family)


def build(family: str, *, cuda: bool | None = None) -> Built:
    """Compile one family in place for the torch that is installed.

    cuda: also the CUDA kernels (default: when this torch has CUDA and nvcc is found). Raises BuildError.
    """
    if family not in families():
        raise BuildError(f"there is no kernel family '{family}'; choose from: {', '.join(families()) or 'none'}")
    began = time.perf_counter()
    has_cuda = any((ROOT / family / "csrc").glob("*.cu"))
    with_cuda = has_cuda and (_cuda_home() is not None if cuda is None else cuda)
    folder = ROOT / family / "_build"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = _compile(family, Path(work), with_cuda)
        content = made.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        # the hash is in the name: a library that a running ComfyUI holds open is never overwritten
        library = folder / f"maquette_{family}_{digest[:12]}{made.suffix}"
        made.replace(library)
        stamp = {
            **expected(family),
            "compiler": _compiler_version(),
            "built_cuda": with_cuda,
            "library": library.name,
            "size": len(content),
            "sha256": digest,
        }
        scratch = Path(work) / STAMP
        scratch.write_text(json.dumps(stamp, indent=2) + "\n")
        scratch.replace(folder / STAMP)
    for old in folder.glob("maquette_*"):
        if old != library:
            with contextlib.suppress(OSError):  # Windows keeps a loaded library locked; it is never loaded again
                old.unlink()
    return Built(family, library, with_cuda, time.perf_counter() - began)


def _compile(family: str, work: Path, cuda: bool) -> Path:
    source = ROOT / family / "csrc"
    commands: dict[Path, list[str]] = {}
    for path in sorted(source.glob("*.cpp")):
        made = work / f"{path.stem}.o"
        commands[made] = [*_cxx(), *_cxx_flags(), "-c", str(path), *_output(made)]
    for path in sorted(source.glob("*.cu")) if cuda else []:
        made = work / f"{path.stem}_cu.o"
        commands[made] = [*_nvcc(), "-c", str(path), "-o", str(made)]
    # torch's headers take half a minute a source and a gigabyte: more than four at once would swap on small machines
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(_run, commands.values()))
    objects = list(commands)
    library = work / ("library.pyd" if os.name == "nt" else "library.so")
    _run([*_cxx(), *_link(objects, library, cuda)])
    if not library.exists() or library.stat().st_size == 0:
        raise BuildError(f"the compiler left no library for '{family}'; is the disk full?")
    return library


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        raise BuildError(f"the compiler '{command[0]}' cannot be started ({error}); {_compiler_help()}") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-3000:]
        raise BuildError(f"'{command[0]}' failed; the pack works without these kernels. The compiler said:\n{words}")


def _compiler_help() -> str:
    return {
        "win32": "install 'Visual Studio 2022 Build Tools' (Desktop C++) and use its x64 native tools prompt",
        "darwin": "run `xcode-select --install`",
    }.get(sys.platform, "install one, e.g. `sudo apt install g++`, or name it in CXX")


def _cxx() -> list[str]:
    name = os.environ.get("CXX") or ("cl" if os.name == "nt" else "c++")
    found = shutil.which(name) or (shutil.which("g++") if "CXX" not in os.environ else None)
    if found is None:
        raise BuildError(f"no C++ compiler was found ('{name}'): {_compiler_help()}")
    return [found]


def _compiler_version() -> str:
    flag = [] if os.name == "nt" else ["--version"]
    done = subprocess.run([*_cxx(), *flag], capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _includes() -> list[str]:
    from torch.utils.cpp_extension import include_paths

    return [*include_paths(), str(ROOT)]


def _cxx_flags() -> list[str]:
    folders = [f"-I{path}" for path in _includes()]
    if os.name == "nt":  # by the documentation of MSVC; not run by us
        return ["/nologo", "/O2", "/std:c++20", "/openmp", "/MD", "/EHsc", "/permissive-", *folders]
    abi = int(torch.compiled_with_cxx11_abi())
    return [
        "-O3",
        "-std=c++20",
        "-fPIC",
        "-fopenmp",
        "-ffp-contract=off",  # a fused product would differ in its last bit from the twin's, where the machine has one
        "-fvisibility=hidden",
        f"-D_GLIBCXX_USE_CXX11_ABI={abi}",
        *folders,
    ]


def _output(path: Path) -> list[str]:
    return [f"/Fo{path}"] if os.name == "nt" else ["-o", str(path)]


def _libraries(cuda: bool) -> list[str]:
    return ["c10", "torch", "torch_cpu"] + (["c10_cuda", "torch_cuda"] if cuda else [])


def _link(objects: Sequence[Path], library: Path, cuda: bool) -> list[str]:
    folder = Path(torch.__file__).parent / "lib"
    files = [str(path) for path in objects]
    if os.name == "nt":
        libs = [f"{name}.lib" for name in _libraries(cuda)]
        return ["/nologo", "/LD", *files, f"/Fe{library}", "/link", f"/LIBPATH:{folder}", *libs]
    libs = [f"-l{name}" for name in _libraries(cuda)]
    # torch has loaded its own libraries, the CUDA runtime among them, before this one is opened
    undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    return ["-shared", *files, "-o", str(library), f"-L{folder}", f"-Wl,-rpath,{folder}", *libs, "-fopenmp", *undefined]


def _cuda_home() -> Path | None:
    """The CUDA toolkit whose nvcc can build for this torch, or None."""
    if torch.version.cuda is None:
        return None
    named = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    nvcc = shutil.which("nvcc")
    home = Path(named) if named else (Path(nvcc).resolve().parent.parent if nvcc else None)
    return home if home is not None and any((home / "bin").glob("nvcc*")) else None


def _nvcc() -> list[str]:
    home = _cuda_home()
    if torch.version.cuda is None or home is None:
        raise BuildError(
            f"CUDA kernels need a CUDA build of torch (this one: {torch.version.cuda}) and the CUDA toolkit's nvcc of"
            " the same major version; set CUDA_HOME to it, or build with --cpu"
        )
    nvcc = str(home / "bin" / "nvcc")
    words = subprocess.run([nvcc, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    major = torch.version.cuda.split(".")[0]
    if f"release {major}." not in words:
        raise BuildError(
            f"torch was built for CUDA {torch.version.cuda} but nvcc says: {' '.join(words.split())[-80:]}; install the"
            f" CUDA {torch.version.cuda} toolkit and set CUDA_HOME to it, or build with --cpu"
        )
    folders = [f"-I{path}" for path in [*_includes(), str(home / "include")]]
    host = ["-Xcompiler", "/MD"] if os.name == "nt" else ["-Xcompiler", "-fPIC,-fvisibility=hidden"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    return [nvcc, "-O3", "-std=c++20", "--expt-relaxed-constexpr", abi, *host, *_architectures(), *folders]


def _architectures() -> list[str]:
    """-gencode of TORCH_CUDA_ARCH_LIST ("8.6;9.0+PTX"), else of the GPUs that are present."""
    listed = os.environ.get("TORCH_CUDA_ARCH_LIST", "").replace(";", " ").split()
    if not listed:
        found = {torch.cuda.get_device_capability(k) for k in range(torch.cuda.device_count())}
        listed = [f"{major}.{minor}" for major, minor in sorted(found)]
    if not listed:
        raise BuildError("no GPU is present: name the target in TORCH_CUDA_ARCH_LIST (e.g. 8.6), or build with --cpu")
    flags = []
    for name in listed:
        number = name.removesuffix("+PTX").replace(".", "")
        kinds = f"[compute_{number},sm_{number}]" if name.endswith("+PTX") else f"sm_{number}"
        flags.append(f"-gencode=arch=compute_{number},code={kinds}")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the named families (default: all); one line each; the number of failures is the exit code."""
    parser = argparse.ArgumentParser(description="Compile Maquette's kernels in place.")
    parser.add_argument("families", nargs="*", help=f"default: all ({', '.join(families())})")
    parser.add_argument("--cpu", action="store_true", help="leave out the CUDA kernels")
    options = parser.parse_args(arguments)
    failures = 0
    for family in options.families or families():
        try:
            built = build(family, cuda=False if options.cpu else None)
        except BuildError as error:
            failures += 1
            sys.stdout.write(f"{family}: {error}\n")
        else:
            kinds = "C++ and CUDA" if built.cuda else "C++"
            sys.stdout.write(f"{family}: {kinds}, {built.seconds:.0f} s, {built.library.name}\n")
    return failures


if __name__ == "__main__":
    raise SystemExit(main())
