"""The doctor's look at ComfyUI, ports, kernels and packages that break each other."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from maquette import doctor, memory

sys.path.insert(0, str(Path(__file__).parent / "batch"))
from fake_server import FakeComfy


def test_the_port_of_comfyui_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(doctor, "COMFYUI_PORT", server.getsockname()[1])
        assert any(f.name == "port" and "free" in f.value for f in doctor._surroundings())
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=hang_up, args=(other,), daemon=True).start()
        assert "not ComfyUI" in doctor._who_answers(other.getsockname()[1])
    with FakeComfy() as comfy:
        assert doctor._who_answers(comfy.port) == "ComfyUI of unknown version is running"


@pytest.mark.parametrize(("version", "state"), [("0.3.64", "ok"), ("0.33.0", "ok"), ("0.3.9", "note")])
def test_an_old_comfyui_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, state: str) -> None:
    (tmp_path / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    monkeypatch.setattr(doctor, "comfyui_folder", lambda: tmp_path)
    (found,) = [f for f in doctor._surroundings() if f.name == "comfyui"]
    assert (found.value, found.state) == (version, state)


def test_spconv_beside_numpy_2_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"spconv-cu120": "2.3.6", "numpy": "2.1.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    assert "numpy<2" in doctor._conflicts()[0].remedy
    versions["numpy"] = "1.26.4"
    assert not doctor._conflicts()


def test_every_kernel_says_what_it_is_or_why_not() -> None:
    found = {f.name: f for f in doctor._kernels()}
    assert "attention" in found and any(name.startswith("kernel ") for name in found)
    assert all(f.state == "ok" or "install.py" in f.value for f in found.values())


def test_everything_of_requirements_is_looked_for(root: Path) -> None:
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[<>=]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names == set(doctor.NEEDED)


def test_wsl_is_told_its_memory_limit_and_a_windows_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "release", lambda: "6.6.87.2-microsoft-standard-WSL2")
    monkeypatch.setattr(doctor, "__file__", "/mnt/c/ComfyUI/custom_nodes/Maquette/maquette/doctor.py")
    monkeypatch.setattr(doctor, "total_memory_bytes", lambda: 8 << 30)
    found = {f.name: f for f in doctor._wsl()}
    assert "times slower" in found["drive"].remedy and ".wslconfig" in found["wsl memory"].remedy
    monkeypatch.setattr(doctor, "__file__", "/opt/ComfyUI/custom_nodes/Maquette/maquette/doctor.py")
    monkeypatch.setattr(doctor, "total_memory_bytes", lambda: 32 << 30)
    assert [f.name for f in doctor._wsl()] == ["wsl"]
    monkeypatch.setattr(doctor.platform, "release", lambda: "6.1.0-amd64")
    assert doctor._wsl() == []


def test_memory_and_disk_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only psutil knows the memory (Windows)."""
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=4 << 30)))
    monkeypatch.setattr(memory.os, "sysconf_names", {})
    assert doctor.total_memory_bytes() == 4 << 30
    (found,) = doctor._memory()
    assert found.state == "note" and found.value == "4.0 GiB" and "128" in found.remedy
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert doctor.total_memory_bytes() is None and doctor._memory() == []
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    assert doctor._disk()[0].state == "note"


def test_a_card_that_torch_cannot_use_is_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    assert not doctor._no_gpu(None).remedy
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert "CUDA build" in doctor._no_gpu(None).remedy and "driver" in doctor._no_gpu("12.8").remedy


def test_the_portable_interpreter_has_its_own_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "executable", r"C:\My ComfyUI\python_embeded\python.exe")
    assert doctor.pip_command() == r'"C:\My ComfyUI\python_embeded\python.exe" -s -m pip install'
    assert "portable" in doctor._interpreter()[0].value


def test_models_found_and_missing_are_listed(tmp_path: Path) -> None:
    found = doctor._models(str(tmp_path))
    assert found and all("MB)" in f.value and f.state == "note" for f in found)


def test_every_finding_has_one_line_and_its_remedy_another() -> None:
    bad = doctor.Finding("x", "missing", "not installed", "pip install x")
    text = list(doctor.lines([doctor.Finding("y", "ok", "1"), bad]))
    assert "MISSING x" in text[1] and text[2].strip() == "-> pip install x" and "cannot run yet" in text[-1]


def hang_up(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()
