"""The other ends of a worker's wires: who asks for its health, who is called when a job is done."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


def ask(port: int) -> dict[str, Any]:
    """The health of the worker at ``port``, well or unwell."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return dict(json.load(opener.open(f"http://127.0.0.1:{port}/")))
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return dict(json.load(error))


@contextlib.contextmanager
def receiver(fail_first: int) -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """A web hook's other end: (address, what came as (body, signature)); the first calls are answered with 500."""
    got: list[tuple[bytes, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((body, self.headers["X-Maquette-Signature"]))
            self.send_response(500 if len(got) <= fail_first else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/", got
    http.shutdown()
