"""The driver's parts by themselves: what is read, what is collected, what is remembered, what is shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from conftest import png
from hypothesis import given
from hypothesis import strategies as st

from maquette.batch.failures import at_rung, backoff_seconds, from_history, lowest_rung
from maquette.batch.items import MARKER, OWN_NAMES, Item, group_views, read_items, safe_file_name, safe_name, unpack
from maquette.batch.job import local_names, put_in_place
from maquette.batch.journal import Journal, WebHook
from maquette.batch.ledger import Ledger
from maquette.batch.outputs import RemoteFile, collect, is_safe
from maquette.batch.page import write_page
from maquette.batch.workflow import Override, apply_overrides, assign_images, checked, problems, unknown_inputs
from maquette.errors import BadInputError

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=30), st.sampled_from(["../a.glb", "a.glb"])
)
ANYTHING = st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x, max_size=3))


@given(st.dictionaries(st.text(max_size=3), ANYTHING, max_size=4))
def test_no_shape_of_outputs_breaks_collect_or_leads_out(outputs: dict[str, object]) -> None:
    """Whatever a node's author puts into a ui dict, only safe names of output files come back, each once."""
    files = collect(outputs)
    assert len({(f.filename, f.subfolder) for f in files}) == len(files)
    assert all(is_safe(f) and f.type == "output" and ".." not in f.subfolder.split("/") for f in files)


def test_every_known_shape_of_3d_output_is_found_once() -> None:
    outputs = {
        "1": {"3d": [{"filename": "a_00001_.glb", "subfolder": "3d", "type": "output"}]},
        "2": {"result": ["3d/a_00001_.glb", None, None]},
        "3": {"result": ["preview3d_x.glb [temp]", None, None]},
        "4": {"result": ["3d\\b.obj [output]", {"position": "c.glb"}]},
        "5": {"images": [{"filename": "t.png", "subfolder": "", "type": "temp"}], "text": ["no file"]},
        "6": {"gifs": [{"filename": "g.gif"}], "mesh": "deep/er/m.ply"},
    }
    files = {f"{f.subfolder}/{f.filename}".lstrip("/"): f.sure for f in collect(outputs)}
    assert files == {"3d/a_00001_.glb": True, "3d/b.obj": False, "g.gif": True, "deep/er/m.ply": False}


@given(st.text(max_size=300))
def test_safe_names_are_safe_everywhere(text: str) -> None:
    for name in (safe_name(text), safe_file_name(text)):
        assert name and len(name.encode()) <= 140 and name not in (".", "..")
        assert not set(name) & set('<>:"/\\|?*') and not any(ord(c) < 32 for c in name)
        assert name.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1"}
        assert safe_name(safe_name(text)) == safe_name(text)


def test_a_long_file_name_keeps_its_suffix() -> None:
    assert safe_file_name("é" * 200 + ".glb").endswith(".glb")
    files = [RemoteFile("1", "a:b.glb", x, "output") for x in "pqr"]
    assert sorted(local_names(files).values()) == ["a_b.glb", "a_b_2.glb", "a_b_3.glb"]


def test_no_picture_of_a_folder_is_dropped(tmp_path: Path) -> None:
    """Views go together, everything else is an item of its own; our own names and equal names get a number."""
    names = ["robot_front.png", "robot_back.jpg", "robot_front.jpg", "a.png", "a.jpg", "fox/front.png", "fox/left.png"]
    names += ["ledger.sqlite.png", "dead_letter.png", "名前 x.png", "b" * 200 + ".png", "deep/front.png", "CON.png"]
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(number))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.png").write_bytes(png(99))
    items = read_items(str(tmp_path), tmp_path / "zip")
    assert sum(len(item.views) for item in items) == len(names)
    by_name = {item.name: sorted(item.views) for item in items}
    assert len(by_name) == len(items)
    assert by_name["robot"] == ["back", "front"] and by_name["robot_2"] == ["front"]
    assert by_name["fox"] == ["front", "left"] and by_name["deep_front"] == ["front"]
    assert {"a", "a_2", "_CON", "名前 x"} <= by_name.keys()
    assert not {name.lower() for name in by_name} & set(OWN_NAMES)


def test_results_are_never_taken_for_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    made = tmp_path / "a"
    made.mkdir()
    (made / "turntable.png").write_bytes(png(2))
    assert len(read_items(str(tmp_path), tmp_path, tmp_path)) == 2
    (made / MARKER).write_text("{}")
    assert [i.name for i in read_items(str(tmp_path), tmp_path, tmp_path)] == ["a"]
    assert [i.name for i in read_items(str(tmp_path / "**" / "*.png"), tmp_path, made)] == ["a"]


