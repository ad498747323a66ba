"""Native code that holds the interpreter lock for seconds runs in a child process that Cancel can kill.

A child script is a plain file beside its caller, started by its path (so it imports only what stands in it and the
installed libraries, never this package): it reads one ``.npz`` from standard input and writes one to standard output.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import StageTimeoutError, WorkerDiedError
from .progress import Progress

_POLL_SECONDS = 0.1


def run_child(
    script: Path,
    arrays: dict[str, Any],
    what: str,
    timeout: float,
    progress: Progress,
    advice: str = "simplify the mesh first or raise the limit",
) -> dict[str, np.ndarray[Any, Any]]:
    """Run ``script`` on ``arrays`` and return the arrays it wrote.

    advice: what to do when it took too long. Raises StageTimeoutError after ``timeout`` seconds, WorkerDiedError when
    the child fails (with the end of its standard error), and whatever ``progress.check`` raises; in every case the
    child is gone when this returns.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as complaints:
        np.savez(given, **arrays)
        given.seek(0)
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        process = subprocess.Popen(
            [sys.executable, str(script)], stdin=given, stdout=answer, stderr=complaints, env=environment
        )
        try:
            _wait(process, what, timeout, progress, advice)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise WorkerDiedError(
                f"{what} failed in its child process (exit {process.returncode}): {_tail(complaints)}"
            )
        answer.seek(0)
        with np.load(io.BytesIO(answer.read()), allow_pickle=False) as bundle:
            return {name: bundle[name] for name in bundle.files}


def _wait(process: subprocess.Popen[bytes], what: str, timeout: float, progress: Progress, advice: str) -> None:
    """Poll until the child ends, giving Cancel its chance ten times a second."""
    began = time.monotonic()
    while process.poll() is None:
        waited = time.monotonic() - began
        if waited > timeout:
            raise StageTimeoutError(f"{what} took longer than its limit of {timeout:.0f} s and was ended; {advice}")
        progress.update(min(waited / timeout, 0.95), 1.0, what)
        time.sleep(_POLL_SECONDS)


def _tail(stream: IO[bytes], length: int = 600) -> str:
    """The last characters a child wrote, for the message."""
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")[-length:].strip()
