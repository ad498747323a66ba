"""CONTRIBUTING.md's worked example is run as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def box_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example, dropped in as ``reconstruct/box.py`` (through a second folder on the stage's path)."""
    import maquette.reconstruct as stage

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"the next code block -->\n```python\n(.*?)\n```", text, re.S)
    assert block is not None
    (tmp_path / "box.py").write_text(block[1].replace("from ..", "from maquette."), encoding="utf-8")
    monkeypatch.setattr(stage, "__path__", [*stage.__path__, str(tmp_path)])
    yield
    sys.modules.pop("maquette.reconstruct.box", None)


def test_the_worked_example_is_a_backend(box_backend: None) -> None:
    """One dropped file is listed, is not chosen by ``auto``, and gives a normalised closed box."""
    from maquette.data import View
    from maquette.mesh import certify
    from maquette.reconstruct import load, names, reconstruct

    assert "box" in names()
    assert load("auto").SPEC.name != "box"
    mask = np.zeros((64, 64), np.float32)
    mask[8:56, 20:44] = 1
    made = reconstruct([View(np.full((64, 64, 3), 0.5, np.float32), mask)], "box")
    low, high = made.mesh.bounds
    np.testing.assert_allclose(high - low, [0.5, 1.0, 0.5], atol=1e-6)
    report = certify(made.mesh)
    assert report.certified
    assert report.volume == pytest.approx(0.25, rel=1e-5)
