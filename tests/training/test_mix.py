"""The mean of the weights of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.files import load_pieces, save_pieces
from training.mix import main, mixed


def test_shares_need_not_add_up_to_one(tmp_path: Path) -> None:
    for name, value in (("a", 0.0), ("b", 4.0)):
        save_pieces({"w": torch.full((3, 2), value), "v": torch.arange(4.0)}, tmp_path / name)
    main([f"{tmp_path / 'a'}:1", f"{tmp_path / 'b'}:3", "--out", str(tmp_path / "out")])
    made = load_pieces(tmp_path / "out")
    assert (made["w"] == 3.0).all() and made["v"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_runs_of_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="same weights"):
        mixed([({"w": torch.ones(1)}, 1.0), ({"x": torch.ones(1)}, 1.0)])
