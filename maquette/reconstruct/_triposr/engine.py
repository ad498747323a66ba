"""Pictures -> triplanes -> surfaces on one device, with the ladder that goes on when memory runs out.

The two halves fail for different reasons, so each has its own rungs: the transformer needs room for its weights (one
picture at a time, then weights streamed from RAM, then the CPU), the surface for its samples (smaller blocks, then
512, 256, 128 samples an axis, then the CPU).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...errors import BadInputError, WeightsError
from ...log import log
from ...memory import MB, Climbed, Lease, Rung, climb
from ...progress import Progress, silent
from .checkpoint import fill, load_network
from .config import Config
from .field import SceneField
from .network import Network, empty_network, encode
from .shelf import Shelves
from .surface import Surface, surface

Made = TypeVar("Made")

PRECISIONS = {"half": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
LARGE, SMALL = 1 << 18, 1 << 14
"""Points evaluated at once, and after the first out-of-memory error."""
FALLBACKS = (512, 256, 128)


@dataclass(frozen=True)
class EncodePlan:
    """batch: pictures at once; streamed: a part's weights are on the device only while it computes."""

    device: str
    dtype: torch.dtype
    batch: int
    streamed: bool = False


@dataclass(frozen=True)
class SurfacePlan:
    """resolution: samples an axis; block: points at once."""

    device: str
    dtype: torch.dtype
    resolution: int
    block: int


class Engine:
    """One loaded model. Weights rest in host memory; a call borrows the device and gives everything back."""

    def __init__(self, network: Network, shelves: Shelves, name: str) -> None:
        self.network, self.shelves, self.name = network, shelves, name
        self._there: tuple[str, torch.dtype] | None = None

    @property
    def config(self) -> Config:
        """The sizes of the network."""
        return self.network.config

    @contextmanager
    def resident(self, device: str, dtype: torch.dtype) -> Iterator[None]:
        """Within the block the weights stay on ``device``, so that many pictures pay for one transfer."""
        if self._there == (device, dtype):
            yield
            return
        with self.shelves.all_lent(device, dtype):
            self._there = (device, dtype)
            try:
                yield
            finally:
                self._there = None

    def encode(self, images: Tensor, plan: EncodePlan, progress: Progress | None = None) -> Tensor:
        """Triplanes [B, 3, P, H, W] on the plan's device; images: [B, S, S, 3] float32 in host memory."""
        progress = progress or silent()
        parts = []
        for start in range(0, len(images), plan.batch):
            progress.update(start, len(images), "picture to triplanes")
            some = images[start : start + plan.batch].to(plan.device)
            if plan.streamed:
                codes = encode(self.network, some, dtype=plan.dtype, use=self._lender(plan), check=progress.check)
            else:
                with self.resident(plan.device, plan.dtype):
                    codes = encode(self.network, some, dtype=plan.dtype, check=progress.check)
            parts.append(codes)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _lender(self, plan: EncodePlan) -> _Lender:
        return _Lender(self.shelves, plan)

    def field(self, codes: Tensor, block: int = LARGE, *, kernel: bool = True) -> SceneField:
        """The scene of one picture; codes: [3, P, H, W] on the device and in the type of the computation."""
        return SceneField(codes, self.network.decoder, self.config, block=block, kernel=kernel)


class _Lender:
    """The ``use`` of a streamed pass."""

    def __init__(self, shelves: Shelves, plan: EncodePlan) -> None:
        self._shelves, self._plan = shelves, plan

    def __call__(self, part: nn.Module) -> AbstractContextManager[object]:
        return self._shelves.one_lent(part, self._plan.device, self._plan.dtype)


def open_engine(path: Path, config: Config, dtype: torch.dtype) -> Engine:
    """The model in a weight file, resting in host memory in ``dtype``. Raises WeightsError."""
    network, shelves = load_network(path, config, dtype)
    return Engine(network, shelves, path.name)


def random_engine(config: Config, dtype: torch.dtype, seed: int = 0) -> Engine:
    """A model of random weights with the spread of trained ones: for benchmarks and tests."""
    generator = torch.Generator().manual_seed(seed)
    network = empty_network(config)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}

    def take(name: str) -> Tensor:
        shape = shapes[name]
        if "norm" in name and len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        if len(shape) == 1:
            return torch.randn(shape, generator=generator) * 0.02
        inputs = shape[0] if "upsample" in name else shape[1:].numel()
        spread = 0.02 if "embeddings" in name and "patch" not in name else inputs**-0.5
        return torch.randn(shape, generator=generator) * spread

    return Engine(network, fill(network, take, dtype), f"random weights, seed {seed}")


