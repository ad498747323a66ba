"""A compiled library is loaded only when it fits; a missing compiler is one clear sentence."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from maquette.native import extension

build = extension("build")
COMPILED = ["marching_cubes", "packing", "patches", "topology", "uv_raster", "visibility"]
CPU_ONLY = {"packing", "patches", "topology"}


def test_every_compiled_family_is_built_by_default():
    """``install.py --extensions`` names no family, so these are the ones it builds."""
    assert build.families() == COMPILED


@pytest.mark.parametrize("family", COMPILED)
def test_each_family_has_one_schema_and_names_its_operator(family):
    """The loader asks for ``maquette::<family>``; a second TORCH_LIBRARY of the name would abort the process."""
    folder = build.ROOT / family / "csrc"
    wanted = {"schema.cpp", "cpu.cpp"} | (set() if family in CPU_ONLY else {"cuda.cu"})
    assert wanted <= {path.name for path in folder.iterdir()}
    schema = (folder / "schema.cpp").read_text()
    assert f"{family}(" in schema and schema.count("TORCH_LIBRARY_FRAGMENT(maquette, m)") == 1
    for source in folder.iterdir():
        text = source.read_text()
        assert "TORCH_LIBRARY(" not in text, source.name
        # cuSPARSE and its kind are no part of a small CUDA toolkit; this header asks for them
        assert "ATen/cuda/CUDAContext.h" not in text, source.name


@pytest.fixture(params=COMPILED)
def tree(request, tmp_path, monkeypatch):
    """A copy of the extensions with, for one family, a made-up library and a stamp that fits it."""
    family = request.param
    root = tmp_path / "extensions"
    shutil.copytree(build.ROOT, root, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    monkeypatch.setattr(build, "ROOT", root)
    folder = root / family / "_build"
    folder.mkdir()
    content = b"not really a library"
    (folder / "library.so").write_bytes(content)
    stamp = {
        **build.expected(family),
        "library": "library.so",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / build.STAMP).write_text(json.dumps(stamp))
    return folder


def change(folder, **values):
    stamp = json.loads((folder / build.STAMP).read_text())
    (folder / build.STAMP).write_text(json.dumps({**stamp, **values}))


def test_a_fitting_library_is_accepted(tree):
    """Stamp, sources, torch and bytes agree."""
    assert build.why_not(tree.parent.name) == ""


def test_a_zero_byte_library_is_never_loaded(tree):
    """What a full disk or a broken copy leaves."""
    (tree / "library.so").write_bytes(b"")
    assert "0 bytes" in build.why_not(tree.parent.name) and not loaded_from(tree)


def test_a_changed_library_is_never_loaded(tree):
    """Same size, other bytes."""
    (tree / "library.so").write_bytes(b"NOT really a library")
    assert "not the one" in build.why_not(tree.parent.name)


@pytest.mark.parametrize("key", ["torch", "cuda", "machine", "sources"])
def test_a_stale_library_is_never_loaded(tree, key):
    """Another torch, CUDA, machine or source: named, and the remedy with it."""
    change(tree, **{key: "something else"})
    reason = build.why_not(tree.parent.name)
    assert f"compiled for {key} something else" in reason and "install.py --extensions" in reason
    assert not loaded_from(tree)


def test_edited_sources_make_it_stale(tree):
    """One changed byte in the sources is enough."""
    source = tree.parent / "csrc" / "cpu.cpp"
    source.write_text(source.read_text() + "\n")
    assert "compiled for sources" in build.why_not(tree.parent.name)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"torch": 1}', '{"library": "nothing.so"}'])
def test_a_broken_stamp_is_no_crash(tree, text):
    """Whatever lies there, it is a reason and not an exception."""
    (tree / build.STAMP).write_text(text)
    assert build.why_not(tree.parent.name) != ""


def loaded_from(folder) -> bool:
    """Would this tree's library be loaded (nothing of that name registered yet)?"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "_registered", lambda family: False)
        return build.load(folder.parent.name)


def test_a_library_that_cannot_be_opened_is_no_crash(tree):
    """The made-up library fits its stamp but is no library: load says no."""
    assert not loaded_from(tree)


def test_missing_compiler_is_one_sentence(tree, monkeypatch):
    """No compiler: what is missing and how to get it; the old library stays."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match=r"no C\+\+ compiler was found \('no-such-compiler'\): "):
        build.build(tree.parent.name, cuda=False)
    assert build.why_not(tree.parent.name) == ""


def test_failing_compiler_keeps_the_old_library(tree, monkeypatch):
    """A compiler that fails is quoted, and nothing of the attempt stays behind."""
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(build.BuildError, match="failed; the pack works without"):
        build.build(tree.parent.name, cuda=False)
    assert build.why_not(tree.parent.name) == ""
    assert sorted(path.name for path in tree.iterdir()) == ["library.so", build.STAMP]


def test_cuda_without_cuda_torch_is_one_sentence(tree, monkeypatch):
    """Asking for CUDA kernels with a CPU torch names both and the way out."""
    monkeypatch.setattr(build.torch.version, "cuda", None)
    with pytest.raises(build.BuildError, match="need a CUDA build of torch"):
        build._nvcc()


def test_other_cuda_major_is_one_sentence(tree, monkeypatch, tmp_path):
    """nvcc of another CUDA than torch's: both versions are named."""
    (tmp_path / "bin").mkdir()
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.write_text("#!/bin/sh\necho Cuda compilation tools, release 11.8, V11.8.89\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.setattr(build.torch.version, "cuda", "12.4")
    with pytest.raises(build.BuildError, match=r"built for CUDA 12.4 but nvcc says: .*11\.8"):
        build._nvcc()


@pytest.mark.parametrize(
    ("listed", "flags"),
    [
        ("8.6", ["-gencode=arch=compute_86,code=sm_86"]),
        ("8.6;9.0+PTX", ["-gencode=arch=compute_86,code=sm_86", "-gencode=arch=compute_90,code=[compute_90,sm_90]"]),
    ],
)
def test_architecture_list(monkeypatch, listed, flags):
    """TORCH_CUDA_ARCH_LIST is read as torch reads it."""
    monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", listed)
    assert build._architectures() == flags


def test_unknown_family_names_the_known_ones(tree):
    """A typo is answered with the list."""
    with pytest.raises(build.BuildError, match="marching_cubes"):
        build.build("marching_cube")


def test_switched_off(tree, monkeypatch):
    """MAQUETTE_NATIVE=0 uses the twins even where a library lies."""
    monkeypatch.setenv("MAQUETTE_NATIVE", "0")
    assert not build.load(tree.parent.name)


@pytest.mark.parametrize(("family", "cuda"), [("packing", False), ("visibility", True)])
def test_what_has_no_cuda_source_is_not_said_to_have_it(tree, monkeypatch, family, cuda):
    """On a machine with nvcc a family that lives on the CPU asks for no nvcc, and its stamp says so."""
    asked = []

    def compiled(name, work, with_cuda):
        asked.append(with_cuda)
        made = work / "library.so"
        made.write_bytes(b"made")
        return made

    monkeypatch.setattr(build, "_cuda_home", lambda: build.ROOT)
    monkeypatch.setattr(build, "_compile", compiled)
    built = build.build(family)
    stamp = json.loads((build.ROOT / family / "_build" / build.STAMP).read_text())
    assert asked == [cuda] and built.cuda is cuda and stamp["built_cuda"] is cuda