def test_somebody_elses_folder_is_never_replaced(tmp_path: Path) -> None:
    """A folder of the item's name that the driver did not make stays; the driver's own is replaced."""
    theirs, fresh = tmp_path / "robot", tmp_path / "new"
    theirs.mkdir()
    (theirs / "holiday.png").write_bytes(b"x")
    for expected in (False, True):
        fresh.mkdir()
        (fresh / MARKER).write_text("{}")
        assert put_in_place(fresh, theirs) == (tmp_path / "robot_2", expected)
    assert (theirs / "holiday.png").exists()


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "C:\\x.png", "a/../../x.png", "\\x.png"])
def test_a_zip_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        info = zipfile.ZipInfo("x.png")
        info.filename = name
        bundle.writestr(info, png(1))
    with pytest.raises(BadInputError, match="leads out"):
        list(unpack(archive, tmp_path / "to" / "here"))
    assert not list(tmp_path.rglob("x.png"))


def test_zip_links_bombs_and_damage_are_refused_and_doubles_kept(tmp_path: Path) -> None:
    link, bomb, broken, fine = (tmp_path / f"{n}.zip" for n in ("link", "bomb", "broken", "fine"))
    with zipfile.ZipFile(link, "w") as bundle:
        info = zipfile.ZipInfo("x.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(info, "/etc/passwd")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("x.png", bytes(30_000_000))
    with zipfile.ZipFile(fine, "w") as bundle:
        for number, name in enumerate(("a?.png", "a_.png", "A_.png", "__MACOSX/._a.png")):
            bundle.writestr(name, png(number))
    data = fine.read_bytes()
    broken.write_bytes(data.replace(png(0), png(7), 1))
    for archive in (link, bomb, broken):
        with pytest.raises(BadInputError):
            list(unpack(archive, tmp_path / "to"))
    assert len({p.read_bytes() for p in unpack(fine, tmp_path / "ok")}) == 3


def test_a_manifest_sets_seed_views_and_overrides(tmp_path: Path) -> None:
    for name in ("a_front.png", "a_back.png"):
        (tmp_path / name).write_bytes(png(1))
    manifest = tmp_path / "m.csv"
    manifest.write_text("front,back,name,seed,2.resolution,model_version\na_front.png,a_back.png,Öl/1,7,64,triposr\n")
    (item,) = read_items(str(manifest), tmp_path)
    assert (item.name, item.model_version, sorted(item.views)) == ("Öl_1", "triposr", ["back", "front"])
    graph = checked({"2": {"class_type": "Make", "inputs": {"resolution": 512, "seed": 0, "image": ["1", 0]}}}, "x")
    assert apply_overrides(graph, item.overrides)["2"]["inputs"] == {"resolution": 64, "seed": 7, "image": ["1", 0]}
    for text in ('{"image": "gone.png"}', "[1]", '{"views": "front"}', "{", '{"image": "a_front.png", "overrides": 3}'):
        bad = tmp_path / "m.jsonl"
        bad.write_text(text)
        with pytest.raises(BadInputError, match="line 1"):
            read_items(str(bad), tmp_path)
    manifest.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="UTF-8"):
        read_items(str(manifest), tmp_path)


def test_views_go_to_the_node_that_names_them() -> None:
    graph = {
        str(n): {"class_type": "LoadImage", "inputs": {"image": ""}, "_meta": {"title": t}}
        for n, t in ((10, "Back view"), (9, "Front view"))
    }
    out = assign_images(graph, {"front": "f", "back": "b"})
    assert (out["9"]["inputs"]["image"], out["10"]["inputs"]["image"]) == ("f", "b")
    assert graph["9"]["inputs"]["image"] == ""
    with pytest.raises(BadInputError, match="left"):
        assign_images(graph, {"front": "f", "left": "l"})
    with pytest.raises(BadInputError, match="also needs"):
        assign_images(graph, {"front": "f"})


def test_a_graph_is_checked_before_it_is_sent() -> None:
    known = {"A": {"input": {"required": {"mode": [["x", "y"]], "n": ["INT"]}, "optional": {"dyn": ["X"]}}}}
    graph = {"1": {"class_type": "A", "inputs": {"mode": "z", "dyn.sub": 1}}, "2": {"class_type": "B", "inputs": {}}}
    text = "\n".join(problems(graph, known))
    assert "choose one of x, y" in text and "'n' is not set" in text and "no node class 'B'" in text
    slip = [Override.parse("1.resolutoin=3"), Override.parse("A.dyn.sub=4")]
    assert len(unknown_inputs(graph, slip, known)) == 1
    with pytest.raises(BadInputError, match="API format"):
        checked({"nodes": [], "links": []}, "w")


def test_failures_are_told_apart() -> None:
    def kind(node: str, exception: str, message: str = "") -> str:
        facts = {"node_id": "1", "node_type": node, "exception_type": exception, "exception_message": message}
        found = from_history({"status": {"messages": [["execution_error", facts]], "status_str": "error"}}, {})
        assert found is not None
        return found.kind

    assert kind("Make", "torch.OutOfMemoryError") == "memory"
    assert kind("Make", "RuntimeError", "CUDA error: out of memory") == "memory"
    assert kind("LoadImage", "OSError") == "input"
    assert kind("Make", "maquette.errors.BadMaskError") == "input"
    assert kind("Make", "KeyError") == "node"
    assert from_history({"status": {"status_str": "success", "messages": [["execution_cached", {}]]}}, {}) is None


