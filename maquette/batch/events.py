"""A server's events over its WebSocket, in a thread; a lost socket only costs speed, because the job also polls.

The listener knows one client id. It wakes whoever waits (``wait``) when something happened to the watched prompt, and
keeps the latest progress for display. It never decides: what is true stands in ``/history`` and ``/queue``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..log import log

_ENDINGS = {"execution_success", "execution_error", "execution_interrupted"}


@dataclass
class Live:
    """What is known of the running prompt: share of the present node, its name, nodes finished."""

    node: str = ""
    value: float = 0.0
    maximum: float = 0.0


class Listener:
    """``with Listener(url, headers) as ears``: connects, reconnects with back-off, ends with the block."""

    def __init__(
        self,
        socket_url: str,
        headers: Mapping[str, str] | None = None,
        first_pause: float = 0.5,
        longest_pause: float = 15.0,
    ) -> None:
        self.live = Live()
        self.connected = False
        self._headers = dict(headers or {})
        self._url, self._pauses = socket_url, (first_pause, longest_pause)
        self._wake, self._over = threading.Event(), threading.Event()
        self._socket: Any = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Listener:
        self._over.clear()  # --watch enters once per round
        self._thread = threading.Thread(target=self._run, name="maquette-events", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._socket is not None and self._socket.sock is not None:
            with contextlib.suppress(OSError):  # wakes the thread; close() would wait for the server's good-bye
                self._socket.sock.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(timeout=5)

    def wait(self, seconds: float) -> bool:
        """Sleep until an event asks for a look, or ``seconds`` have passed; True when there was one."""
        woken = self._wake.wait(seconds)
        self._wake.clear()
        return woken

    def _run(self) -> None:
        import websocket

        pause, longest = self._pauses
        while not self._over.is_set():
            try:
                self._socket = websocket.create_connection(self._url, timeout=10, header=self._headers)
                self._socket.settimeout(1.0)
                self.connected, pause = True, self._pauses[0]
                self._wake.set()  # something may have happened while nobody listened
                self._listen()
            except (OSError, websocket.WebSocketException) as error:
                log.debug("events of %s: %s", self._url.split("?")[0], error)
            self.connected = False
            self._over.wait(pause)
            pause = min(pause * 2, longest)

    def _listen(self) -> None:
        import websocket

        while not self._over.is_set():
            try:
                message = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            if message == "":
                return
            if isinstance(message, str):
                self._take(message)

    def _take(self, message: str) -> None:
        try:
            event = json.loads(message)
            kind, data = event.get("type"), event.get("data") or {}
            if kind == "progress":
                self.live.value, self.live.maximum = float(data.get("value") or 0), float(data.get("max") or 0)
            node = data.get("node")
        except (ValueError, TypeError, AttributeError):
            return  # not ours to judge: a pack of the server may send anything
        if kind == "progress":
            return
        if kind == "executing":
            self.live = Live(node=str(node or ""))
            if node is None:
                self._wake.set()
        elif kind in _ENDINGS:
            self._wake.set()
