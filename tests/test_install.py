"""install.py changes nothing unless asked, finds ComfyUI's interpreter, and only ever adds."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def install(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("maquette_install", root / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_options_nothing_is_run(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ComfyUI-Manager calls it: it looks, says the exact command for what is missing, and ends with 0."""
    monkeypatch.setattr(install, "run", lambda *_, **__: pytest.fail("a command was run"))
    monkeypatch.setattr(install, "needs", lambda: {"numpy": "1.26", "no_such.thing": "1", "pytest": "999.1"})
    assert install.main([]) == 0
    text = capsys.readouterr().out
    assert (
        "missing no_such.thing, pytest 999.1 or newer (there is" in text
        and "-m pip install" in text
        and "numpy" not in text.split("run:")[0]
    )
    assert install.main(["--python", "/nowhere/python"]) == 0


def test_it_imports_nothing_heavy(root: Path) -> None:
    code = f"import runpy, sys; runpy.run_path({str(root / 'install.py')!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_extras_hold_everything_that_is_installed(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The constraints name every distribution at its version, and no wanted package is torch itself."""
    seen: list[str] = []

    def run(command: list[str], *, dry: bool) -> int:
        hold = Path(command[command.index("-c") + 1])
        seen.extend([*command, *hold.read_text().splitlines()])
        return 1

    monkeypatch.setattr(install, "run", run)
    assert install.main(["--extras", "queue, matting"]) == 1
    import torch

    assert f"torch=={torch.__version__}" in seen and any(line.startswith("numpy==") for line in seen)
    assert any(word.startswith("celery") for word in seen) and any(word.startswith("rembg") for word in seen)
    assert "Nothing was changed" in capsys.readouterr().out
    assert install.main(["--extras", "nonsense"]) == 2


def test_a_real_pip_only_adds_or_refuses(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an environment with base 1.0: what fits is added beside it, though 2.0 is on offer; what wants 2.0 is refused
    and changes nothing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    )
    # pip, and a great deal to hold, from the interpreter of the tests: sooner than a pip of its own. Never import it:
    # setuptools, which torch's compiler needs, refuses to work in a process that has imported pip.
    Path(site.stdout.strip(), "more.pth").write_text(str(importlib.metadata.distribution("pip").locate_file("")))
    for name, version, need in (
        ("base", "1.0", ""),
        ("base", "2.0", ""),
        ("fits", "1.0", "base"),
        ("greedy", "1.0", "base>=2"),
    ):
        wheel(tmp_path, name, version, need)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    assert install.run([*install.pip(python), "base==1.0"], dry=False) == 0
    before = install.installed(python)
    assert install.add(python, ["greedy"], dry=False) == 1
    assert install.installed(python) == before
    assert "Nothing was changed" in capsys.readouterr().out
    assert install.add(python, ["fits"], dry=False) == 0
    assert install.installed(python) == {**before, "fits": "1.0"}


def wheel(folder: Path, name: str, version: str, need: str) -> None:
    """The smallest wheel that pip takes."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {need}\n" if need else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_commands_are_shown_as_they_are_typed_here(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.os, "name", "nt")
    assert install.shown([r"C:\My ComfyUI\python.exe", "-s"]) == r'"C:\My ComfyUI\python.exe" -s'
    monkeypatch.undo()
    assert install.shown(["/my comfy/python", "-s"]) == "'/my comfy/python' -s"


def test_all_extras_of_the_project_are_read(install: ModuleType) -> None:
    found = install.extras()
    assert {"models", "matting", "align", "queue", "cuda"} <= found.keys()
    assert not any(need.split(">")[0] == "torch" for needs in found.values() for need in needs)


def test_the_interpreter_of_portable_desktop_and_git_is_found(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "portable" / "ComfyUI" / "custom_nodes" / "Maquette"
    pack.mkdir(parents=True)
    portable = tmp_path / "portable" / "python_embeded" / "python.exe"
    git = tmp_path / "portable" / "ComfyUI" / "venv" / "bin" / "python"
    places = install.candidates(pack)
    assert places.index(portable) < places.index(git)
    assert install.pip(portable)[1] == "-s" and "-s" not in install.pip(git)
    monkeypatch.setattr(install, "ROOT", pack)
    monkeypatch.delenv("COMFYUI_PYTHON", raising=False)
    assert install.find_python() == Path(sys.executable)  # it has torch
    monkeypatch.setenv("COMFYUI_PYTHON", str(git))
    assert install.find_python() == git
    monkeypatch.delenv("COMFYUI_PYTHON")
    versions = {"torch": None}

    def no_torch(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name) if name in versions else AssertionError(name)

    monkeypatch.setattr(install.importlib.metadata, "version", no_torch)
    assert install.find_python() == Path(sys.executable)  # nothing better lies around
    for place in (git, tmp_path / "portable" / "ComfyUI" / ".venv" / "Scripts" / "python.exe", portable):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        assert install.find_python() == place  # git install, Desktop, portable: each wins over the ones before
