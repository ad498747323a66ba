"""One ComfyUI server over REST: upload, queue, look, fetch. Works with 0.3.64 and with today's routes.

Every call either answers or raises one of four errors, so that the runner knows what to do: ServerLostError (wait,
reconnect), RefusedError (the graph or the input is wrong: do not repeat), ServerFaultError (the server answered with an
error of its own: repeat later), CorruptFileError (a download that is not what it should be: repeat).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from ..errors import BadInputError, MaquetteError
from .outputs import RemoteFile
from .wire import Wire
from .workflow import Graph

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

_LOST_STATUS = {502, 503, 504}
_BLOCK = 1 << 20
_WHY = {
    "NewConnectionError": "nothing listens there",
    "NameResolutionError": "there is no such host",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
}


class ServerLostError(MaquetteError):
    """No connection, or a proxy that says so: the server may come back."""


class ServerFaultError(MaquetteError):
    """The server answered with an error that is not about the graph."""


class RefusedError(BadInputError):
    """The server refused the prompt or the picture; the message lists why, node by node."""


class FileGoneError(ServerFaultError):
    """The server does not have the file that a prompt named."""


class CorruptFileError(MaquetteError):
    """A downloaded file is cut short or not of its kind."""


class Server:
    """A client of one server. ``url`` is its address without a password; ``headers`` go with every request."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        try:
            self._wire = Wire(url)
        except ValueError as error:
            raise BadInputError(str(error)) from error
        self.url, self.headers, self.local = self._wire.url, self._wire.headers, self._wire.local
        self.client_id = uuid.uuid4().hex
        self.timeout = timeout

    @property
    def socket_url(self) -> str:
        """Address of the WebSocket for this client's events."""
        return f"ws{self.url[4:]}/ws?clientId={self.client_id}"

    def stats(self) -> dict[str, Any]:
        """``/system_stats``: versions, memory, devices. The deciding thread asks, so it may not hang for long."""
        return dict(self._json("GET", "/system_stats", timeout=min(self.timeout, 10)))

    def object_info(self) -> dict[str, Any]:
        """``/object_info``: every node class of the server."""
        return dict(self._json("GET", "/object_info", timeout=max(self.timeout, 120)))

    def vram(self) -> tuple[int, int]:
        """(free, total) bytes of the first device's memory; equal when there is no GPU."""
        devices = self.stats().get("devices") or [{}]
        total = int(devices[0].get("vram_total") or 0)
        return int(devices[0].get("vram_free") or total), total

    def upload(self, path: Path, name: str, subfolder: str = "maquette") -> str:
        """Send a picture; the name under which Load Image finds it (servers may rename)."""
        form = {
            "image": (name, path.read_bytes(), "application/octet-stream"),
            "subfolder": subfolder,
            "type": "input",
            "overwrite": "true",
        }
        answer = self._json("POST", "/upload/image", form=form, timeout=max(self.timeout, 120))
        got = answer.get("name")
        if not isinstance(got, str) or not got:
            raise ServerFaultError(f"{self.url} took the picture '{name}' but did not say under which name")
        folder = str(answer.get("subfolder") or "")
        return f"{folder}/{got}" if folder else got

    def submit(self, graph: Graph, prompt_id: str) -> str:
        """Queue a graph under ``prompt_id`` (old servers may choose another); returns the id in force. Servers queue a
        graph of which only some outputs are wrong: that is taken back, for half a result is none."""
        body = {"prompt": graph, "client_id": self.client_id, "prompt_id": prompt_id}
        response = self._request("POST", "/prompt", body=body)
        answer = self._decode(response)
        if response.status == 400 or answer.get("node_errors"):
            if response.status == 200:
                with contextlib.suppress(ServerLostError, ServerFaultError):
                    self.cancel(str(answer.get("prompt_id") or prompt_id))
            raise RefusedError(_refusal(answer))
        self._check(response, "/prompt")
        return str(answer.get("prompt_id") or prompt_id)

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The record of a finished prompt, or None while it is queued, running or unknown."""
        answer = self._json("GET", f"/history/{prompt_id}")
        entry = answer.get(prompt_id)
        return dict(entry) if entry else None

    def queued(self) -> tuple[list[str], list[str]]:
        """Prompt ids (running, pending)."""
        answer = self._json("GET", "/queue")
        running, pending = (
            [str(entry[1]) for entry in answer.get(key) or [] if len(entry) > 1]
            for key in ("queue_running", "queue_pending")
        )
        return running, pending

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or interrupt it when it runs; others are left alone."""
        running, pending = self.queued()
        if prompt_id in pending:
            self._send("/queue", {"delete": [prompt_id]})
            running, _ = self.queued()  # it may have been started between question and order
        if prompt_id in running:
            self._send("/interrupt", {"prompt_id": prompt_id})

    def free(self) -> None:
        """Ask the server to unload models; it does so between prompts."""
        self._send("/free", {"unload_models": True, "free_memory": True})

    def fetch(self, file: RemoteFile, target: Path) -> dict[str, Any]:
        """Download to ``target`` under a temporary name, check, rename. Returns {"bytes", "sha256"}."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        response = self._request("GET", "/view", query=query, stream=True, timeout=max(self.timeout, 120))
        try:
            self._check(response, "/view")
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".part-{uuid.uuid4().hex[:12]}")
            try:
                with part.open("xb") as out:
                    facts = self._stream(response, out)
                check_file(part, file.filename)
                part.replace(target)
            except BaseException:  # Ctrl-C too: no half file stays; raised again
                part.unlink(missing_ok=True)
                raise
        except BaseException:  # whatever broke it off, half an answer may be left in it: not to be used again
            response.close()
            raise
        response.release_conn()
        return facts

    def _stream(self, response: BaseHTTPResponse, out: IO[bytes]) -> dict[str, Any]:
        digest, count = hashlib.sha256(), 0
        try:
            for block in response.stream(_BLOCK):
                out.write(block)
                digest.update(block)
                count += len(block)
        except HTTPError as error:
            raise ServerLostError(f"{self.url}: the download broke off after {count} bytes ({error})") from error
        said = response.headers.get("Content-Length")
        if said is not None and "Content-Encoding" not in response.headers and count != int(said):
            raise CorruptFileError(f"{self.url} promised {said} bytes and sent {count}")
        out.flush()
        os.fsync(out.fileno())
        return {"bytes": count, "sha256": digest.hexdigest()}

    def _send(self, route: str, body: Mapping[str, Any]) -> None:
        self._check(self._request("POST", route, body=body), route)

    def _json(self, method: str, route: str, **kwargs: Any) -> dict[str, Any]:
        response = self._request(method, route, **kwargs)
        self._check(response, route)
        return self._decode(response)

    def _request(self, method: str, route: str, **kwargs: Any) -> BaseHTTPResponse:
        kwargs.setdefault("timeout", self.timeout)
        try:
            return self._wire.send(method, route, **kwargs)
        except HTTPError as error:
            why = _WHY.get(type(error).__name__, type(error).__name__)
            raise ServerLostError(f"{self.url} does not answer ({why})") from error

    def _check(self, response: BaseHTTPResponse, route: str) -> None:
        if response.status in _LOST_STATUS:
            raise ServerLostError(f"{self.url} answers {response.status}: it is not up")
        if response.status == 404 and route == "/view":
            raise FileGoneError(f"{self.url} does not have the file that the prompt named (404)")
        if 300 <= response.status < 400:
            place = response.headers.get("Location", "another address")
            raise ServerFaultError(f"{self.url} sends on to {place}: give that address")
        if response.status >= 400:
            text = response.data.decode("utf-8", "replace")[:300].strip()
            raise ServerFaultError(f"{self.url}{route}: {response.status} {text}")

    def _decode(self, response: BaseHTTPResponse) -> dict[str, Any]:
        try:
            answer = json.loads(response.data)
        except ValueError as error:
            if response.status in _LOST_STATUS:
                raise ServerLostError(f"{self.url} answers {response.status}: it is not up") from error
            raise ServerFaultError(f"{self.url}: {response.status} and no JSON") from error
        return answer if isinstance(answer, dict) else {}


def _refusal(answer: Mapping[str, Any]) -> str:
    """The server's own words, node by node."""
    lines = []
    error = answer.get("error")
    if isinstance(error, Mapping):
        lines.append(" ".join(str(error.get(k)) for k in ("message", "details") if error.get(k)))
    elif error:
        lines.append(str(error))
    for node, trouble in (answer.get("node_errors") or {}).items():
        for one in trouble.get("errors") or []:
            lines.append(
                f"node {node} ({trouble.get('class_type')}): {one.get('message')} {one.get('details')}".strip()
            )
    return "the server refused the workflow: " + ("; ".join(lines) or json.dumps(answer)[:300])


def check_file(path: Path, name: str) -> None:
    """Refuse a download that is empty or not of the kind its name says."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
    suffix = Path(name).suffix.lower()
    if size == 0:
        raise CorruptFileError(f"'{name}' is empty")
    if suffix == ".glb":
        magic, version, length = struct.unpack("<4sII", head) if len(head) == 12 else (b"", 0, 0)
        if magic != b"glTF" or version != 2 or length != size:
            raise CorruptFileError(f"'{name}' is not a whole GLB (header says {length} bytes, the file has {size})")
    if suffix == ".png" and not head.startswith(b"\x89PNG\r\n\x1a\n"):
        raise CorruptFileError(f"'{name}' is not a PNG")
