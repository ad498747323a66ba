"""Train the nano network: ``python -m training.train --minutes 9 --total 30 --out $OUT``. See training/README.md."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from maquette.reconstruct._nano.network import NanoNet, columns

from .batches import Batch, make_batch
from .checks import check_twin, time_parts
from .files import load_pieces, save_pieces
from .losses import losses
from .optimizer import Optimizer
from .pool import Pool
from .ranks import Ranks
from .scenes.native import Renderer
from .validate import report

TERMS = ("depth", "slope", "spread", "cross", "overlap", "back")
"""Names of the losses in the curve."""


def schedule(share: float, step: int, decay_from: float) -> float:
    """Warm up, stay, fall linearly to 2 % from ``decay_from`` of the planned time on."""
    fall = 1.0 if share < decay_from else max(1.0 - (share - decay_from) / (1.0 - decay_from), 0.02)
    return min(1.0, (step + 1) / 200) * fall


class Trainer:
    """Model, average, optimizer and the clock of the whole plan (it runs over several calls)."""

    def __init__(self, arguments: argparse.Namespace, ranks: Ranks) -> None:
        self.a, self.ranks = arguments, ranks
        torch.manual_seed(arguments.seed)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        self.device = torch.device(ranks.device(arguments.device))
        self.model = NanoNet().to(self.device, memory_format=torch.channels_last)
        self.average = NanoNet().to(self.device, memory_format=torch.channels_last).requires_grad_(False)
        self.optimizer = Optimizer(self.model, arguments.lr)
        self.steps, self.elapsed, self.warm_from = 0, 0.0, 0
        self.total = 60 * (arguments.total or arguments.minutes)
        self.curve: list[dict[str, float]] = []
        state = Path(arguments.state)
        if state.exists():
            self._resume(torch.load(state, weights_only=True, map_location=self.device))
        elif arguments.init:
            self._begin_from(Path(arguments.init))
        if not state.exists():
            self.average.load_state_dict(self.model.state_dict())
        ranks.align(p.data for p in self.model.parameters())

    def _begin_from(self, folder: Path) -> None:
        """The pieces of ``folder``; the clock goes on from its ``curve.json``, or starts anew where there is none (the
        weights that ship with the pack)."""
        self.model.load_state_dict(load_pieces(folder))
        if (folder / "curve.json").exists():
            log = json.loads((folder / "curve.json").read_text())
            self.curve, self.steps, self.elapsed = log["curve"], log["steps"], log["elapsed"]
        self.warm_from = self.steps

    def _resume(self, state: dict[str, object]) -> None:
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        self.average.load_state_dict(state["average"])  # type: ignore[arg-type]
        self.optimizer.load(state["optimizer"])  # type: ignore[arg-type]
        self.steps, self.elapsed, self.curve = state["steps"], state["elapsed"], state["curve"]  # type: ignore[assignment]
        self.warm_from = -1000

    def save(self, validation: dict[str, dict[str, float]]) -> None:
        """The average into --out (travels back), everything into --state (stays on the machine)."""
        out = Path(self.a.out)
        save_pieces(dict(self.average.state_dict()), out)
        log = {"steps": self.steps, "elapsed": self.elapsed, "curve": self.curve, "validation": validation}
        (out / "curve.json").write_text(json.dumps(log, indent=1))
        whole = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state(),
        }
        torch.save(whole | {"steps": self.steps, "elapsed": self.elapsed, "curve": self.curve}, self.a.state)

    def step_function(self):
        """The compiled forward pass with its losses."""

        def forward(picture: Tensor, depth: Tensor, solid: Tensor, valid: Tensor, back: Tensor, weight: Tensor):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                raw = self.model(picture)
            terms = losses(columns(raw, valid), depth, solid, valid, back, weight)
            return sum(terms.values()), torch.stack(list(terms.values())).detach()

        return torch.compile(forward) if self.a.compile else forward

    @torch.no_grad()
    def ahead(
        self, side: torch.cuda.Stream | None, renderer: Renderer, pool: Pool, g: torch.Generator
    ) -> tuple[Tensor, ...]:
        """The next batch, made on another stream while the network trains (on a CPU there is none)."""
        with torch.cuda.stream(side) if side else nullcontext():
            b: Batch = make_batch(renderer, *pool.draw(self.a.batch, g), g)
            picture = b.picture.contiguous(memory_format=torch.channels_last)
        return picture, b.depth, b.solid, b.valid, b.back, b.weight

    def _note(self, sums: Tensor, n: int, mark: float) -> float:
        """Mean losses of the last ``n`` steps into the curve and onto the screen; the new mark."""
        values = [round(v / n, 4) for v in sums.tolist()]
        row = {"step": self.steps, "minutes": round(self.elapsed / 60, 2), **dict(zip(TERMS, values, strict=True))}
        self.curve.append(row)
        speed = n / (time.time() - mark)
        print(f"{self.steps:6d} {self.elapsed / 60:6.2f} min {speed:5.1f} steps/s {row}", flush=True)
        sums.zero_()
        return time.time()

    def run(self, renderer: Renderer, pool: Pool, began: float) -> None:
        """Train until --minutes after ``began``, or for --steps."""
        g = torch.Generator(self.device).manual_seed(self.a.seed + self.steps + 1_000_003 * self.ranks.rank)
        forward, before = self.step_function(), self.elapsed
        side = torch.cuda.Stream() if self.device.type == "cuda" else None
        coming: tuple[Tensor, ...] | None = self.ahead(side, renderer, pool, g)
        sums, mark, started = torch.zeros(len(TERMS), device=self.device), time.time(), time.time()
        first = noted = self.steps
        while True:
            if self.steps == first + 3:
                started = time.time()  # compiling does not count
                if not self.a.total:
                    self.total = self.ranks.agree(before + 60 * self.a.minutes - (started - began))
            goes_on = time.time() - began < self.a.minutes * 60 and self.steps - first < self.a.steps
            elapsed = self.ranks.agree(before + time.time() - started if goes_on else -1.0)
            if elapsed < 0:
                break
            self.elapsed = elapsed
            inputs, coming = coming, None
            if side:
                torch.cuda.current_stream().wait_stream(side)
                for x in inputs:
                    x.record_stream(torch.cuda.current_stream())
            coming = self.ahead(side, renderer, pool, g)
            loss, terms = forward(*inputs)
            loss.backward()
            grads = [p.grad for p in self.model.parameters() if p.grad is not None]
            self.ranks.average(grads)
            norm = torch.nn.utils.get_total_norm(grads)
            torch._foreach_mul_(grads, torch.where(norm.isfinite(), (1.0 / norm.clamp(min=1.0)), 0.0))
            for x in grads:
                x.nan_to_num_(0.0)
            self.optimizer.step(schedule(self.elapsed / self.total, self.steps - self.warm_from, self.a.decay_from))
            self.model.zero_grad(set_to_none=True)
            self.steps += 1
            rate = 1 - min(self.a.average, (1 + self.steps) / (20 + self.steps))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), rate)
            sums += terms
            if self.steps % 200 == 0:
                self.ranks.align(p.data for p in self.model.parameters())
            if self.ranks.first and (self.steps % 200 == 0 or self.steps in (2, 10, 50)):
                mark, noted = self._note(sums, self.steps - noted, mark), self.steps


def evaluate(arguments: argparse.Namespace, model: NanoNet, renderer: Renderer) -> dict[str, dict[str, float]]:
    """``report`` of the trained weights, printed beside that of the weights it began from (``--init``)."""
    rows = report(model, renderer, arguments.each)
    first: dict[str, dict[str, float]] = {}
    if arguments.init:
        begun = NanoNet().to(renderer.device)
        begun.load_state_dict(load_pieces(Path(arguments.init)))
        first = report(begun, renderer, arguments.each)
    for family, row in rows.items():
        print(f"{family:12s} " + " ".join(f"{k} {v:.3f}" for k, v in row.items()))
        if first:
            print(f"{'  before':12s} " + " ".join(f"{k} {v:.3f}" for k, v in first[family].items()), flush=True)
    return rows


def main(given: list[str] | None = None) -> None:
    """Parse, train, validate, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call, start included")
    parser.add_argument("--steps", type=int, default=1_000_000, help="of this call, at most")
    parser.add_argument(
        "--total",
        type=float,
        default=30.0,
        help="minutes of training planned over all calls; 0: to the end of this one",
    )
    parser.add_argument("--decay-from", type=float, default=0.5, help="share of --total after which the rate falls")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the weights' running average")
    parser.add_argument("--call", type=int, default=0, help="which call of the plan this is: its scenes are new")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="out")
    parser.add_argument("--state", default="/tmp/nano_state.pt")
    parser.add_argument("--init", default="")
    parser.add_argument("--compile", type=int, default=1)
    parser.add_argument("--device", default="cuda", help="cpu: for trying the way at a tiny size")
    parser.add_argument("--chunks", type=int, default=128, help="thousands of scenes held ready")
    parser.add_argument("--workers", type=int, default=13, help="processes that make scenes")
    parser.add_argument("--each", type=int, default=16, help="scenes a family in the evaluation at the end; 0: none")
    arguments = parser.parse_args(given)
    began, ranks = time.time(), Ranks()
    device = ranks.device(arguments.device)
    seed = arguments.call * 20_000_000 + ranks.rank * 250_000_000
    pool = Pool(seed, arguments.chunks, arguments.workers, device)
    ranks.join(device)
    renderer = Renderer(device)
    print(f"pool ready {time.time() - began:.1f} s, {pool.filled} scenes", flush=True)
    trainer = Trainer(arguments, ranks)
    if ranks.first and trainer.steps == 0 and arguments.device == "cuda":
        check_twin(renderer)
        time_parts(renderer, pool, arguments.batch)
    trainer.run(renderer, pool, began)
    pool.close()
    ranks.leave()
    if not ranks.first:
        return
    trainer.save({})
    if arguments.each:
        trainer.save(evaluate(arguments, trainer.average, renderer))
    peak = torch.cuda.max_memory_allocated() / 2**30 if arguments.device == "cuda" else 0.0
    print(f"done after {time.time() - began:.0f} s, {trainer.steps} steps, {peak:.1f} GiB", flush=True)


if __name__ == "__main__":
    main()
