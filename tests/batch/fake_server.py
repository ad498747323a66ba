"""A ComfyUI of our own for the batch driver's tests: the same routes, quick, and with faults on demand.

Runs in threads on 127.0.0.1 and a free port. ``Faults`` says what goes wrong and how often; ``executions`` remembers
which item keys were really computed, so that tests can prove "nothing twice".
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def tiny_glb(tag: str, report: dict[str, Any] | None = None) -> bytes:
    """A valid GLB of one triangle; ``tag`` and the report lie in asset.extras."""
    points = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    extras: dict[str, Any] = {"tag": tag}
    if report is not None:
        extras["maquette"] = {"mesh": report}
    gltf = {
        "asset": {"version": "2.0", "extras": extras},
        "buffers": [{"byteLength": len(points)}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": len(points)}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]}
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    text = json.dumps(gltf).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(points), 0x004E4942) + points
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


@dataclass
class Faults:
    """What goes wrong; counters go down with each fault that happened."""

    submit_status: list[int] = field(default_factory=list)
    submit_then_cut: int = 0
    view_half: int = 0
    view_garbage: int = 0
    view_status: list[int] = field(default_factory=list)
    history_status: list[int] = field(default_factory=list)
    out_of_memory_above: int | None = None
    fail_names: frozenset[str] = frozenset()
    broken_pictures: bool = False
    drop_sockets: bool = False
    filename: str | None = None
    delay: float = 0.0
    node_errors: dict[str, Any] = field(default_factory=dict)
    upload_status: list[int] = field(default_factory=list)
    password: str = ""
    moved_to: str = ""
    rename_uploads: bool = False
    forget: Callable[[dict[str, Any]], bool] | None = None
    more_outputs: dict[str, Any] = field(default_factory=dict)


class FakeComfy:
    """``with FakeComfy() as server``: ``stop`` and ``start`` model a restart (queue and history are gone)."""

    def __init__(self, seconds: float = 0.0, faults: Faults | None = None, vram: int = 8 << 30) -> None:
        self.seconds, self.faults, self.vram = seconds, faults or Faults(), vram
        self.vram_free = vram
        self.executions: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self.prompts: list[dict[str, Any]] = []
        self.running: list[str] = []
        self.most_at_once = 0
        self.freed = 0
        self.lock = threading.RLock()
        self.port = _free_port()
        self._reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _reset(self) -> None:
        self.history: dict[str, Any] = {}
        self.pending: list[tuple[str, dict[str, Any], str]] = []
        self.running = []
        self.files: dict[tuple[str, str], bytes] = {}
        self.sockets: dict[str, list[socket.socket]] = {}
        self.cancelled: set[str] = set()

    def __enter__(self) -> FakeComfy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen again, with an empty memory."""
        self._reset()
        self.alive = True
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.generation = object()
        threading.Thread(target=self._work, args=(self.generation,), daemon=True).start()

    def stop(self) -> None:
        """As kill -9: sockets closed, queue and history forgotten."""
        self.alive, self.generation = False, object()
        self.http.shutdown()
        self.http.server_close()
        self._close_sockets()
        with self.lock:
            self._reset()

    def _close_sockets(self) -> None:
        for connections in list(self.sockets.values()):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _work(self, generation: object) -> None:
        while self.generation is generation:
            with self.lock:
                job = self.pending.pop(0) if self.pending else None
                if job:
                    self.running = [job[0]]
            if job is None:
                time.sleep(0.001)
                continue
            prompt_id, graph, client = job
            self.send(client, {"type": "executing", "data": {"prompt_id": prompt_id, "node": "2"}})
            self.send(client, {"type": "progress", "data": {"prompt_id": prompt_id, "node": "2", "value": 1, "max": 4}})
            end = time.monotonic() + self.seconds
            while time.monotonic() < end and self.generation is generation and prompt_id not in self.cancelled:
                time.sleep(0.002)
            if self.generation is not generation:
                return
            if self.faults.forget is not None and self.faults.forget(graph):
                with self.lock:
                    self.running = []
                continue
            entry = self._result(prompt_id, graph)
            with self.lock:
                self.running = []
                self.history[prompt_id] = entry
            kind = "execution_success" if entry["status"]["status_str"] == "success" else "execution_error"
            self.send(client, {"type": kind, "data": {"prompt_id": prompt_id}})
            if self.faults.drop_sockets:
                self._close_sockets()

    def _result(self, prompt_id: str, graph: dict[str, Any]) -> dict[str, Any]:
        if prompt_id in self.cancelled:
            return _status("error", [["execution_interrupted", {"prompt_id": prompt_id}]])
        loader = next(n for n in graph.values() if n["class_type"] == "LoadImage")
        picture = loader["inputs"]["image"]
        maker = next((n for n in graph.values() if n["class_type"] == "Make"), None)
        limit, asked = self.faults.out_of_memory_above, (maker or {"inputs": {}})["inputs"].get("resolution", 0)
        if limit is not None and asked > limit:
            return _failed("2", "Make", "torch.OutOfMemoryError", "Allocation on device")
        if any(name in picture for name in self.faults.fail_names):
            return _failed("2", "Make", "RuntimeError", "the machine is not amused")
        if self.faults.broken_pictures:
            return _failed("1", "LoadImage", "PIL.UnidentifiedImageError", "cannot identify image file")
        saver = next(n for n in graph.values() if n["class_type"] == "SaveGLB")
        prefix = saver["inputs"]["filename_prefix"]
        folder, _, stem = prefix.rpartition("/")
        name = self.faults.filename or f"{stem}_00001_.glb"
        self.executions[picture] += 1
        report = {"faces": 12, "watertight": "open" not in picture, "components": 1}
        with self.lock:
            self.files[(folder, name)] = tiny_glb(picture, report)
        return _status("success") | {
            "outputs": self.faults.more_outputs
            | {"3": {"3d": [{"filename": name, "subfolder": folder, "type": "output"}]}}
        }

    def send(self, client: str, event: dict[str, Any]) -> None:
        """A text frame to every socket of a client."""
        data = json.dumps(event).encode()
        head = struct.pack("!BB", 0x81, len(data)) if len(data) < 126 else struct.pack("!BBH", 0x81, 126, len(data))
        for connection in list(self.sockets.get(client, [])):
            try:
                connection.sendall(head + data)
            except OSError:
                self.sockets[client].remove(connection)


