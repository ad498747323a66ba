"""The tiny TripoSR engine, loaded once."""

from __future__ import annotations

import pytest
from _triposr_tiny import tiny_engine

from maquette.reconstruct._triposr.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Of the golden weights; no test changes it."""
    return tiny_engine()
