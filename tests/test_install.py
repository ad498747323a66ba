"""install.py changes nothing unless asked, finds ComfyUI's interpreter, and only ever adds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
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
    monkeypatch.setattr(install, "needs", lambda: ["numpy", "no_such.thing"])
    assert install.main([]) == 0
    text = capsys.readouterr().out
    assert "missing no_such.thing" in text and "-m pip install" in text and "numpy" not in text.split("run:")[0]
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
