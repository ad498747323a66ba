"""A real ComfyUI server with the pack linked in, on a free port of this machine, in a base folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import websocket
from comfy_installs import ROOT, Install

PACK = "ComfyUI-Maquette"
"""A folder name with a hyphen, as a git clone makes it."""
START_SECONDS = 240
HELPERS = Path(__file__).resolve().parent / "helper_pack"
_SESSION = requests.Session()
_SESSION.trust_env = False


@dataclass
class Server:
    """One running server. Every method raises AssertionError when the server does not answer as it should."""

    install: Install
    url: str
    base: Path
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str, **params: Any) -> requests.Response:
        return _SESSION.get(self.url + path, params=params, timeout=60)

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        return _SESSION.post(self.url + path, timeout=60, **kwargs)

    def upload(self, path: Path, name: str | None = None) -> str:
        """Put a picture into input/ and return the name it got."""
        with path.open("rb") as file:
            answer = self.post(
                "/upload/image", files={"image": (name or path.name, file)}, data={"overwrite": "true", "type": "input"}
            )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["name"])

    def upload_pictures(self) -> None:
        """Every example picture that a shipped workflow loads."""
        for graph in sorted((ROOT / "workflows" / "api").glob("*.json")):
            for node in json.loads(graph.read_text()).values():
                if node["class_type"] == "LoadImage":
                    name = node["inputs"]["image"]
                    path = ROOT / "examples" / name
                    if not path.exists():  # fox_front.png is examples/fox/front.png
                        path = ROOT / "examples" / name.replace("_", "/", 1)
                    assert self.upload(path, name) == name

    def put_input(self, path: Path, name: str) -> None:
        """Put any file below input/."""
        target = self.base / "input" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)

    def submit(self, prompt: dict[str, Any]) -> requests.Response:
        return self.post("/prompt", json={"prompt": prompt, "client_id": uuid.uuid4().hex})

    def queue(self, prompt: dict[str, Any]) -> str:
        """Queue and return the prompt's id."""
        answer = self.submit(prompt)
        assert answer.status_code == 200, json.dumps(answer.json(), indent=1)[:3000]
        assert not answer.json().get("node_errors"), answer.json()
        return str(answer.json()["prompt_id"])

    def wait(self, prompt_id: str, timeout: float = 600) -> dict[str, Any]:
        """The history entry of a prompt, when it has ended."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            entry = self.get(f"/history/{prompt_id}").json().get(prompt_id)
            if entry:
                return dict(entry)
            assert self.process.poll() is None, f"the server died:\n{self.tail()}"
            time.sleep(0.2)
        raise AssertionError(f"prompt {prompt_id} did not end in {timeout} s:\n{self.tail()}")

    def run(self, prompt: dict[str, Any], timeout: float = 600) -> dict[str, Any]:
        """Outputs by node id of a prompt that must succeed."""
        entry = self.wait(self.queue(prompt), timeout)
        assert entry["status"]["status_str"] == "success", error_of(entry)
        return dict(entry["outputs"])

    def fail(self, prompt: dict[str, Any], timeout: float = 600) -> dict[str, Any]:
        """The ``execution_error`` message of a prompt that must fail while it runs."""
        entry = self.wait(self.queue(prompt), timeout)
        assert entry["status"]["status_str"] == "error", entry["status"]
        found = [data for event, data in entry["status"]["messages"] if event == "execution_error"]
        assert found, entry["status"]
        return dict(found[0])

    def fetch(self, item: dict[str, str]) -> bytes:
        """A file of a ui dict, by /view."""
        answer = self.get("/view", **item)
        assert answer.status_code == 200, (item, answer.status_code)
        return answer.content

    def interrupt_at(self, prompt: dict[str, Any], node: str, after: float) -> str:
        """Queue, wait until ``node`` runs, Cancel ``after`` seconds later; the prompt's id."""
        client = uuid.uuid4().hex
        link = websocket.create_connection(f"{self.url.replace('http', 'ws')}/ws?clientId={client}", timeout=120)
        try:
            answer = self.post("/prompt", json={"prompt": prompt, "client_id": client})
            assert answer.status_code == 200, answer.text
            while True:
                message = link.recv()
                event = json.loads(message) if isinstance(message, str) else {}
                if event.get("type") == "executing" and event["data"]["node"] == node:
                    break
                assert event.get("type") != "execution_error", event
            time.sleep(after)
            self.post("/interrupt", json={})
        finally:
            link.close()
        return str(answer.json()["prompt_id"])

    def tail(self, characters: int = 3000) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]


def error_of(entry: dict[str, Any]) -> str:
    """The server's own words about a failed prompt."""
    for event, data in entry["status"]["messages"]:
        if event == "execution_error":
            trace = "".join(data.get("traceback", []))[-2500:]
            return f"{data['node_type']}: {data['exception_type']}: {data['exception_message']}\n{trace}"
    return json.dumps(entry["status"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(install: Install, folder: Path, port: int = 0) -> Iterator[Server]:
    """A server for the time of the context; it is gone afterwards, whatever happened. The same ``folder`` and ``port``
    again is a restart: its files are there, its history is not."""
    base = folder / "base"
    for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
        (base / name).mkdir(parents=True, exist_ok=True)
    for link, target in ((PACK, ROOT), (HELPERS.name, HELPERS)):
        if not (base / "custom_nodes" / link).is_symlink():
            (base / "custom_nodes" / link).symlink_to(target, target_is_directory=True)
    port, log = port or free_port(), folder / "server.log"
    command = [str(install.python), "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--disable-auto-launch", "--base-directory", str(base), "--database-url", "sqlite:///:memory:"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=install.source, env=install.environment(), stdout=sink, stderr=subprocess.STDOUT
        )
        server = Server(install, f"http://127.0.0.1:{port}", base, log, process)
        try:
            _wait_until_up(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_up(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.process.poll() is None, f"the server ended:\n{server.tail()}"
        try:
            if server.get("/system_stats").status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"no answer in {START_SECONDS} s:\n{server.tail()}")
