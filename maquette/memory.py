"""GPU memory: how much is free, one owner at a time, a trace per stage, and the ladder down when it runs out.

Nothing here knows ComfyUI. The node pack lends its own memory manager through ``hosted``; without one, the free memory
of the device is what torch says.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .errors import BadInputError, OutOfMemoryLadderError
from .log import log
from .progress import Progress, silent

if TYPE_CHECKING:
    import torch

MB = 1024 * 1024
SMALL_GPU = 6 * 1024**3 - 512 * MB
"""A card sold as 6 GB reports a little less."""
TRACE = "MAQUETTE_VRAM_TRACE"
"""Environment: "1" appends every stage to ``maquette_vram_trace.jsonl`` in the working folder; else: a file name."""

Plan = TypeVar("Plan")
Value = TypeVar("Value")


class Host(Protocol):
    """Who else holds models on the GPU (ComfyUI): asked for room before, told afterwards."""

    def make_room(self, device: str, size: int) -> None:
        """Unload what can be unloaded until ``size`` bytes are free on ``device``; no error when that is impossible."""
        ...

    def given_back(self, device: str) -> None:
        """Our weights and buffers are gone again."""
        ...


_HOST: ContextVar[Host | None] = ContextVar("maquette_memory_host", default=None)
_OWNER = threading.RLock()
_KEPT: list[Callable[[], None]] = []


@contextmanager
def hosted(host: Host) -> Iterator[None]:
    """Within the block, room on the GPU is asked of ``host`` first."""
    token = _HOST.set(host)
    try:
        yield
    finally:
        _HOST.reset(token)


def let_go_first(forget: Callable[[], None]) -> None:
    """``forget`` is called before somebody takes a device: for what stays on it between calls only to save time."""
    if forget not in _KEPT:
        _KEPT.append(forget)


def free_bytes(device: str | torch.device) -> int | None:
    """Bytes that new tensors may take on ``device`` (torch's own unused cache counts as free); None where unknown."""
    import torch

    where = torch.device(device)
    if where.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(where)
    return int(free) + torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)


def for_helper(device: str | torch.device) -> str:
    """Where a helper model (segment, depth, detect) runs when nobody chose: ``device``, or the CPU beside a GPU below
    ``SMALL_GPU``, whose memory then stays whole for the reconstruction."""
    import torch

    where = torch.device(device)
    if where.type != "cuda" or not torch.cuda.is_available():
        return str(device)
    total = int(torch.cuda.get_device_properties(where).total_memory)
    if total >= SMALL_GPU:
        return str(device)
    log.info("%s has %.1f GB: helper models run on the CPU", device, total / 1024**3)
    return "cpu"


def give_back(device: str | torch.device) -> None:
    """Return torch's unused cache to the driver, after an error also what only cycles still hold."""
    import torch

    where = torch.device(device)
    if where.type == "cuda":
        torch.cuda.empty_cache()
    elif where.type == "mps":
        torch.mps.empty_cache()


@dataclass(frozen=True)
class StageMemory:
    """One stage on the GPU, in megabytes: ``peak`` is the most that tensors took at once, ``after`` what stayed."""

    stage: str
    seconds: float
    before: float
    peak: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, numbers rounded."""
        return {k: v if isinstance(v, str) else round(v, 3) for k, v in vars(self).items()}


@dataclass
class Lease:
    """The right to use a device, from ``own``. ``available``: bytes that may be used, None = unknown."""

    device: str
    available: int | None = None
    held_mb: float = 0.0
    stages: list[StageMemory] = field(default_factory=list)

    @property
    def peak_mb(self) -> float:
        """The highest peak of all stages, on top of what the process held before (0 on a CPU: torch does not count)."""
        return max((stage.peak - self.held_mb for stage in self.stages), default=0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside; also when it fails."""
        import torch

        counted = torch.device(self.device).type == "cuda"
        before = _allocated(self.device)
        if counted:
            torch.cuda.reset_peak_memory_stats(self.device)
        began = time.perf_counter()
        try:
            yield
        finally:
            peak = torch.cuda.max_memory_allocated(self.device) / MB if counted else 0.0
            row = StageMemory(name, time.perf_counter() - began, before, peak, _allocated(self.device))
            self.stages.append(row)
            _write_trace(self.device, self.stages[-1])


def _allocated(device: str) -> float:
    """Megabytes of tensors on a CUDA device, 0 elsewhere."""
    import torch

    return torch.cuda.memory_allocated(device) / MB if torch.device(device).type == "cuda" else 0.0