def _status(state: str, messages: list[Any] | None = None) -> dict[str, Any]:
    return {"status": {"status_str": state, "completed": state == "success", "messages": messages or []}, "outputs": {}}


def _failed(node: str, kind: str, exception: str, message: str) -> dict[str, Any]:
    facts = {"node_id": node, "node_type": kind, "exception_type": exception, "exception_message": message + "\n"}
    return _status("error", [["execution_error", facts]])


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


OBJECT_INFO = {
    "MaquettePreviewMesh": {"input": {"required": {"mesh": ["MESH"]}}, "output_node": True},
    "LoadImage": {"input": {"required": {"image": [["x.png"], {}]}}, "output_node": False},
    "Make": {
        "input": {
            "required": {"image": ["IMAGE"], "resolution": ["INT", {}], "mode": [["fast", "good"], {}]},
            "optional": {"backend": ["COMBO", {"options": ["auto", "nano"]}]},
        }
    },
    "SaveGLB": {"input": {"required": {"mesh": ["MESH"], "filename_prefix": ["STRING", {}]}}, "output_node": True},
}
WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
    "2": {"class_type": "Make", "inputs": {"image": ["1", 0], "resolution": 512, "mode": "fast"}},
    "3": {"class_type": "SaveGLB", "inputs": {"mesh": ["2", 0], "filename_prefix": "3d/maquette"}},
}


