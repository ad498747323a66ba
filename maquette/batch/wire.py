"""HTTP to one server over connections that stay open, with urllib3 (which requests stands on).

A job costs five small requests; requests spends twice as long on each as urllib3 does.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

LOCAL = {"127.0.0.1", "localhost", "::1"}


class Wire:
    """``Wire("http://user:password@host:8188/path")``: ``url`` is the address as it may be shown."""

    def __init__(self, url: str) -> None:
        """Raises ValueError when the address is none."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname or not _is_port(parts.netloc):
            raise ValueError(f"'{url}' is no server address; give for example http://127.0.0.1:8188")
        place = parts.netloc.rpartition("@")[2]  # a password in the address is used and never shown
        self.url = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
        self.local = parts.hostname in LOCAL
        self.headers = {"User-Agent": "maquette"}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._pool = _pool(parts.scheme, parts.hostname, self.local)

    def send(
        self,
        method: str,
        route: str,
        *,
        timeout: float,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> urllib3.response.BaseHTTPResponse:
        """The answer, whatever its status. ``body`` goes as JSON, ``form`` as multipart. ``stream``: the caller reads
        it and gives the connection back. Raises urllib3's HTTPError when there is no answer."""
        headers: dict[str, str] = dict(self.headers)
        more: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"], more["body"] = "application/json", json.dumps(body).encode()
        if form is not None:
            more["fields"] = dict(form)
        address = f"{self.url}{route}" + (f"?{urlencode(query)}" if query else "")
        return self._pool.request(
            method,
            address,
            headers=headers,
            timeout=urllib3.Timeout(timeout),
            redirect=False,
            retries=False,
            preload_content=not stream,
            **more,
        )


def _is_port(place: str) -> bool:
    """False for what urlsplit would only complain about when asked for the port."""
    try:
        return urlsplit(f"//{place}").port != 0
    except ValueError:
        return False


def _pool(scheme: str, host: str, local: bool) -> urllib3.PoolManager:
    """Through the proxy that the environment names, if any; certificates as requests checks them."""
    settings: dict[str, Any] = {}
    if scheme == "https":
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
        settings["ssl_context"] = ssl.create_default_context(cafile=bundle)
    proxy = None if local or urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    return urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