def _write_trace(device: str, row: StageMemory) -> None:
    target = os.environ.get(TRACE, "")
    if target in ("", "0"):
        return
    path = Path("maquette_vram_trace.jsonl" if target == "1" else target)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"device": device, **row.as_dict()}) + "\n")


@contextmanager
def own(
    device: str | torch.device, *, need: int = 0, budget_mb: int | None = None, progress: Progress | None = None
) -> Iterator[Lease]:
    """Be the one that uses ``device``; waits (cancellable) while another thread does.

    need: bytes that would be welcome, asked of the host; budget_mb: megabytes that may be used; on CUDA torch enforces
    it, so that an excess is an out-of-memory error, which the ladder handles. Everything is given back at the end.
    """
    if budget_mb is not None and budget_mb < 1:
        raise BadInputError(f"the memory budget must be at least 1 MB, got {budget_mb}; leave it out for no limit")
    name, progress = str(device), progress or silent()
    while not _OWNER.acquire(timeout=0.1):
        progress.check()
    host = _HOST.get()
    try:
        for forget in _KEPT:
            forget()
        if host is not None and need:
            host.make_room(name, need)
        with _limited(name, budget_mb):
            free = free_bytes(name)
            budget = None if budget_mb is None else budget_mb * MB
            known = [size for size in (free, budget) if size is not None]
            yield Lease(name, min(known) if known else None, _allocated(name))
    finally:
        give_back(name)
        if host is not None:
            host.given_back(name)
        _OWNER.release()


@contextmanager
def _limited(device: str, budget_mb: int | None) -> Iterator[None]:
    """Let torch's allocator refuse what goes beyond the budget (on top of what this process already holds)."""
    import torch

    where = torch.device(device)
    if budget_mb is None or where.type != "cuda":
        yield
        return
    where = torch.device("cuda", torch.cuda.current_device() if where.index is None else where.index)
    read = getattr(torch.cuda, "get_per_process_memory_fraction", None)
    before = read(where) if read is not None else 1.0
    total = torch.cuda.get_device_properties(where).total_memory
    torch.cuda.empty_cache()
    allowed = (torch.cuda.memory_reserved(where) + budget_mb * MB) / total
    torch.cuda.set_per_process_memory_fraction(min(allowed, before), where)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(before, where)


@dataclass(frozen=True)
class Rung(Generic[Plan]):
    """One way to do the work: ``name`` for the report, ``need``: bytes it is known to take (0 = unknown)."""

    name: str
    plan: Plan
    need: int = 0


@dataclass(frozen=True)
class Climbed(Generic[Value]):
    """The answer, the rung that gave it, and a sentence for each rung that was left."""

    value: Value
    rung: str
    notes: tuple[str, ...]


def climb(
    rungs: Sequence[Rung[Plan]],
    attempt: Callable[[Plan], Value],
    *,
    device: str | torch.device,
    available: int | None = None,
    what: str = "this step",
) -> Climbed[Value]:
    """Try the rungs from the best to the most frugal until one has memory enough.

    Only torch's out-of-memory error moves on to the next rung; Cancel and every other error pass through. A rung
    known not to fit in ``available`` is left without a try, except the last. OutOfMemoryLadderError when all fail.
    """
    import torch

    notes: list[str] = []
    for index, rung in enumerate(rungs):
        if available is not None and rung.need > available and index + 1 < len(rungs):
            need, have = rung.need // MB, available // MB
            notes.append(f"{what}, {rung.name}: left out, it takes {need} MB and {have} MB may be used")
            continue
        try:
            return Climbed(attempt(rung.plan), rung.name, tuple(notes))
        except torch.cuda.OutOfMemoryError as error:
            notes.append(f"{what}, {rung.name}: out of memory ({_asked_for(error)})")
            log.warning("%s", notes[-1])
        gc.collect()  # the failed frames are gone with the handler; cycles may still hold tensors
        give_back(device)
    raise OutOfMemoryLadderError(
        f"{what} ran out of memory on every rung: {'; '.join(notes)}. Close other programs that use the GPU, or choose"
        " a lower resolution or device cpu"
    )


def _asked_for(error: BaseException) -> str:
    """The useful start of torch's message."""
    text = str(error).replace("\n", " ")
    return text.split(". GPU")[0][:160] or type(error).__name__


def total_memory_bytes() -> int | None:
    """Memory of this machine, or the container's limit when that is lower; None where the system does not tell."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        try:
            import psutil  # Windows; ComfyUI brings it
        except ImportError:
            return None
        total = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total
