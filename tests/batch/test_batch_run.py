"""The driver against a fault-injecting server: nothing lost, nothing done twice, one bad picture stops nobody."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_server import FakeComfy, Faults

from maquette.batch.cli import main
from maquette.batch.ledger import Ledger
from maquette.batch.reading import glb_json

ROOT = Path(__file__).resolve().parent.parent.parent
Pictures = Callable[[int], Path]


def run(source: Path, out: Path, workflow: Path, *servers: FakeComfy, more: tuple[str, ...] = ()) -> int:
    arguments = [str(source), "-o", str(out), "--workflow", str(workflow), *more]
    arguments += [] if "--broker" in more else ["--cooldown", "0"]
    for server in servers:
        arguments += ["--server", server.url]
    return main(arguments)


def states(out: Path) -> dict[str, str]:
    with Ledger(out / "ledger.sqlite") as ledger:
        return {row.name: row.state for row in ledger.rows()}


def assert_complete(out: Path, count: int) -> None:
    """Every item has its own, whole GLB."""
    tags = set()
    for number in range(count):
        files = list((out / f"thing{number:04}").glob("*.glb"))
        assert len(files) == 1, f"thing{number:04}: {files}"
        tags.add(glb_json(files[0])["asset"]["extras"]["tag"])
    assert len(tags) == count


def test_a_folder_becomes_meshes_a_journal_and_a_page(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(pictures(5), out, workflow, server) == 0
    assert_complete(out, 5)
    assert sum(server.executions.values()) == 5
    assert server.most_at_once == 1
    assert "Total: 5 | Success: 5 | Skipped: 0 | Failed: 0" in capsys.readouterr().out
    events = [json.loads(text)["event"] for text in (out / "events.jsonl").read_text().splitlines()]
    assert events.count("done") == 5
    assert events[-1] == "summary"
    page = (out / "index.html").read_text()
    assert "thing0004" in page
    assert not list(out.glob(".work/*"))


def test_others_may_read_the_results_as_the_users_mask_says(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy
) -> None:
    old = os.umask(0o022)
    try:
        assert run(pictures(1), tmp_path / "out", workflow, server) == 0
    finally:
        os.umask(old)
    for path in (tmp_path / "out" / "index.html", tmp_path / "out" / "thing0000", *tmp_path.glob("out/thing0000/*")):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_a_second_run_skips_and_a_deleted_result_is_made_again(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy, capsys: pytest.CaptureFixture[str]
) -> None:
    out, source = tmp_path / "out", pictures(4)
    run(source, out, workflow, server)
    next((out / "thing0002").glob("*.glb")).unlink()
    capsys.readouterr()
    assert run(source, out, workflow, server) == 0
    text = capsys.readouterr().out
    assert text.count("(already done)") == 3
    assert "Success: 1 | Skipped: 3" in text
    assert sum(server.executions.values()) == 5
    assert_complete(out, 4)


def test_renamed_pictures_are_known_by_their_content(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy
) -> None:
    source, out = pictures(2), tmp_path / "out"
    run(source, out, workflow, server)
    (source / "thing0000.png").rename(source / "other.png")
    assert run(source, out, workflow, server) == 0
    assert sum(server.executions.values()) == 2


@pytest.mark.parametrize(
    "faults",
    [
        Faults(submit_status=[500, 502]),
        Faults(submit_then_cut=2),
        Faults(upload_status=[500, 502]),
        Faults(view_half=2),
        Faults(view_garbage=1),
        Faults(view_status=[500, 502]),
        Faults(history_status=[500, 502, 504]),
        Faults(drop_sockets=True),
    ],
    ids=lambda f: next(k for k, v in vars(f).items() if v),
)
def test_faults_of_the_wire_cost_nothing_but_time(
    faults: Faults, pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    """Every fault ends with all files whole and every item computed exactly once."""
    out = tmp_path / "out"
    with FakeComfy(faults=faults) as server, short_backoff():
        assert run(pictures(4), out, workflow, server) == 0
        assert set(server.executions.values()) == {1}
        assert len(server.executions) == 4
    assert_complete(out, 4)


def test_out_of_memory_goes_down_the_ladder_and_is_recorded(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeComfy(faults=Faults(out_of_memory_above=128)) as server, short_backoff():
        assert run(pictures(1), out, workflow, server) == 0
        asked = [p["prompt"]["2"]["inputs"]["resolution"] for p in server.prompts]
    assert asked == [512, 256, 128]
    done = [json.loads(text) for text in (out / "events.jsonl").read_text().splitlines()]
    notes = next(e["notes"] for e in done if e["event"] == "done")
    assert notes == ["Make (2): resolution 512 -> 128"]


def test_one_bad_picture_goes_to_the_dead_letters_and_the_rest_go_on(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    out, source = tmp_path / "out", pictures(3)
    key = key_of(source, workflow, "thing0001")
    with FakeComfy(faults=Faults(fail_names=frozenset({key[:16]}))) as server, short_backoff():
        assert run(source, out, workflow, server, more=("--retries", "1")) == 4
        tries = [p for p in server.prompts if key[:16] in p["prompt"]["1"]["inputs"]["image"]]
        assert len(tries) == 2
        letter = json.loads((out / "dead_letter" / "thing0001" / "error.json").read_text())
        assert "not amused" in letter["error"]
        assert "--retry-failed" in letter["retry"]
        assert (out / "dead_letter" / "thing0001" / "front.png").read_bytes() == (source / "thing0001.png").read_bytes()
        server.faults.fail_names = frozenset()
        assert run(source, out, workflow, server, more=("--retry-failed",)) == 0
    assert_complete(out, 3)


def test_an_input_error_is_not_repeated(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy(faults=Faults(broken_pictures=True)) as server:
        assert run(pictures(2), tmp_path / "out", workflow, server) == 4
        assert len(server.prompts) == 2


def test_the_gate_refuses_what_is_not_watertight(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy
) -> None:
    out = tmp_path / "out"
    assert run(pictures(1), out, workflow, server, more=("--gate", "watertight and faces <= 12")) == 0
    out = tmp_path / "strict"
    assert run(pictures(1), out, workflow, server, more=("--gate", "faces <= 11")) == 4
    assert not (out / "thing0000").exists()
    assert states(out) == {"thing0000": "dead"}


def test_a_server_that_restarts_in_the_middle_loses_nothing(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Killed while a prompt runs, history gone: the prompt is sent again, finished ones are not."""
    out = tmp_path / "out"
    with FakeComfy(seconds=0.25) as server:

        def restart() -> None:
            time.sleep(0.6)
            server.stop()
            time.sleep(0.4)
            server.start()

        thread = threading.Thread(target=restart)
        thread.start()
        assert run(pictures(5), out, workflow, server) == 0
        thread.join()
        assert set(server.executions.values()) == {1}
    assert_complete(out, 5)


