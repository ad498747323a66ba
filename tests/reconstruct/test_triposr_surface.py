"""Thresholds, options, and how near the surface is to the true one; on a tiny model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _triposr_tiny import TINY, disc_view, tiny_settings
from safetensors.torch import load_file

from maquette.errors import BadInputError
from maquette.geometry.extract import extract
from maquette.progress import silent
from maquette.reconstruct import Settings, reconstruct
from maquette.reconstruct._triposr.engine import Engine
from maquette.reconstruct._triposr.surface import adaptive_level, surface
from maquette.reconstruct.triposr import SPEC


def test_nothing_above_the_threshold_gives_the_range_of_densities(engine: Engine) -> None:
    """The user can choose a better threshold from the message."""
    with pytest.raises(BadInputError, match=r"above the threshold 1e\+09; the volume holds densities from \d.* to \d"):
        reconstruct([disc_view()], "triposr", tiny_settings(engine, threshold=1e9))


@pytest.mark.parametrize("threshold", [0.0, -3.0, math.nan, "lots"])
def test_impossible_thresholds_are_refused_before_the_model_is_loaded(threshold: Any) -> None:
    """No waiting for a typing error."""
    with pytest.raises(BadInputError, match="threshold"):
        reconstruct([disc_view()], "triposr", Settings(threshold=threshold))


@pytest.mark.parametrize(("options", "word"), [({"enginee": 1}, "enginee"), ({"precision": "int4"}, "precision")])
def test_unknown_options_are_named(options: dict[str, Any], word: str) -> None:
    """A misspelt option is not ignored."""
    with pytest.raises(BadInputError, match=word):
        reconstruct([disc_view()], "triposr", Settings(options=options))


def test_the_adaptive_threshold_is_the_clamped_median() -> None:
    """Of the inside of the coarse lattice, between half and twice 25."""
    for median, want in ((0.01, 12.5), (30.0, 30.0), (1e4, 50.0)):
        coarse = torch.full((9, 9, 9), 1e6)
        coarse[1:-1, 1:-1, 1:-1] = median
        coarse[2, 2, 2] = 1e5
        assert math.exp(adaptive_level(coarse.log())) == pytest.approx(want, rel=1e-5)


def test_interpolating_the_log_is_nearer_to_the_true_surface(engine: Engine) -> None:
    """Same faces as the original's lattice; a tenth of its distance from the level."""
    codes = load_file(TINY / "case_b_expected.safetensors")["scene_codes"][0]
    field, radius = engine.field(codes), engine.config.radius
    ours = surface(field, engine.config, resolution=33, threshold=25.0, closed=False, progress=silent())
    box = {"lower": (-radius,) * 3, "upper": (radius,) * 3}
    vertices, faces, _ = extract(field.density, **box, resolution=33, level=25.0)
    assert torch.equal(ours.faces, faces)
    error, theirs = ((field.raw(v) - math.log(25.0)).abs().mean() for v in (ours.vertices, vertices))
    assert float(error) < 0.1 * float(theirs)


@pytest.mark.parametrize("case", ["b", "c"])
def test_what_coarse_to_fine_misses_is_specks(engine: Engine, case: str) -> None:
    """On noise-like scenes at most one face in five thousand, in loose specks; the rest is the dense surface."""
    codes = load_file(TINY / f"case_{case}_expected.safetensors")["scene_codes"][0]
    field, radius = engine.field(codes), engine.config.radius
    box: dict[str, Any] = {"lower": (-radius,) * 3, "upper": (radius,) * 3, "resolution": 65, "level": math.log(25.0)}
    _, dense, _ = extract(field.raw, **box, coarse=65)
    _, fast, _ = extract(field.raw, **box)
    assert 0 <= len(dense) - len(fast) <= 2e-4 * len(dense)


@pytest.mark.parametrize(("case", "faces", "euler"), [("a", 1e-3, 2), ("b", 4e-3, 0), ("c", 0, 0)])
def test_half_precision_keeps_the_topology(engine: Engine, case: str, faces: float, euler: int) -> None:
    """The twin in half against float32 on the recorded scenes, whose surfaces are noise with hundreds of handles."""
    codes = load_file(TINY / f"case_{case}_expected.safetensors")["scene_codes"][0]
    exact, half = (_counts(engine, given) for given in (codes, codes.half()))
    assert abs(exact[0] - half[0]) <= faces * exact[0]
    assert abs(exact[1] - half[1]) <= euler


def _counts(engine: Engine, codes: torch.Tensor) -> tuple[int, int]:
    """Faces, and Euler's number V - E + F, at 32 samples an axis."""
    field = engine.field(codes)
    made = surface(field, engine.config, resolution=32, threshold=25.0, closed=False, progress=silent())
    f = made.faces.numpy()
    edges = np.unique(np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1), axis=0)
    return len(f), len(np.unique(f)) - len(edges) + len(f)


def test_the_memory_contract_is_stated_where_users_look() -> None:
    """The numbers of SPEC, which the GPU test holds it to, stand in the README and in what the doctor prints."""
    from maquette.doctor import examine

    (finding,) = [x for x in examine() if x.name == "reconstruct triposr"]
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in readme.splitlines() if line.startswith("| TripoSR, ")]
    stated = [int(cell.replace(",", "")) for cell in row.split("|")[2:6]]
    assert stated == [SPEC.vram_mb[n] for n in (128, 256, 512, 1024)]
    assert all(f"{mb} MB at {n}" in finding.value for n, mb in SPEC.vram_mb.items())
