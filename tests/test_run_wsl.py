"""run_wsl.sh with a ComfyUI of cardboard, and the form of run_wsl.bat."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

FAKE = """
import http.server, json, sys
if "--explode" in sys.argv: sys.exit("no room for the model")
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"system": {"argv": sys.argv}}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
print("ARGV", sys.argv[1:], flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), H).serve_forever()
"""
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="NO BASH: run_wsl.sh was not tested")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(root: Path, folder: Path, port: int | str, **more: str) -> subprocess.Popen[str]:
    settings = {"COMFYUI_DIR": str(folder), "COMFYUI_PORT": str(port), "COMFYUI_BROWSER": "0"}
    settings |= {"COMFYUI_PYTHON": sys.executable, "COMFYUI_NVIDIA_SMI": "/nowhere", **more}
    return subprocess.Popen(
        ["bash", str(root / "scripts" / "run_wsl.sh")],
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    seen = ""
    while word not in seen:
        line = process.stdout.readline()
        assert line, f"ended without '{word}': {seen}"
        seen += line
    return seen


def test_it_starts_waits_reuses_and_stops(root: Path, tmp_path: Path) -> None:
    """A second click finds the running one; a stop ends the server too."""
    folder = tmp_path / "Comfy UI"
    folder.mkdir()
    (folder / "main.py").write_text(FAKE)
    port = free_port()
    process = launch(root, folder, port, COMFYUI_ARGS="--lowvram --preview-method auto")
    seen = read_until(process, "is ready")
    assert "no NVIDIA GPU" in seen and "'--cpu', '--lowvram', '--preview-method', 'auto'" in seen
    again = launch(root, tmp_path / "anything", port)
    text, _ = again.communicate(timeout=30)
    assert again.returncode == 0 and "running already" in text
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "has stopped" in text
    time.sleep(0.1)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_ctrl_c_asks_and_the_browser_is_opened(root: Path, tmp_path: Path) -> None:
    """On a terminal: no goes on, yes stops; the page is opened once the server answers, not before."""
    (tmp_path / "main.py").write_text(FAKE)
    opener, opened, port = tmp_path / "bin" / "xdg-open", tmp_path / "opened", free_port()
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" >>"{opened}"\n')
    opener.chmod(0o755)
    settings = {"COMFYUI_DIR": str(tmp_path), "COMFYUI_PORT": str(port), "COMFYUI_PYTHON": sys.executable}
    settings |= {"COMFYUI_NVIDIA_SMI": "/nowhere", "PATH": f"{opener.parent}:{os.environ['PATH']}"}
    script = str(root / "scripts" / "run_wsl.sh")
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored in `make test &`, and bash cannot trap what was
        os.execvpe("bash", ["bash", script], {**os.environ, **settings})
    try:
        hear(terminal, "is ready")
        wait_for_file(opened)
        assert opened.read_text() == f"http://127.0.0.1:{port}\n"
        os.write(terminal, b"\x03")
        hear(terminal, "Stop ComfyUI?")
        os.write(terminal, b"n\n")
        hear(terminal, "It runs on")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) == 0
        os.write(terminal, b"\x03")
        hear(terminal, "Stop ComfyUI?")
        os.write(terminal, b"y\n")
        hear(terminal, "has stopped")
    except BaseException:  # also pytest's own: what does not stop by itself must not hold the suite; raised again
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def hear(terminal: int, words: str) -> None:
    seen = b""
    while words.encode() not in seen:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"'{words}' was not said: {seen.decode(errors='replace')}"
        seen += os.read(terminal, 4096)


def wait_for_file(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.05)


def test_each_trouble_has_its_own_message(root: Path, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(FAKE)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = int(other.getsockname()[1])
        cases = [
            ((tmp_path / "none", free_port()), {}, 2, "no main.py"),
            ((tmp_path, "80x"), {}, 2, "no number"),
            ((tmp_path, taken), {}, 3, "is taken"),
            ((tmp_path, free_port()), {"COMFYUI_ARGS": "--explode"}, 4, "ended while it started (exit code 1)"),
            ((tmp_path, free_port()), {"COMFYUI_PYTHON": "/nowhere/python"}, 3, "cannot be run"),
        ]
        for (folder, port), more, code, words in cases:
            process = launch(root, folder, port, **more)
            text, _ = process.communicate(timeout=30)
            assert (process.returncode, words in text) == (code, True), text
            assert "->" in text


def test_the_bat_is_tiny_crlf_and_ascii_and_the_sh_is_neither(root: Path) -> None:
    data = (root / "run_wsl.bat").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n") <= 20
    text = data.decode("ascii")
    for word in ("@echo off", "set DISTRO=", "set COMFYUI_DIR=", "set COMFYUI_PORT=", "scripts/run_wsl.sh", "pause"):
        assert word in text
    assert text.count("%") % 2 == 1  # pairs of %NAME%, and the single one of "%~dp0"
    script = root / "scripts" / "run_wsl.sh"
    assert b"\r" not in script.read_bytes() and os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
