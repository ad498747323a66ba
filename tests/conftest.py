"""Set-up for all tests: the pack's root is a folder with a hyphen-proof name and an ``__init__.py`` of its own.

pytest would import the root ``__init__.py`` as a package; the plugin below makes it a plain folder, and the pack is
loaded once by path under the name ``pack`` where a test asks for it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(ROOT))  # tests only: the library itself never touches sys.path


class _PlainRoot:
    """Collect the repository's root as a folder, not as a package."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_PlainRoot(), "maquette-plain-root")


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    import random

    import numpy as np

    random.seed(0)
    np.random.seed(0)  # third-party code may read the global generator


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT
