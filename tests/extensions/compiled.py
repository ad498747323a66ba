"""What the tests of the kernel families share: a copy of the tree, compiled, and a comparison in a fresh process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maquette.native import extension

ROOT = Path(__file__).resolve().parents[2]
build = extension("build")
_LOADED = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import maquette.native as native
from pathlib import Path
native._load_from(Path({extensions!r}))
family = native.extension({family!r})
assert family.NATIVE, native.extension("build").why_not({family!r})
{code}
print("equal")
"""


def copied_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``extensions/`` without what was built; the build script then works on the copy."""
    target = tmp_path / "extensions"
    shutil.copytree(build.ROOT, target, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    monkeypatch.setattr(build, "ROOT", target)
    return target


def compile_and_compare(family: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build ``family`` from scratch in a copy of the tree and run ``code`` with it in a fresh process; skips where
    there is no compiler."""
    copied_extensions(tmp_path, monkeypatch)
    try:
        built = build.build(family, cuda=False)
    except build.BuildError as error:
        if "no C++ compiler" in str(error):
            pytest.skip(str(error))
        raise
    assert built.library.stat().st_size > 0 and build.why_not(family) == ""
    text = _LOADED.format(
        root=str(ROOT), tests=str(Path(__file__).parent), extensions=str(tmp_path / "extensions"), family=family,
        code=code,
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.strip() == "equal", done.stderr
