"""``benchmarks.parity`` writes every output of a reference folder under its name, within the stated tolerances."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from benchmarks import parity

DATA = Path(__file__).resolve().parent.parent / "data" / "triposr"
INPUTS = {"vertices", "positions_texture", "position_embeddings"}


def test_every_output_of_the_reference_is_written_within_tolerance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference's own answers are taken away first: they cannot be copied."""
    reference, out = tmp_path / "reference", tmp_path / "out"
    shutil.copytree(DATA, reference)
    for path in [*reference.glob("tiny/*_expected.safetensors"), *reference.glob("preprocess/*_r*.png")]:
        path.unlink()
    parity.main(["triposr", str(reference), str(out)])
    assert "not in the reference" in capsys.readouterr().out
    tolerances = json.loads((DATA / "tolerances.json").read_text())
    compared = 0
    for path in DATA.rglob("*.safetensors"):
        if path.name.endswith("_inputs.safetensors") or path.name == "weights.safetensors":
            continue
        want, got = load_file(path), load_file(out / path.relative_to(DATA))
        for name in want.keys() - INPUTS:
            limit = tolerances[max((key for key in tolerances if name.startswith(key)), key=len)]
            mine, theirs = (_in_order(a, b, name) for a, b in ((got[name], got), (want[name], want)))
            np.testing.assert_allclose(mine, theirs, atol=limit["atol"], rtol=limit["rtol"], err_msg=f"{path} {name}")
            compared += 1
    assert compared > 80
    pictures = list((DATA / "preprocess").glob("*_r*.png"))
    assert {p.name for p in pictures} == {p.name for p in (out / "preprocess").glob("*.png")}


def _in_order(values: np.ndarray, group: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Surface vertices come in any order: sort them by their edge."""
    if not name.startswith("iso_"):
        return values
    return values[np.lexsort(group["iso_edge_ids"].T[::-1])]
