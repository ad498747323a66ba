"""TripoSR's network against numbers recorded from the published code on random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from maquette.errors import BadInputError
from maquette.reconstruct._triposr.config import Config, config_from_reference
from maquette.reconstruct._triposr.network import Network, empty_network, encode
from maquette.reconstruct._triposr.preprocess import condition
from maquette.reconstruct._triposr.vit import interpolate_positions

DATA = Path(__file__).resolve().parent.parent / "data" / "triposr"
TINY = DATA / "tiny"
TOLERANCES = json.loads((DATA / "tolerances.json").read_text())


def tolerance(name: str) -> dict[str, float]:
    """The longest matching prefix."""
    return TOLERANCES[max((key for key in TOLERANCES if name.startswith(key)), key=len)]


def assert_golden(name: str, got: torch.Tensor, expected: torch.Tensor) -> None:
    limit = tolerance(name)
    assert got.shape == expected.shape, name
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=limit["atol"], rtol=limit["rtol"], err_msg=name)


@pytest.fixture(scope="module")
def network() -> Network:
    settings = json.loads((TINY / "config.json").read_text())
    net = empty_network(config_from_reference(settings["model"], settings["vit"]))
    net.load_state_dict(load_file(TINY / "weights.safetensors"), strict=True, assign=True)
    return net


def test_keys_and_shapes_are_those_of_the_published_checkpoint() -> None:
    """549 tensors, 419,275,628 parameters, same names, same shapes."""
    manifest = json.loads((DATA / "manifest_full.json").read_text())
    settings = config_from_reference(manifest["config"], manifest["vit_config"])
    assert settings == Config(), "the defaults are the published model"
    state = empty_network(settings).state_dict()
    assert {k: list(v.shape) for k, v in state.items()} == {k: v["shape"] for k, v in manifest["tensors"].items()}
    assert sum(v.numel() for v in state.values()) == manifest["total_parameters"] == 419_275_628


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_every_intermediate_tensor_matches_the_original(network: Network, case: str) -> None:
    """From the resized picture to the triplanes, all recorded stages."""
    given = load_file(TINY / f"case_{case}_inputs.safetensors")
    expected = load_file(TINY / f"case_{case}_expected.safetensors")
    seen: dict[str, torch.Tensor] = {}
    images = condition(given["image"][None], network.config.image_size)
    seen["rgb_cond"] = images[0]
    encode(network, images, observe=lambda name, value: seen.__setitem__(name, value))
    compared = [name for name in expected if name.startswith(("rgb", "vit", "image", "tokens", "backbone", "scene"))]
    assert len(compared) >= 15
    for name in compared:
        assert_golden(name, seen[name], expected[name])


def test_a_batch_equals_its_pictures_one_by_one(network: Network) -> None:
    """Tokens that are shared before the first cross-attention change nothing."""
    images = torch.rand(3, 160, 160, 3)
    together = encode(network, images)
    single = torch.cat([encode(network, images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, single, atol=2e-5, rtol=1e-5)


def test_position_grids_are_resized_by_factor_not_by_size() -> None:
    """At 512, 160 and the native 224 pixels."""
    golden = load_file(DATA / "posenc" / "posenc.safetensors")
    for pixels in (512, 224, 160):
        got = interpolate_positions(golden["position_embeddings"], pixels // 16, 14)
        assert_golden("interpolated", got, golden[f"interpolated_{pixels}"])
    assert interpolate_positions(golden["position_embeddings"], 14, 14) is golden["position_embeddings"]


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("decoder", "activation", "relu"),
        ("renderer", "feature_reduction", "mean"),
        ("renderer", "density_activation", "x"),
    ],
)
def test_a_configuration_that_is_not_written_is_refused(part: str, key: str, value: str) -> None:
    """Better no model than another function."""
    settings = json.loads((TINY / "config.json").read_text())
    settings["model"][part][key] = value
    with pytest.raises(BadInputError, match=key):
        config_from_reference(settings["model"], settings["vit"])
