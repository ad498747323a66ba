"""Mean of the weights of several runs that began from the same ones: ``python -m training.mix A:.4 B:.6 --out OUT``.

Runs from one start stay in one basin of the loss, where the mean of their weights is better than each
(Wortsman et al. 2022, "Model soups"); it stands in for more steps or a falling rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from .files import load_pieces, save_pieces


def mixed(runs: Sequence[tuple[dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """The mean of these weights, by the shares beside them."""
    total = sum(share for _, share in runs)
    first, _ = runs[0]
    if total <= 0 or any(weights.keys() != first.keys() for weights, _ in runs):
        raise ValueError("the runs must have the same weights, and shares that add up to more than 0")
    return {key: sum(weights[key] * (share / total) for weights, share in runs) for key in first}  # type: ignore[misc]


def main(given: list[str] | None = None) -> None:
    """Read, mix, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="FOLDER:SHARE")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(given)
    parts = [run.rpartition(":") for run in arguments.runs]
    save_pieces(mixed([(load_pieces(Path(folder)), float(share)) for folder, _, share in parts]), arguments.out)


if __name__ == "__main__":
    main()
