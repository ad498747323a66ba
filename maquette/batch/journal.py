"""What a run tells: one line per event for people, ``events.jsonl`` for programs, a web hook for other machines."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import requests

from ..errors import BadInputError
from ..log import log

_MARKS = {
    "start": "START", "done": "COMPLETED", "skip": "SKIP", "double": "SKIP", "retry": "RETRY", "dead": "FAILED",
    "cooldown": "...", "aside": "SERVER", "back": "SERVER", "interrupted": "STOPPED", "summary": "TOTAL",
}  # fmt: skip


def line(event: str, facts: Mapping[str, Any]) -> str:
    """One event in words."""
    name = str(facts.get("name", ""))
    text = {
        "start": lambda: f"{name} on {facts['server']} (attempt {facts['attempt']})",
        "done": lambda: f"{name} in {facts['seconds']:.0f}s, {len(facts['outputs'])} files",
        "skip": lambda: f"{name} (already done)",
        "double": lambda: f"{name} (same pictures as {facts['same_as']})",
        "retry": lambda: f"{name} in {facts['in']:.0f}s: {facts['failure']}: {facts['error']}",
        "dead": lambda: f"{name}: {facts['failure']}: {facts['error']}",
        "cooldown": lambda: str(facts["line"]),
        "aside": lambda: f"{facts['server']} is set aside: {facts['reason']}",
        "back": lambda: f"{facts['server']} is back",
        "interrupted": lambda: name,
        "summary": lambda: summary(facts),
    }.get(event)
    return f"{_MARKS.get(event, event):<9} {text() if text else json.dumps(dict(facts))}"


def summary(facts: Mapping[str, Any]) -> str:
    """The last line of a run."""
    text = "Total: {total} | Success: {success} | Skipped: {skipped} | Failed: {failed}".format(**facts)
    return text + (f" | Not done: {facts['open']}" if facts.get("open") else "")


class Journal:
    """Appends every event to a file, flushed at once, so that a kill loses nothing that was said."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: IO[str] = path.open("a+", encoding="utf-8")
        if self._stream.tell() and not _ends_in_newline(path):
            self._stream.write("\n")  # a killed driver may have left half a line

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """One JSON object per line: time, event, facts."""
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **facts}
        self._stream.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"


class WebHook:
    """Posts events from a thread of its own, so that a slow receiver holds up no job. Signed with HMAC-SHA256 in
    ``X-Maquette-Signature`` when a secret is given; ``X-Maquette-Delivery`` is the same for every try of one event.

    The secret is never logged; neither is the query of the address, which may hold one.
    """

    def __init__(self, url: str, secret: str = "", tries: int = 4, pause: float = 1.0) -> None:
        self._url, self._secret, self._tries, self._pause = url, secret.encode(), tries, pause
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInputError("--webhook takes an http or https address")
        self.shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
        self._waiting: queue.Queue[tuple[str, Mapping[str, Any]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="maquette-webhook", daemon=True)
        self._thread.start()

    def send(self, event: str, facts: Mapping[str, Any]) -> None:
        """Post later, in order."""
        self._waiting.put((event, dict(facts)))

    def close(self, seconds: float = 60.0) -> None:
        """Wait for what is still to be posted, at most ``seconds``."""
        self._waiting.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("the web hook %s was too slow: %d events were not posted", self.shown, self._waiting.qsize())

    def _run(self) -> None:
        while (job := self._waiting.get()) is not None:
            self.post(*job)

    def post(self, event: str, facts: Mapping[str, Any]) -> bool:
        """True when the receiver took it; a receiver that stays away costs the run nothing but a warning."""
        body = json.dumps({"event": event, **facts}, default=str).encode()
        headers = {"Content-Type": "application/json", "X-Maquette-Delivery": hashlib.sha256(body).hexdigest()}
        if self._secret:
            headers["X-Maquette-Signature"] = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        for attempt in range(self._tries):
            try:
                if requests.post(self._url, data=body, headers=headers, timeout=10).status_code < 300:
                    return True
            except requests.RequestException as error:
                log.debug("web hook %s: %s", self.shown, type(error).__name__)
            time.sleep(self._pause * 2**attempt if attempt < self._tries - 1 else 0)
        log.warning("the web hook %s did not take the event '%s' in %d tries", self.shown, event, self._tries)
        return False
