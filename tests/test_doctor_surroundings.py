"""The doctor's look at ComfyUI, ports, kernels and packages that break each other."""

from __future__ import annotations

import importlib.metadata
import socket
from pathlib import Path

import pytest

from maquette import doctor


def test_the_port_of_comfyui_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(doctor, "COMFYUI_PORT", server.getsockname()[1])
        assert any(f.name == "port" and "free" in f.value for f in doctor._surroundings())
        server.listen()
        assert any(f.name == "port" and "answers" in f.value for f in doctor._surroundings())


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
