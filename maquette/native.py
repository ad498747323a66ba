"""The door to ``extensions/``, which lies beside this package: as part of the pack inside ComfyUI, as the top-level
package ``maquette_extensions`` after ``pip install``. It is loaded by path under one name, so that a TORCH_LIBRARY is
never registered twice in one process.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_NAME = "maquette_extensions"


def extension(family: str) -> ModuleType:
    """The wrapper module of one kernel family (``extensions/<family>``), compiled or its PyTorch twin."""
    if _NAME not in sys.modules and importlib.util.find_spec(_NAME) is None:
        _load_from(Path(__file__).resolve().parent.parent / "extensions")
    return importlib.import_module(f"{_NAME}.{family}")


def _load_from(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
