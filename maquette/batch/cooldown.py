"""After each job: wait until the server has its memory back and the GPU is cool, no longer than the user's ceiling.

A fixed pause is either too short (the next job runs out of memory) or wasted; what is measured needs no guess. A server
without a GPU needs no pause at all.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from .client import Server, ServerFaultError, ServerLostError

_STEP_SECONDS = 0.5
_SLACK_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Rest:
    """What the pause was: seconds, and free and total bytes of GPU memory at its end (0 of 0 when unknown); ``end``:
    when that was by ``time.monotonic``."""

    seconds: float
    free: int
    total: int
    end: float = 0.0

    def line(self) -> str:
        """For the log, as the overnight runs of old printed it."""
        if not self.total:
            return f"cooldown {self.seconds:.1f}s"
        used = (self.total - self.free) / 1024**3
        return f"memory {used:.1f}/{self.total / 1024**3:.1f} GB used, cooldown {self.seconds:.1f}s"


def rest(
    server: Server, idle_free: int, ceiling: float, hottest: float, stop: Callable[[], bool] = lambda: False
) -> Rest:
    """Wait for ``idle_free`` bytes (less a little) and a GPU below ``hottest`` degrees, at most ``ceiling`` seconds.

    ``/free`` is asked for after a third of the ceiling when the memory is not back by itself. ``ceiling`` 0 = off.
    """
    began, asked = time.monotonic(), False
    try:
        free, total = server.vram()
        while ceiling > 0 and not stop():
            waited = time.monotonic() - began
            cool = not server.local or (gpu_temperature() or 0.0) < hottest
            if (free + _SLACK_BYTES >= idle_free and cool) or waited >= ceiling:
                break
            if not asked and waited > ceiling / 3 and free + _SLACK_BYTES < idle_free:
                server.free()
                asked = True
            time.sleep(min(_STEP_SECONDS, max(ceiling - waited, 0.01)))
            free, total = server.vram()
    except (ServerLostError, ServerFaultError):
        free = total = 0  # the next job will find out and wait for the server
    end = time.monotonic()
    return Rest(end - began, free, total, end)


def has_gpu(server: Server) -> bool:
    """False for a server that computes on the CPU: its "VRAM" is the machine's memory and says nothing of a job."""
    devices = server.stats().get("devices") or [{}]
    return str(devices[0].get("type") or "cpu") != "cpu"


def gpu_temperature() -> float | None:
    """Degrees Celsius of the hottest NVIDIA GPU of this machine, None when there is none to ask."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=temperature.gpu", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return None
    degrees = [float(line) for line in answer.stdout.split() if line.strip().isdigit()]
    return max(degrees, default=None)
