"""One renderer for all tests of scenes."""

from __future__ import annotations

import pytest

from training.scenes.native import Renderer


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    return Renderer("cpu")