def _handler(server: FakeComfy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *_: object) -> None: ...

        def answer(self, value: Any, status: int = 200) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refused(self) -> bool:
            """True when the fault of the door was answered already."""
            if not server.alive:
                self.answer({}, 503)
            elif server.faults.password and self.headers.get("Authorization") != server.faults.password:
                self.answer({}, 401)
            elif server.faults.moved_to:
                self.send_response(301)
                self.send_header("Location", server.faults.moved_to)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                return False
            return True

        def do_GET(self) -> None:
            if self.refused():
                return None
            time.sleep(server.faults.delay)
            url = urlsplit(self.path)
            if url.path == "/ws":
                return self.upgrade(parse_qs(url.query)["clientId"][0])
            if url.path == "/system_stats":
                device = {"type": "cuda", "vram_total": server.vram, "vram_free": server.vram_free}
                return self.answer({"system": {}, "devices": [device]})
            if url.path == "/object_info":
                return self.answer(OBJECT_INFO)
            if url.path == "/queue":
                with server.lock:
                    return self.answer(
                        {
                            "queue_running": [[0, p, {}, {}, []] for p in server.running],
                            "queue_pending": [[0, p[0], {}, {}, []] for p in server.pending],
                        }
                    )
            if url.path.startswith("/history/"):
                if server.faults.history_status:
                    return self.answer({}, server.faults.history_status.pop(0))
                prompt_id = url.path.rsplit("/", 1)[1]
                entry = server.history.get(prompt_id)
                return self.answer({prompt_id: entry} if entry else {})
            if url.path == "/view":
                return self.view({k: v[0] for k, v in parse_qs(url.query).items()})
            return self.answer({}, 404)

        def view(self, query: dict[str, str]) -> None:
            faults = server.faults
            if faults.view_status:
                return self.answer({}, faults.view_status.pop(0))
            data = server.files.get((query.get("subfolder", ""), query["filename"]))
            if data is None:
                return self.answer({}, 404)
            if faults.view_garbage:
                faults.view_garbage -= 1
                return self.answer(b"<html>not a model</html>")
            if faults.view_half:
                faults.view_half -= 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            return self.answer(data)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.refused():
                return None
            if self.path == "/upload/image":
                if server.faults.upload_status:
                    return self.answer({}, server.faults.upload_status.pop(0))
                found = re.search(rb'filename="([^"]+)"', body)
                assert found is not None
                name = found[1].decode()
                server.uploads[name] += 1
                if server.faults.rename_uploads:
                    name = name.replace(".png", " (1).png")
                return self.answer({"name": name, "subfolder": "maquette", "type": "input"})
            data = json.loads(body or b"{}")
            if self.path == "/prompt":
                return self.prompt(data)
            if self.path == "/queue":
                with server.lock:
                    server.pending = [p for p in server.pending if p[0] not in data.get("delete", [])]
                return self.answer({})
            if self.path == "/interrupt":
                server.cancelled.add(data.get("prompt_id", ""))
                return self.answer({})
            if self.path == "/free":
                server.freed += 1
                server.vram_free = server.vram
                return self.answer({})
            return self.answer({}, 404)

        def prompt(self, data: dict[str, Any]) -> None:
            faults = server.faults
            if faults.submit_status:
                return self.answer({"error": "no"}, faults.submit_status.pop(0))
            for node, value in data["prompt"].items():
                if value["class_type"] not in OBJECT_INFO:
                    error = {"type": "missing_node_type", "message": "no such node", "details": value["class_type"]}
                    return self.answer({"error": error, "node_errors": {node: {"errors": [error]}}}, 400)
            prompt_id = data.get("prompt_id") or str(uuid.uuid4())
            with server.lock:
                server.prompts.append(data)
                server.pending.append((prompt_id, data["prompt"], data.get("client_id", "")))
                server.most_at_once = max(server.most_at_once, len(server.pending) + len(server.running))
            if faults.submit_then_cut:
                faults.submit_then_cut -= 1
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            return self.answer({"prompt_id": prompt_id, "number": 1, "node_errors": faults.node_errors})

        def upgrade(self, client: str) -> None:
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self.wfile.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            self.wfile.flush()
            server.sockets.setdefault(client, []).append(self.connection)
            try:
                while self.connection.recv(4096):
                    pass
            except OSError:
                pass
            self.close_connection = True

    return Handler