@given(st.integers(1, 4096), st.integers(0, 12))
def test_the_ladder_only_goes_down_and_ends(resolution: int, rung: int) -> None:
    graph = {"1": {"class_type": "A", "inputs": {"resolution": resolution, "texture_size": ["2", 0]}}}
    low = at_rung(graph, rung)[0]["1"]["inputs"]["resolution"]
    assert min(64, resolution) <= low <= resolution
    assert lowest_rung(graph) <= 7


@given(st.integers(1, 60), st.floats(0, 1))
def test_back_off_grows_up_to_its_ceiling(attempt: int, share: float) -> None:
    assert 2.5 <= backoff_seconds(attempt, 5, 300, share) <= 300


def test_a_clock_set_back_stops_nobody_and_the_ledger_refuses_another_version(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add((f"k{n}", f"n{n}") for n in range(200))
        ledger.failed("k150", "node", "x", not_before=5000.0, rung=0)
        assert [row.key for row in ledger.ready(now=4000.0)] == [f"k{n}" for n in range(200) if n != 150]
        assert next(ledger.ready(now=6000.0)).key == "k150"
        assert next(ledger.ready(now=-900_000.0)).key == "k150"
        ledger.add([("k3", "renamed")])
        row = ledger.get("k3")
        assert row is not None and row.name == "renamed"
        ledger._db.execute("UPDATE meta SET value='99'")
    for _ in range(2):  # the lock is not kept by the refusal
        with pytest.raises(BadInputError, match="version 99"):
            Ledger(tmp_path / "l.sqlite")
    (tmp_path / "junk.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(BadInputError, match="move it away"):
        Ledger(tmp_path / "junk.sqlite")


def test_a_result_that_is_replaced_is_made_again_for_its_first_owner(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add([("old", "a_b"), ("new", "a_b"), ("other", "axb")])
        for key, folder in (("old", "a_b"), ("new", "a_b"), ("other", "axb")):
            ledger.done(key, [{"path": f"{folder}/x.glb", "sha256": "", "bytes": 1}], 1.0, 1.0)
        ledger.replaced("new", "a_b")
        assert {row.key: row.state for row in ledger.rows()} == {"old": "pending", "new": "done", "other": "done"}


def test_half_a_line_in_the_journal_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "do')
    journal = Journal(path)
    journal.write("done", {"name": "ü\n"})
    journal.close()
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["event"] == "done"


def test_web_hooks_are_signed_retried_and_keep_their_secret(caplog: pytest.LogCaptureFixture) -> None:
    got: list[tuple[bytes, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((body, self.headers["X-Maquette-Signature"], self.headers["X-Maquette-Delivery"]))
            self.send_response(500 if len(got) < 3 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    caplog.set_level("DEBUG", logger="maquette")
    hook = WebHook(f"http://user:pa55@127.0.0.1:{httpd.server_port}/h?token=t0ken", "s3cret", pause=0.01)
    hook.send("done", {"name": "a"})
    hook.close()
    httpd.shutdown()
    dead = WebHook(f"http://user:pa55@127.0.0.1:{httpd.server_port}/h?token=t0ken", "s3cret", tries=1)
    httpd.server_close()
    assert not dead.post("done", {})
    assert len(got) == 3 and len({delivery for *_, delivery in got}) == 1
    assert got[0][1] == "sha256=" + hmac.new(b"s3cret", got[0][0], hashlib.sha256).hexdigest()
    assert "did not take" in caplog.text
    for secret in ("s3cret", "t0ken", "pa55"):
        assert secret not in caplog.text


def test_the_page_escapes_everything(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add([("k", evil)])
        ledger.dead("k", "node", evil, time.time())
        text = write_page(tmp_path, ledger).read_text(encoding="utf-8")
    assert evil not in text and "<img src=x" not in text
    assert text.count("<script") == 1 and text.count("</script") == 1


def test_the_page_keeps_one_script_per_model_and_no_old_one(tmp_path: Path) -> None:
    """Made once, not read again, and gone with the result that it was of."""
    (tmp_path / "a").mkdir()
    model = tmp_path / "a" / "x.glb"
    model.write_bytes(b"first")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add([("k", "a")])
        scripts = []
        for digest in ("1", "1", "2"):
            ledger.done("k", [{"path": "a/x.glb", "sha256": digest, "bytes": 5}], 1.0, 1.0)
            write_page(tmp_path, ledger)
            (script,) = (tmp_path / ".page").glob("*")
            scripts.append((script.name, script.read_text()))
            model.write_bytes(b"other")
    assert scripts[0] == scripts[1] != scripts[2] and "b3RoZXI=" in scripts[2][1]


def test_an_item_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    a.write_bytes(png(1))
    b.write_bytes(png(1))
    one, two = group_views([a]), group_views([b])
    assert one[0].key({}, ()) == two[0].key({}, ())
    assert one[0].key({}, ()) != Item("a", {"back": a}).key({}, ())
    assert one[0].key({}, ()) != one[0].key({"1": {"class_type": "A", "inputs": {}}}, ())
