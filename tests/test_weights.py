"""Weights: found locally first, downloaded whole or not at all, against a server that misbehaves on purpose."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from maquette import weights
from maquette.backends import Spec, WeightFile
from maquette.errors import BadInputError, Cancelled, WeightsError
from maquette.progress import Progress
from maquette.weights import _download

CONTENT = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = WeightFile("someone/model", "abc123", "model.ckpt", len(CONTENT), DIGEST)
SPEC = Spec("toy", "Toy model", "for tests", weights=(FILE,), folder="toy")


class Server(ThreadingHTTPServer):
    """Serves CONTENT; the test sets how it fails."""

    cut_after: int = -1
    cuts: int = 0
    status: int = 0
    content: bytes = CONTENT
    resumes: bool = True
    log: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        server, ranged = self.server, self.headers.get("Range")
        server.log.append((self.path, ranged))
        if server.status:
            self.send_error(server.status)
            return
        start = int(ranged[6:-1]) if ranged and server.resumes else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cuts > 0:
            server.cuts -= 1
            self.wfile.write(body[: server.cut_after])
            self.close_connection = True
            return
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    httpd = Server(("127.0.0.1", 0), Handler)
    httpd.log = []
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{httpd.server_port}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_HUB_OFFLINE", "MAQUETTE_OFFLINE", "MAQUETTE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_download, "_pause", lambda *_: None)
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def left_over(folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".lock")}


def test_a_download_is_whole_checked_and_done_once(server: Server, tmp_path: Path) -> None:
    """Pinned revision, progress with megabytes, and no second request."""
    seen: list[tuple[float, str]] = []
    progress = Progress(report=lambda share, label: seen.append((share, label)))
    (path,) = weights.require(SPEC, models_dir=tmp_path, progress=progress)
    assert path == tmp_path / "toy" / "model.ckpt"
    assert path.read_bytes() == CONTENT
    assert server.log == [("/someone/model/resolve/abc123/model.ckpt", None)]
    assert any("of 5 MB" in label for _, label in seen)
    assert [share for share, _ in seen] != []
    weights.require(SPEC, models_dir=tmp_path)
    assert len(server.log) == 1


def test_a_broken_connection_is_resumed_where_it_stopped(server: Server, tmp_path: Path) -> None:
    """Twice cut off, never started over."""
    server.cuts, server.cut_after = 2, 1_500_000
    (path,) = weights.require(SPEC, models_dir=tmp_path)
    assert path.read_bytes() == CONTENT
    starts = [int(ranged[6:-1]) if ranged else 0 for _, ranged in server.log]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert starts[1] > 0


def test_a_server_that_cannot_resume_still_works(server: Server, tmp_path: Path) -> None:
    """It sends everything again; nothing is glued together wrongly."""
    server.cuts, server.cut_after, server.resumes = 1, 2_000_000, False
    (path,) = weights.require(SPEC, models_dir=tmp_path)
    assert path.read_bytes() == CONTENT


def test_network_loss_leaves_only_a_part_and_the_next_run_goes_on(server: Server, tmp_path: Path) -> None:
    """After all tries: an error, no model, and a resumed second run."""
    server.cuts, server.cut_after = _download.TRIES, 300_000
    with pytest.raises(WeightsError, match="broke off 5 times"):
        weights.require(SPEC, models_dir=tmp_path)
    assert left_over(tmp_path) == {"model.ckpt.part"}
    assert weights.locate(SPEC, tmp_path) == [None]
    (path,) = weights.require(SPEC, models_dir=tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.log[-1][1] is not None


def test_a_part_that_was_whole_already_does_not_bar_the_download(server: Server, tmp_path: Path) -> None:
    """Killed between the last byte and the rename, for a file whose size nobody published: the hub answers 416 to the
    question for the rest, for ever."""
    spec = replace(SPEC, weights=(replace(FILE, size=None, sha256=None),))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "model.ckpt.part").write_bytes(CONTENT)
    (path,) = weights.require(spec, models_dir=tmp_path)
    assert path.read_bytes() == CONTENT and left_over(tmp_path / "toy") == {"model.ckpt"}


def test_other_bytes_are_refused_with_both_hashes_and_not_kept(server: Server, tmp_path: Path) -> None:
    """A proxy's error page of the right length is no model."""
    server.content = b"x" * len(CONTENT)
    with pytest.raises(WeightsError) as error:
        weights.require(SPEC, models_dir=tmp_path)
    assert DIGEST in str(error.value)
    assert hashlib.sha256(server.content).hexdigest() in str(error.value)
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize(("status", "words"), [(401, "licence"), (403, "HF_TOKEN"), (404, "no longer"), (418, "418")])
def test_refusals_say_what_to_do(server: Server, tmp_path: Path, status: int, words: str) -> None:
    """Gated, gone, odd."""
    server.status = status
    with pytest.raises(WeightsError, match=words):
        weights.require(SPEC, models_dir=tmp_path)
    assert left_over(tmp_path) == set()


