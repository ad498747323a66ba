"""The run for a GPU machine keeps every figure, whatever happens to a step."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks import gpu

SAY = "from benchmarks._gpu_measure import say; say('{name}', 'native', 1.5); "


def step(name: str, limit: float, code: str) -> gpu.Step:
    return gpu.Step(name, limit, [sys.executable, "-c", code])


def test_figures_survive_steps_that_hang_or_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that hangs is stopped with all it started, one that fails is named, and the next is begun."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    script = [
        step("hangs", 6, SAY.format(name="first") + child),
        step("fails", 60, SAY.format(name="second") + "print('ROW {', flush=True); raise SystemExit(3)"),
        step("goes well", 60, SAY.format(name="third")),
    ]
    monkeypatch.setattr(gpu, "steps", lambda device, tiny, folder: script)
    began = time.monotonic()
    assert gpu.main(["--device", "cuda:7", "--out", str(tmp_path)]) == 1
    assert time.monotonic() - began < 120
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["row"] for row in found["rows"]] == ["first", "second", "third"]
    assert [one["outcome"] for one in found["steps"]] == ["stopped after 6 s", "failed (3)", "done"]
    text = (tmp_path / "gpu.md").read_text()
    assert all(word in text for word in ("| first", "| third", "stopped after 6 s"))
    assert "===== fails" in (tmp_path / "gpu.log").read_text()


def test_no_step_is_begun_without_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minutes are the whole run's."""
    monkeypatch.setattr(gpu, "steps", lambda device, tiny, folder: [step("late", 60, SAY.format(name="never"))])
    assert gpu.main(["--device", "cpu", "--minutes", "0", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["rows"] == [] and found["steps"][0]["outcome"] == "not begun: no time left"


def test_the_steps_name_what_exists(tmp_path: Path) -> None:
    """Every row, every module and every model that the run would ask for."""
    from importlib.util import find_spec

    from benchmarks import _gpu_models, _gpu_rows
    from benchmarks.models import WORK

    assert set(_gpu_models.MODELS) <= set(WORK)
    rows = set()
    for one in gpu.steps("cuda", False, tmp_path):
        if one.name == "sanitizer":
            continue
        assert one.command[1] == "-m" and find_spec(one.command[2]) is not None
        if one.command[2] == "benchmarks._gpu_rows":
            rows.add(one.command[3])
    assert rows == set(_gpu_rows.WORKS)


def test_a_model_is_chosen_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--only qwen``, not all models."""
    begun = []
    monkeypatch.setattr(gpu, "run", lambda step, *rest: begun.append(step.label) or "done")
    assert gpu.main(["--device", "cpu", "--only", "qwen, unwrap", "--out", str(tmp_path)]) == 0
    assert begun == ["model detect qwen3-vl-2b", "unwrap"]


def test_the_memory_checker_comes_last_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found beside nvcc, also when it is not on the path; never for a CPU."""
    tool = tmp_path / "bin" / "compute-sanitizer"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert all(one.name != "sanitizer" for one in gpu.steps("cuda", False, tmp_path))
    tool.write_text("")
    tool.chmod(0o755)
    last = gpu.steps("cuda", False, tmp_path)[-1]
    assert last.name == "sanitizer" and last.command[0] == str(tool)
    assert all(one.name != "sanitizer" for one in gpu.steps("cpu", True, tmp_path))
