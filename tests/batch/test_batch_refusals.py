"""What the driver refuses, and how it says so: slips of the user, graphs that do not fit, servers not there."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_for
from fake_server import WORKFLOW, FakeComfy, Faults
from test_batch_run import assert_complete, run, states

from maquette.batch.cli import main

Pictures = Callable[[int], Path]


def test_a_model_that_nobody_serves_is_refused_at_once(
    workflow: Path, tmp_path: Path, pictures: Pictures, server: FakeComfy
) -> None:
    folder = pictures(2)
    (folder / "m.jsonl").write_text(
        '{"image": "thing0000.png", "model_version": "a"}\n{"image": "thing0001.png", "model_version": "b"}\n'
    )
    out = tmp_path / "out"
    more = ("--server", f"{server.url}=a")
    assert run(folder / "m.jsonl", out, workflow, more=more) == 4
    assert states(out) == {"thing0000": "done", "thing0001": "dead"}


def test_a_slip_in_set_is_named_and_nothing_is_queued(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy
) -> None:
    assert run(pictures(1), tmp_path / "out", workflow, server, more=("--set", "2.resolutoin=64")) == 4
    assert not server.prompts
    letter = (tmp_path / "out" / "dead_letter" / "thing0000" / "error.json").read_text()
    assert "has no input 'resolutoin'" in letter


def test_a_dry_run_writes_nothing(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy, capsys: pytest.CaptureFixture
) -> None:
    archive = shutil.make_archive(str(tmp_path / "in"), "zip", pictures(2))
    assert run(Path(archive), tmp_path / "out", workflow, server, more=("--dry-run",)) == 0
    assert "2 items, 0 problems" in capsys.readouterr().out
    assert not (tmp_path / "out").exists() and not server.prompts and not server.uploads


def test_a_dry_run_without_its_server_ends_as_a_run_would(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy, capsys: pytest.CaptureFixture
) -> None:
    """Exit code 3: nothing is wrong with what was given, something is missing."""
    server.stop()
    assert run(pictures(1), tmp_path / "out", workflow, server, more=("--dry-run",)) == 3
    assert "nothing listens there); start ComfyUI there" in capsys.readouterr().out
    server.start()


def test_half_a_workflow_is_taken_back(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """A server queues a graph of which one output is wrong; the driver refuses it and leaves nothing running."""
    trouble = {"3": {"class_type": "SaveGLB", "errors": [{"message": "Value not in list", "details": "mesh"}]}}
    with FakeComfy(seconds=300, faults=Faults(node_errors=trouble)) as server:
        assert run(pictures(1), tmp_path / "out", workflow, server) == 4
        wait_for(lambda: not server.pending and not server.running)  # deleted before it began, or interrupted
        assert not server.executions
    letter = json.loads((tmp_path / "out" / "dead_letter" / "thing0000" / "error.json").read_text())
    assert letter["failure"] == "input" and "node 3 (SaveGLB): Value not in list mesh" in letter["error"]


def test_a_server_that_never_answers_is_waited_for_and_named(
    pictures: Pictures, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """What a newcomer sees who forgot to start ComfyUI; one that comes up late is used."""
    server = FakeComfy()
    more = ("--server", server.url, "--patience", "1")
    assert run(pictures(2), tmp_path / "out", workflow, more=more) == 3
    seen = capsys.readouterr()
    assert "nothing listens there); waiting up to 1 s: start ComfyUI" in seen.out
    assert "start ComfyUI and run this again" in seen.err
    late = threading.Timer(1.0, server.start)
    late.start()
    assert run(pictures(2), tmp_path / "out", workflow, more=(*more[:2], "--patience", "60")) == 0
    server.stop()
    assert_complete(tmp_path / "out", 2)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--server", "localhost:99999"), "no server address"),
        (("--server", "ftp://x"), "no server address"),
        (("--gate", "faces <"), "not an expression"),
        (("--gate", "watertigth"), "names 'watertigth'"),
        (("--set", "5=3"), "--set takes NODE.input=VALUE"),
        (("--set", "Foo.x=3"), "no node 'Foo'; it has 1 (LoadImage)"),
        (("--webhook", "nowhere"), "--webhook takes an http"),
        (("--cooldown", "-1"), "not 0 or more"),
        (("--retries", "some"), "not 0, 1, 2"),
    ],
)
def test_slips_of_the_command_line_are_named_at_once(
    more: tuple[str, ...], words: str, pictures: Pictures, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Exit code 2, one line, nothing written."""
    try:
        code = main([str(pictures(1)), "-o", str(tmp_path / "out"), "--workflow", str(workflow), *more])
    except SystemExit as stop:  # argparse's own
        code = int(str(stop.code))
    assert code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_address_that_moved_is_named(pictures: Pictures, workflow: Path, tmp_path: Path, capsys: Any) -> None:
    with FakeComfy(faults=Faults(moved_to="https://elsewhere/")) as server:
        assert run(pictures(1), tmp_path / "out", workflow, server, more=("--dry-run",)) == 2
    assert "sends on to https://elsewhere/" in capsys.readouterr().out


def test_a_workflow_is_data_and_nothing_in_it_runs(
    pictures: Pictures, tmp_path: Path, server: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that would be code elsewhere (eval, format strings, shell, pickles) reach the server as they stand."""
    evil = ["__import__('os').system('touch pwned')", "{0.__class__}", "$(touch pwned)", "%(x)s", "!!python/object:x"]
    graph = json.loads(json.dumps(WORKFLOW))
    graph["2"]["inputs"]["note"] = evil
    graph["2"]["_meta"] = {"title": evil[0]}
    workflow = tmp_path / "w.json"
    workflow.write_text(json.dumps(graph))
    monkeypatch.chdir(tmp_path)
    assert run(pictures(1), tmp_path / "out", workflow, server, more=("--set", f"2.words={evil[2]}")) == 4
    assert not server.prompts  # an input that the node does not have
    assert run(pictures(1), tmp_path / "out", workflow, server) == 0
    assert server.prompts[0]["prompt"]["2"]["inputs"]["note"] == evil
    assert not list(tmp_path.rglob("pwned"))
