"""The health endpoint of a worker: ``GET /`` answers with JSON, 200 when its ComfyUI is up and 503 when not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import MissingError


def serve_health(facts: Callable[[], Mapping[str, Any]], host: str, port: int) -> ThreadingHTTPServer:
    """Serve ``facts()``, whose entry ``up`` decides the status. Port 0 takes a free one. Close it with ``shutdown``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = facts()
            body = json.dumps(found).encode()
            self.send_response(200 if found["up"] else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    try:
        http = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise MissingError(
            f"the health port {host}:{port} cannot be opened ({error.strerror}); choose another"
        ) from error
    threading.Thread(target=http.serve_forever, daemon=True, name="maquette-health").start()
    return http
