"""Training goes on from the shipped kind of pieces, saves what loads again, and ends with an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from maquette.reconstruct._nano.network import NanoNet, Shape
from training import pool, train, validate
from training.files import load_pieces, save_pieces
from training.scenes.native import compiler

needs_compiler = pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
TINY = Shape(widths=(8, 8, 16), blocks=(1, 1, 1), dim=24, layers=1, heads=2)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network, a pool of scenes and an evaluation that a CPU gets through in seconds."""
    monkeypatch.setattr(train, "NanoNet", lambda: NanoNet(TINY))
    monkeypatch.setattr(pool, "CHUNK", 8)
    monkeypatch.setattr(validate, "FAMILIES", ("rocks",))
    monkeypatch.setattr(validate, "HELD_OUT", ("mushroom",))


def arguments(folder: Path, init: Path, call: int, steps: int) -> list[str]:
    sizes = ["--device", "cpu", "--compile", "0", "--batch", "1", "--chunks", "4", "--workers", "1", "--each", "1"]
    where = ["--init", str(init), "--out", str(folder / "out"), "--state", str(folder / "state.pt")]
    return [*sizes, *where, "--steps", str(steps), "--minutes", "60", "--call", str(call)]


@pytest.mark.slow
@needs_compiler
def test_training_goes_on_from_pieces_and_then_from_its_state(
    tmp_path: Path, tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pieces that ship have no curve beside them; a second call goes on where the first one stopped."""
    begun = NanoNet(TINY).state_dict()
    save_pieces(dict(begun), tmp_path / "init")
    train.main(arguments(tmp_path, tmp_path / "init", 0, 2))
    first = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert first["steps"] == 2 and set(first["validation"]) == {"rocks", "mushroom", "TRAINED", "HELD OUT"}
    made = load_pieces(tmp_path / "out")
    assert made.keys() == begun.keys() and any(not torch.equal(made[k], begun[k].half().float()) for k in made)
    assert "before" in capsys.readouterr().out
    train.main(arguments(tmp_path, tmp_path / "init", 1, 1))
    second = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert second["steps"] == 3 and second["elapsed"] >= first["elapsed"]


@pytest.mark.slow
@needs_compiler
def test_the_rate_falls_to_the_end_of_a_call_and_the_evaluation_can_be_left_out(
    tmp_path: Path, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--total 0: the plan ends where this call ends, however long the start took."""
    shares: list[float] = []
    real = train.schedule
    monkeypatch.setattr(train, "schedule", lambda share, *rest: shares.append(share) or real(share, *rest))
    save_pieces(dict(NanoNet(TINY).state_dict()), tmp_path / "init")
    given = arguments(tmp_path, tmp_path / "init", 0, 6)
    given[given.index("--each") + 1], given[given.index("--minutes") + 1] = "0", "50"
    train.main([*given, "--total", "0"])
    assert len(shares) == 6 and all(0 <= s < 1 for s in shares) and shares[-1] > shares[3]
    log = json.loads((tmp_path / "out" / "curve.json").read_text())
    assert log["validation"] == {} and log["steps"] == 6 and log["elapsed"] / shares[-1] < 50 * 60


@pytest.mark.slow
@needs_compiler
def test_the_curve_is_a_mean_also_where_a_call_began_between_two_rows(
    tmp_path: Path, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are due at steps 2 and 10; the second call makes only five of the eight steps between them."""
    real = train.losses
    ones = lambda *given: {name: 0 * value + 1 for name, value in real(*given).items()}  # noqa: E731
    monkeypatch.setattr(train, "losses", ones)
    save_pieces(dict(NanoNet(TINY).state_dict()), tmp_path / "init")
    for call in (0, 1):
        given = arguments(tmp_path, tmp_path / "init", call, 5)
        given[given.index("--each") + 1] = "0"
        train.main(given)
    curve = json.loads((tmp_path / "out" / "curve.json").read_text())["curve"]
    assert [row["step"] for row in curve] == [2, 10]
    assert all(row[term] == 1 for row in curve for term in train.TERMS)