def encode_rungs(engine: Engine, device: str, dtype: torch.dtype, count: int) -> list[Rung[EncodePlan]]:
    """From all pictures at once on ``device`` down to the CPU; ``need`` from what the weights and one picture take."""
    cpu = Rung("CPU", EncodePlan("cpu", torch.float32, 1, streamed=engine.shelves.dtype != torch.float32))
    if torch.device(device).type == "cpu":
        return [Rung("as asked", EncodePlan("cpu", torch.float32, 1, streamed=cpu.plan.streamed))]
    factor = dtype.itemsize / engine.shelves.dtype.itemsize
    weights, part = (int(size * factor) for size in (engine.shelves.size, engine.shelves.largest))
    one = activation_bytes(engine.config, dtype)
    rungs = [Rung("as asked", EncodePlan(device, dtype, count), weights + count * one)]
    if count > 1:
        rungs.append(Rung("one picture at a time", EncodePlan(device, dtype, 1), weights + one))
    rungs.append(Rung("weights streamed from RAM", EncodePlan(device, dtype, 1, streamed=True), 2 * part + one))
    return [*rungs, cpu]


def activation_bytes(config: Config, dtype: torch.dtype) -> int:
    """What one picture takes beside the weights at the widest point: the feed-forward's gate and what is kept."""
    tokens = 3 * config.plane_size**2
    return tokens * config.inner * (8 + 4 + 4 + 4) * dtype.itemsize


def surface_rungs(device: str, dtype: torch.dtype, resolution: int) -> list[Rung[SurfacePlan]]:
    """From ``resolution`` with large blocks on ``device`` down to the CPU."""
    if torch.device(device).type == "cpu":
        return [Rung("as asked", SurfacePlan("cpu", torch.float32, resolution, LARGE))]
    rungs = [
        Rung("as asked", SurfacePlan(device, dtype, resolution, LARGE)),
        Rung("smaller blocks", SurfacePlan(device, dtype, resolution, SMALL)),
    ]
    lower = [n for n in FALLBACKS if n < resolution]
    rungs += [Rung(f"resolution {n}", SurfacePlan(device, dtype, n, SMALL)) for n in lower]
    last = lower[-1] if lower else resolution
    name = "CPU" if last == resolution else f"CPU, resolution {last}"
    return [*rungs, Rung(name, SurfacePlan("cpu", torch.float32, last, SMALL))]


@dataclass(frozen=True)
class Asked:
    """What a caller wants of every picture."""

    resolution: int
    threshold: str | float
    device: str
    dtype: torch.dtype
    refine: int = 1
    kernel: bool = True


def run_encode(engine: Engine, images: Tensor, asked: Asked, lease: Lease, progress: Progress) -> Climbed[Tensor]:
    """Triplanes of all pictures; WeightsError when they are not finite even in a wider type."""

    def attempt(plan: EncodePlan) -> Tensor:
        with lease.stage(f"encode ({'streamed' if plan.streamed else 'resident'}, {plan.device})"):
            codes = engine.encode(images, plan, progress)
            if bool(torch.isfinite(codes).all()):
                return codes
            if plan.dtype == torch.float16:
                log.warning("half precision overflowed; computing in bfloat16")
                wider = EncodePlan(plan.device, torch.bfloat16, plan.batch, plan.streamed)
                codes = engine.encode(images, wider, progress)
                if bool(torch.isfinite(codes).all()):
                    return codes
            raise WeightsError(f"'{engine.name}' gives values that are not finite; it is broken: fetch it again")

    rungs = encode_rungs(engine, asked.device, asked.dtype, len(images))
    return climb(rungs, attempt, device=asked.device, available=lease.available, what="picture to triplanes")


def run_surface(
    engine: Engine,
    codes: Tensor,
    asked: Asked,
    lease: Lease,
    progress: Progress,
    finish: Callable[[Surface, SceneField], Made],
) -> Climbed[Made]:
    """What ``finish`` makes of the surface of one picture's triplanes [3, P, H, W]; it runs under the ladder too."""

    def attempt(plan: SurfacePlan) -> Made:
        with lease.stage(f"surface {plan.resolution} ({plan.device})"):
            field = engine.field(codes.to(plan.device, plan.dtype), plan.block, kernel=asked.kernel)
            made = surface(
                field,
                engine.config,
                resolution=plan.resolution,
                threshold=asked.threshold,
                refine=asked.refine,
                progress=progress,
            )
            return finish(made, field)

    rungs = surface_rungs(asked.device, codes.dtype if codes.is_cuda else asked.dtype, asked.resolution)
    return climb(rungs, attempt, device=asked.device, what="triplanes to surface")


def dtype_of(name: str, device: str) -> torch.dtype:
    """The type of computation: "half", "bfloat16" or "float32"; "auto" = half on CUDA, float32 anywhere else."""
    if name == "auto":
        return torch.float16 if torch.device(device).type == "cuda" else torch.float32
    if name not in PRECISIONS:
        raise BadInputError(f"the precision must be auto, {', '.join(PRECISIONS)}, got '{name}'")
    if torch.device(device).type == "cpu":
        return torch.float32
    return PRECISIONS[name]


def needed_bytes(engine: Engine, dtype: torch.dtype) -> int:
    """What the host should make free before the work starts."""
    weights = int(engine.shelves.size * dtype.itemsize / engine.shelves.dtype.itemsize)
    return weights + activation_bytes(engine.config, dtype) + 256 * MB


__all__: Sequence[str] = ("Asked", "Engine", "open_engine", "random_engine", "run_encode", "run_surface")