def test_cancel_passes_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    """The user's Cancel in the middle of a download."""

    def stop(share: float, label: str) -> None:
        if "downloading" in label and share > 0.3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        weights.require(SPEC, models_dir=tmp_path, progress=Progress(report=stop))
    assert left_over(tmp_path) == {"model.ckpt.part"}


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "MAQUETTE_OFFLINE"])
def test_offline_nothing_is_asked_and_the_message_says_where_the_file_goes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    """Also when huggingface_hub was imported before the switch was set."""
    monkeypatch.setenv(switch, "1")
    with pytest.raises(WeightsError) as error:
        weights.require(SPEC, models_dir=tmp_path)
    assert str(tmp_path / "toy" / "model.ckpt") in str(error.value)
    assert "someone/model" in str(error.value)
    assert server.log == []


def test_a_disk_without_room_is_refused_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how much is missing."""
    monkeypatch.setattr(_download, "SPARE", 1 << 60)
    with pytest.raises(WeightsError, match=r"free but .model\.ckpt. needs 5 MB"):
        weights.require(SPEC, models_dir=tmp_path)
    assert server.log == []


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
from pathlib import Path
from test_weights import SPEC
from maquette import weights
from maquette.errors import WeightsError
try:
    weights.require(SPEC, models_dir=Path(sys.argv[1]))
except WeightsError as error:
    print(error)
"""


def child(root: Path, code: str, *args: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(root), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen([sys.executable, "-c", code, *args], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="the limit that stands in for a full disk exists on POSIX only")
def test_a_disk_that_fills_up_is_cleaned_again(server: Server, tmp_path: Path, root: Path) -> None:
    """The write itself fails half-way: the partial file is removed and no model is there."""
    out, _ = child(root, FULL, str(tmp_path)).communicate(timeout=60)
    assert "full" in out
    assert left_over(tmp_path) == set()


TOGETHER = """
import sys
from pathlib import Path
from test_weights import SPEC
from maquette import weights
print(weights.require(SPEC, models_dir=Path(sys.argv[1]))[0])
"""


def test_two_processes_download_once(server: Server, tmp_path: Path, root: Path) -> None:
    """The second waits for the first and finds the file."""
    running = [child(root, TOGETHER, str(tmp_path)) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == [str(tmp_path / "toy" / "model.ckpt")] * 2
    assert len(server.log) == 1
    assert (tmp_path / "toy" / "model.ckpt").read_bytes() == CONTENT


def test_a_local_file_wins_and_its_hash_is_read_once(server: Server, tmp_path: Path) -> None:
    """In the folder given, in the folders that ComfyUI names, or in the variable's."""
    for index, give in enumerate(("models_dir", "lookup", "variable")):
        folder = tmp_path / give
        (folder / "toy").mkdir(parents=True)
        (folder / "toy" / "model.ckpt").write_bytes(CONTENT)
        if give == "models_dir":
            (found,) = weights.require(SPEC, models_dir=folder)
        elif give == "lookup":
            with weights.searching(lambda name, at=folder: [at / name]):
                (found,) = weights.require(SPEC)
        else:
            os.environ["MAQUETTE_MODELS"] = str(folder)
            (found,) = weights.require(SPEC)
            del os.environ["MAQUETTE_MODELS"]
        assert found == folder / "toy" / "model.ckpt", index
        assert left_over(folder) == {"model.ckpt"}
    notes = [json.loads(path.read_text())["sha256"] for path in (tmp_path / "cache/maquette/checked").iterdir()]
    assert notes == [DIGEST] * 3
    assert server.log == []
    labels: list[str] = []
    weights.require(SPEC, models_dir=tmp_path / "models_dir", progress=Progress(report=lambda _, x: labels.append(x)))
    assert not any("checking" in label for label in labels)


def test_a_local_file_that_is_not_the_model_is_named_not_replaced(server: Server, tmp_path: Path) -> None:
    """Truncated, and changed after it was checked: both sizes or both hashes, and the user's file stays."""
    path = tmp_path / "toy" / "model.ckpt"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match=f"{len(CONTENT) - 1} bytes in place of {len(CONTENT)}.*{DIGEST}"):
        weights.require(SPEC, models_dir=tmp_path)
    path.write_bytes(CONTENT)
    weights.require(SPEC, models_dir=tmp_path)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsError, match=DIGEST):
        weights.require(SPEC, models_dir=tmp_path)
    assert path.exists()
    assert server.log == []


def test_a_safetensors_copy_and_the_hugging_face_cache_are_found(server: Server, tmp_path: Path) -> None:
    """What other programs left is used."""
    copy = tmp_path / "toy" / "model.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(b"copy")
    assert weights.require(SPEC, models_dir=tmp_path) == [copy]
    other = replace(SPEC, weights=(replace(FILE, path="model.onnx", url="https://github.com/x"),))
    assert weights.locate(other, tmp_path) == [None]  # no other format has such a copy
    cached = Path(os.environ["HF_HUB_CACHE"]) / "models--someone--model" / "snapshots" / "abc123" / "model.ckpt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    assert weights.require(SPEC) == [cached]
    assert server.log == []