def test_two_servers_share_the_work_one_job_each(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy(seconds=0.05) as a, FakeComfy(seconds=0.05) as b:
        assert run(pictures(12), tmp_path / "out", workflow, a, b) == 0
        assert a.most_at_once == b.most_at_once == 1
        assert min(len(a.executions), len(b.executions)) >= 3
        assert not a.executions.keys() & b.executions.keys()
    assert_complete(tmp_path / "out", 12)


def test_a_full_gpu_gets_no_job(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy() as free, FakeComfy() as full:
        full.vram_free = int(0.1 * full.vram)
        assert run(pictures(4), tmp_path / "out", workflow, free, full) == 0
        assert len(full.executions) == 0


def test_hostile_file_names_never_leave_the_output(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    for name in ("../../evil.glb", "/tmp/evil.glb", "..\\evil.glb", "C:\\evil.glb"):
        out = tmp_path / "out"
        with FakeComfy(faults=Faults(filename=name)) as server:
            assert run(pictures(1), out, workflow, server) == 4
        assert not list(tmp_path.rglob("evil*"))


def test_two_drivers_on_one_ledger(pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy) -> None:
    """The second refuses politely and changes nothing."""
    out = tmp_path / "out"
    with Ledger(out / "ledger.sqlite"):
        assert run(pictures(1), out, workflow, server) == 2
    assert run(pictures(1), out, workflow, server) == 0


@pytest.mark.slow
def test_kill_minus_nine_at_random_instants(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Twenty times killed: in the end every item is there, whole, and none was computed twice."""
    out, source = tmp_path / "out", pictures(150)
    chance = random.Random(7)
    with FakeComfy(seconds=0.03) as server:
        command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out), "--cooldown", "0"]
        command += ["--workflow", str(workflow), "--server", server.url]
        for _ in range(20):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3 + chance.random() * 0.5)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
        assert set(server.executions.values()) == {1}
        assert len(server.executions) == 150
    assert_complete(out, 150)


def test_ctrl_c_finishes_the_running_job_and_leaves(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    out, source = tmp_path / "out", pictures(20)
    with FakeComfy(seconds=0.3) as server:
        command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out), "--cooldown", "0"]
        command += ["--workflow", str(workflow), "--server", server.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while not server.running:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert len(server.executions) == 1
    assert text.count("COMPLETED") == 1
    assert sorted(states(out).values()).count("done") == 1


def short_backoff():
    """Retries come at once in tests."""
    patch = pytest.MonkeyPatch()
    patch.setattr("maquette.batch.driver.backoff_seconds", lambda *_: 0.0)

    class Undo:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            patch.undo()

    return Undo()


def key_of(source: Path, workflow: Path, name: str) -> str:
    from maquette.batch.items import read_items
    from maquette.batch.workflow import load_workflow

    item = next(i for i in read_items(str(source), source) if i.name == name)
    return item.key(load_workflow(workflow), ())
