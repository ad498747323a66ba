"""More faults: what another program, the disk, the clock or the user may do in the middle of a run."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import png, wait_for
from fake_server import WORKFLOW, FakeComfy, Faults
from test_batch_run import ROOT, assert_complete, key_of, run, short_backoff, states

from maquette.batch.client import Server
from maquette.batch.items import MARKER
from maquette.batch.ledger import Ledger
from maquette.batch.reading import glb_json

Pictures = Callable[[int], Path]


def test_several_prompts_left_on_one_server_are_all_found_again(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    """Three rows were submitted by a driver that died: each is fetched, none is sent twice."""
    out, source = tmp_path / "out", pictures(5)
    with FakeComfy(seconds=0.1) as server:
        assert run(source, out, workflow, server) == 0
        sent = len(server.prompts)
        with Ledger(out / "ledger.sqlite") as ledger:
            for row in list(ledger.rows())[:3]:
                ledger._db.execute("UPDATE items SET state='submitted', outputs='[]' WHERE key=?", (row.key,))
        assert run(source, out, workflow, server) == 0
        assert len(server.prompts) == sent
    assert_complete(out, 5)


def test_a_full_disk_stops_the_run_and_loses_nothing(
    pictures: Pictures, workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out, source, fetch = tmp_path / "out", pictures(4), Server.fetch

    def full(self: Server, file: object, target: Path) -> object:
        if len(list(out.glob("thing*"))) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return fetch(self, file, target)  # type: ignore[arg-type]

    with FakeComfy() as server:
        monkeypatch.setattr(Server, "fetch", full)
        assert run(source, out, workflow, server) == 3
        assert "no space is left" in capsys.readouterr().err
        monkeypatch.undo()
        assert run(source, out, workflow, server) == 0
        assert set(server.executions.values()) == {1}
    assert_complete(out, 4)


def test_a_picture_that_kills_the_server_is_given_up(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Lost again and again it counts as tried; the others are made."""
    out = tmp_path / "out"
    with FakeComfy() as server, short_backoff():
        server.faults.forget = lambda graph: "thing" not in graph["3"]["inputs"]["filename_prefix"]
        (pictures(2) / "poison.png").write_bytes(png(77))
        assert run(tmp_path / "in", out, workflow, server, more=("--retries", "1")) == 4
        assert len([p for p in server.prompts if "poison" in json.dumps(p)]) == 6
    assert states(out) == {"poison": "dead", "thing0000": "done", "thing0001": "done"}


