"""Several ranks step as one: gradients are averaged, weights stay equal, the first rank keeps the clock and saves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maquette.reconstruct._nano.network import NanoNet, Shape
from training.files import load_pieces, save_pieces
from training.ranks import Ranks
from training.scenes.native import compiler

ROOT = Path(__file__).parents[2]
TINY = {"widths": (8, 8, 16), "blocks": (1, 1, 1), "dim": 24, "layers": 1, "heads": 2}
TALK = """
import sys, torch
from training.ranks import Ranks
ranks = Ranks()
ranks.join("cpu")
mine = [torch.full((2, 3), 1.0 + ranks.rank), torch.tensor([10.0 * ranks.rank])]
ranks.average(mine)
agreed = ranks.agree(7.5 if ranks.first else 99.0)
weights = [torch.full((4,), float(ranks.rank))]
ranks.align(weights)
ranks.leave()
torch.save([*mine, torch.tensor(agreed), weights[0]], f"{sys.argv[1]}/{ranks.rank}.pt")
"""
TRAIN = """
import sys, torch
from maquette.reconstruct._nano.network import NanoNet, Shape
from training import pool, train, validate
train.NanoNet = lambda: NanoNet(Shape(**SHAPE))
pool.CHUNK, validate.FAMILIES, validate.HELD_OUT = 8, ("rocks",), ("mushroom",)
class Watched(train.Trainer):
    def __init__(self, *given):
        super().__init__(*given)
        kept.append(self)
kept, train.Trainer = [], Watched
train.main(sys.argv[2:])
torch.save(kept[0].model.state_dict(), f"{sys.argv[1]}/{kept[0].ranks.rank}.pt")
"""


def in_two(code: str, *arguments: str) -> None:
    """Run ``code`` as rank 0 and rank 1 of two."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    meet = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    meet |= {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT, env=os.environ | meet | {"RANK": str(rank)}, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        ends = [process.communicate(timeout=240)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(ends)


def test_alone_nothing_is_sent() -> None:
    ranks, gradient = Ranks(), torch.ones(3)
    ranks.average([gradient])
    ranks.align([gradient])
    assert (
        ranks.first and ranks.agree(2.0) == 2.0 and gradient.tolist() == [1.0] * 3 and ranks.device("cuda") == "cuda:0"
    )


def test_two_ranks_average_agree_and_align(tmp_path: Path) -> None:
    in_two(TALK, str(tmp_path))
    for rank in range(2):
        matrix, vector, agreed, weights = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert (matrix == 1.5).all() and vector.item() == 5.0 and agreed.item() == 7.5 and (weights == 0).all()


@pytest.mark.slow
@pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
def test_two_ranks_train_one_network(tmp_path: Path) -> None:
    begun = NanoNet(Shape(**TINY)).state_dict()
    save_pieces(dict(begun), tmp_path / "init")
    sizes = ["--device", "cpu", "--compile", "0", "--batch", "1", "--chunks", "4", "--workers", "1", "--each", "1"]
    where = ["--init", str(tmp_path / "init"), "--out", str(tmp_path / "out"), "--state", str(tmp_path / "state.pt")]
    in_two(TRAIN.replace("SHAPE", repr(TINY)), str(tmp_path), *sizes, *where, "--steps", "3", "--minutes", "60")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert any(not torch.equal(first[k].half(), begun[k].half()) for k in begun)
    assert load_pieces(tmp_path / "out").keys() == begun.keys()