def test_the_list_knows_every_backend_with_weights(server: Server, tmp_path: Path) -> None:
    """Plain JSON with size, licence and state; unknown names are refused with the known ones."""
    rows = {row["name"]: row for row in json.loads(json.dumps(weights.cli_rows(models_dir=str(tmp_path))))}
    assert rows["triposr"]["size_mb"] == 1677
    assert rows["triposr"]["licence"] == "MIT"
    assert rows["triposr"]["state"] == "not downloaded"
    with pytest.raises(BadInputError, match="triposr"):
        weights.fetch("tripoSR2")
    with pytest.raises(WeightsError, match="maquette models fetch triposr"):
        weights.verify("triposr", models_dir=str(tmp_path))


def test_a_file_outside_the_hub_comes_from_its_address_without_the_hubs_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub gets no Hugging Face token; the same checks and the same place as for any other file."""
    seen: list[str | None] = []
    monkeypatch.setenv("HF_TOKEN", "secret")
    real = Handler.do_GET

    def watched(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        real(handler)

    monkeypatch.setattr(Handler, "do_GET", watched)
    url = f"http://127.0.0.1:{server.server_port}/releases/other-name.bin"
    spec = replace(SPEC, weights=(replace(FILE, url=url),))
    (path,) = weights.require(spec, models_dir=tmp_path / "models")
    assert path == tmp_path / "models" / "toy" / "model.ckpt" and path.read_bytes() == CONTENT
    weights.require(SPEC, models_dir=tmp_path / "again")
    assert server.log[0][0] == "/releases/other-name.bin" and seen == [None, "Bearer secret"]


def test_other_programs_folders_are_read_and_never_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spec.also: found there, downloaded elsewhere; an unset variable names no folder."""
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    monkeypatch.setenv("OTHER", str(tmp_path / "other"))
    spec = replace(SPEC, also=("$NOT_SET_ANYWHERE", "$OTHER"))
    (downloaded,) = weights.require(spec)
    assert downloaded.is_relative_to(tmp_path / "cache")
    downloaded.unlink()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.ckpt").write_bytes(CONTENT)
    assert weights.locate(spec) == [tmp_path / "other" / "model.ckpt"]
    assert weights.require(spec) == [tmp_path / "other" / "model.ckpt"]
    assert left_over(tmp_path / "other") == {"model.ckpt"}
    labels: list[str] = []
    weights.require(spec, progress=Progress(report=lambda _, label: labels.append(label)))
    assert not any("checking" in label for label in labels)


@pytest.mark.parametrize("status", [401, 403, 404, 418])
def test_a_refusal_outside_the_hub_names_the_address_and_the_place(server: Server, tmp_path: Path, status: int) -> None:
    """GitHub knows no licence to accept and no HF_TOKEN."""
    server.status = status
    url = f"http://127.0.0.1:{server.server_port}/releases/other-name.bin"
    spec = replace(SPEC, weights=(replace(FILE, url=url),))
    with pytest.raises(WeightsError) as error:
        weights.require(spec, models_dir=tmp_path)
    text, place = str(error.value), str(tmp_path / "toy" / "model.ckpt")
    assert url in text and place in text and "HF_TOKEN" not in text and "licence" not in text
    with pytest.raises(WeightsError) as error:
        weights.require(spec, models_dir=tmp_path, download=False)
    assert url in str(error.value) and place in str(error.value) and "models fetch toy" in str(error.value)


def test_a_folder_that_is_searched_comes_before_what_was_searched_already(tmp_path: Path) -> None:
    """``searching`` a models_dir: in its sub-folder or itself; the folders of the outer block follow."""
    for name in ("outer/toy", "inner"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outer/toy/model.ckpt").write_bytes(CONTENT)
    with weights.searching(lambda name: [tmp_path / "outer" / name]):
        with weights.searching(tmp_path / "inner"):
            assert weights.locate(SPEC) == [tmp_path / "outer/toy/model.ckpt"]
            (tmp_path / "inner/model.ckpt").write_bytes(CONTENT)
            assert weights.locate(SPEC) == [tmp_path / "inner/model.ckpt"]
        with weights.searching(None):
            assert weights.locate(SPEC) == [tmp_path / "outer/toy/model.ckpt"]


def test_triposr_downloads_nothing_unless_it_is_asked_to(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also online: the error names the command and the place. MAQUETTE_DOWNLOAD=1 is the way to ask."""
    pytest.importorskip("torch")
    from maquette.reconstruct import Settings, triposr

    monkeypatch.delenv("MAQUETTE_DOWNLOAD", raising=False)
    settings = Settings(models_dir=str(tmp_path))
    with pytest.raises(WeightsError, match=r"1677 MB.*maquette models fetch triposr") as error:
        triposr.open_model(settings)
    assert str(tmp_path / "triposr" / "model.ckpt") in str(error.value)
    assert server.log == []
    monkeypatch.setenv("MAQUETTE_DOWNLOAD", "1")
    server.status = 404
    with pytest.raises(WeightsError, match="404"):
        triposr.open_model(settings)
    assert len(server.log) == 1