def test_a_gpu_filled_by_cached_models_is_asked_to_free_them(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    with FakeComfy() as server:
        server.vram_free = server.vram // 20
        assert run(pictures(2), tmp_path / "out", workflow, server) == 0
        assert server.freed >= 1


def test_names_that_only_text_gives_may_be_missing(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Preview3DAdvanced names a file of temp/ as if it were output: that costs nothing."""
    out = tmp_path / "out"
    with FakeComfy() as server:
        server.faults.more_outputs = {"9": {"result": ["preview3d_advanced_x.glb", None, []], "text": ["a.png"]}}
        assert run(pictures(1), out, workflow, server) == 0
    assert_complete(out, 1)


def test_the_turntable_of_preview_mesh_becomes_the_thumbnail(pictures: Pictures, tmp_path: Path) -> None:
    graph = {**WORKFLOW, "9": {"class_type": "MaquettePreviewMesh", "inputs": {"mesh": ["2", 0]}}}
    workflow, out = tmp_path / "w.json", tmp_path / "out"
    workflow.write_text(json.dumps(graph))
    with FakeComfy() as server:
        server.files[("", "sheet.png")] = png(5)
        server.faults.more_outputs = {"9": {"images": [{"filename": "sheet.png", "subfolder": "", "type": "temp"}]}}
        assert run(pictures(1), out, workflow, server) == 0
    assert (out / "thing0000" / "turntable.png").read_bytes() == png(5)
    assert "thing0000/turntable.png" in (out / "index.html").read_text()


def test_equal_pictures_are_made_once_and_said(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy, capsys: pytest.CaptureFixture
) -> None:
    folder = pictures(2)
    shutil.copy(folder / "thing0000.png", folder / "copy.png")
    assert run(folder, tmp_path / "out", workflow, server) == 0
    text = capsys.readouterr().out
    assert "same pictures as copy" in text and "Total: 2 | Success: 2" in text


def test_a_prompt_that_starts_while_it_is_taken_back_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending when the driver asked, running when its order to delete arrives: it is interrupted all the same."""
    client = Server("http://127.0.0.1:1")
    answers, sent = [([], ["mine"]), (["mine"], [])], []
    monkeypatch.setattr(client, "queued", lambda: answers.pop(0))
    monkeypatch.setattr(client, "_send", lambda path, body: sent.append((path, body)))
    client.cancel("mine")
    assert sent == [("/queue", {"delete": ["mine"]}), ("/interrupt", {"prompt_id": "mine"})]


def test_a_password_opens_the_server_and_its_socket_and_is_never_shown(
    pictures: Pictures, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    with FakeComfy(faults=Faults(password="Basic bWU6cEA1NQ==")) as server:  # me:p@55
        more = ("--server", server.url.replace("//", "//me:p%4055@"), "-v")
        assert run(pictures(2), out, workflow, more=more) == 0
        assert server.sockets
    seen = "".join(capsys.readouterr()) + (out / "events.jsonl").read_text() + (out / "index.html").read_text()
    assert server.url in seen and "p%4055" not in seen and "p@55" not in seen
    assert_complete(out, 2)


def test_names_of_every_kind_go_through(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Unicode, spaces, 200 characters, reserved words, and two pictures of one name: each has its own result."""
    names = ["a b", "é" * 100, "b" * 200, "名前", "CON", "50%", "it's", "x/thing", "y/thing", "-o", "a.b.c", "a&b;c"]
    source, out = pictures(0), tmp_path / "out"
    for number, name in enumerate(names):
        (source / name).parent.mkdir(exist_ok=True)
        (source / f"{name}.png").write_bytes(png(number))
    with FakeComfy() as server:
        assert run(source, out, workflow, server) == 0
        assert sorted(server.executions.values()) == [1] * len(names)
        assert run(source, out, workflow, server) == 0
        assert sum(server.executions.values()) == len(names)
    folders = {path.parent.name for path in out.glob("*/item.json")}
    assert len(folders) == len(names)
    assert {"a b", "名前", "_CON", "50%", "x_thing", "y_thing", "-o", "a.b.c", "a&b;c"} <= folders
    tags = {glb_json(next(p.glob("*.glb")))["asset"]["extras"]["tag"] for p in out.iterdir() if (p / MARKER).exists()}
    assert len(tags) == len(names)


def test_a_file_that_never_comes_whole_is_given_up_and_left_nowhere(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with FakeComfy(faults=Faults(view_garbage=1000)) as server, short_backoff():
        assert run(pictures(1), out, workflow, server, more=("--retries", "1")) == 4
    letter = json.loads((out / "dead_letter" / "thing0000" / "error.json").read_text())
    assert letter["failure"] == "output" and "not a whole GLB" in letter["error"]
    assert not list(out.rglob("*.glb")) and not list(out.rglob(".part-*"))


def test_a_clock_that_jumps_stops_nobody(
    pictures: Pictures, workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock goes back by a week, then on by a month, in the middle of a run with retries: all is done once."""
    out, true, calls = tmp_path / "out", time.time, [0]

    def jumping() -> float:
        calls[0] += 1
        return true() + (0 if calls[0] < 10 else -7 * 86400 if calls[0] < 40 else 30 * 86400)

    monkeypatch.setattr(time, "time", jumping)
    with FakeComfy(faults=Faults(out_of_memory_above=256)) as server, short_backoff():
        assert run(pictures(6), out, workflow, server) == 0
        assert sorted(server.executions.values()) == [1] * 6
    assert calls[0] > 40
    assert_complete(out, 6)


def test_a_link_in_the_output_is_never_followed(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Somebody's link of an item's name, or of its dead letter's, leads nowhere: nothing outside is touched."""
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    (outside / MARKER).write_text("{}")
    (out / "dead_letter").mkdir(parents=True)
    (out / "thing0000").symlink_to(outside)
    (out / "dead_letter" / "thing0001").symlink_to(outside)
    source = pictures(2)
    bad = key_of(source, workflow, "thing0001")[:16]
    with FakeComfy(faults=Faults(fail_names=frozenset({bad}))) as server, short_backoff():
        assert run(source, out, workflow, server, more=("--retries", "0")) == 4
    assert [p.name for p in outside.iterdir()] == [MARKER] and (outside / MARKER).read_text() == "{}"
    assert list((out / "thing0000_2").glob("*.glb"))
    assert (out / "dead_letter" / "thing0001" / "error.json").is_file()


def test_a_second_driver_refuses_politely_and_the_first_goes_on(
    pictures: Pictures, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Two processes, one output: the second says why and changes nothing."""
    out, source = tmp_path / "out", pictures(4)
    with FakeComfy(seconds=0.5) as server:
        first = start(source, out, workflow, server)
        wait_for(lambda: bool(server.running))
        assert run(source, out, workflow, server) == 2
        assert "another driver is at work" in capsys.readouterr().err
        text, _ = first.communicate(timeout=60)
        assert first.returncode == 0 and "Success: 4" in text
        assert sorted(server.executions.values()) == [1] * 4
    assert_complete(out, 4)


def test_the_page_is_there_while_a_run_goes_on(
    pictures: Pictures, workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maquette.batch.run._PAGE_SECONDS", 0.0)
    out, seen = tmp_path / "out", []
    with FakeComfy() as server:
        server.faults.forget = lambda graph: seen.append((out / "index.html").exists()) or False
        assert run(pictures(4), out, workflow, server) == 0
    assert seen[0] is False and seen[-1] is True


def test_watch_takes_new_pictures_until_stopped(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    out, source = tmp_path / "out", pictures(1)
    with FakeComfy() as server:
        process = start(source, out, workflow, server, "--watch")
        wait_for(lambda: len(server.executions) == 1)
        (source / "late.png").write_bytes(png(500))
        wait_for(lambda: len(server.executions) == 2)
        wait_for(lambda: "late" in (out / "index.html").read_text())
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Total: 2 | Success: 2 | Skipped: 0" in text


def test_the_second_ctrl_c_interrupts_on_the_server(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    out, source = tmp_path / "out", pictures(3)
    with FakeComfy(seconds=30) as server:
        process = start(source, out, workflow, server)
        wait_for(lambda: bool(server.running))
        (running,) = server.running
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=30)
        assert server.cancelled == {running}
    assert process.returncode == 130 and "STOPPED" in text
    assert set(states(out).values()) == {"pending"}


def test_a_terminal_shows_bars_also_when_it_resumes(
    pictures: Pictures, workflow: Path, tmp_path: Path, server: FakeComfy
) -> None:
    """Items done, the node that runs and how far it is."""
    out, source = tmp_path / "out", pictures(3)
    run(source, out, workflow, server)
    (source / "more.png").write_bytes(png(400))
    server.seconds = 6  # long enough to be seen in the middle of it on a busy machine
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 140))
    process = start(source, out, workflow, server, stderr=theirs)
    os.close(theirs)
    seen = bytearray()

    def listen() -> None:
        try:
            while block := os.read(ours, 4096):
                seen.extend(block)
        except OSError:
            return

    thread = threading.Thread(target=listen)
    thread.start()
    process.communicate(timeout=60)
    thread.join(10)
    assert process.returncode == 0, seen.decode(errors="replace")[-2000:]
    assert b"4/4" in seen and b"already done" in seen and b"more: Make 25%" in seen


def test_a_slow_server_holds_up_nobody_else(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    """Every answer of one server takes long; all is done in the end, most of it by the other."""
    with FakeComfy() as quick, FakeComfy(faults=Faults(delay=0.3)) as slow:
        assert run(pictures(12), tmp_path / "out", workflow, quick, slow) == 0
        assert len(quick.executions) > len(slow.executions)
        assert not quick.executions.keys() & slow.executions.keys()
    assert_complete(tmp_path / "out", 12)


def start(
    source: Path, out: Path, workflow: Path, server: FakeComfy, *more: str, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out), "--cooldown", "0"]
    command += ["--workflow", str(workflow), "--server", server.url, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
