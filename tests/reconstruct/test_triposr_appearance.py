"""The triplane as an appearance: made ready once, gone with its owner, never saved."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from _triposr_tiny import tiny_config

from maquette.data import Appearance
from maquette.native import extension
from maquette.reconstruct._triposr.appearance import TriplaneAppearance
from maquette.reconstruct._triposr.field import SceneField
from maquette.reconstruct._triposr.network import Decoder


@pytest.fixture
def look() -> TriplaneAppearance:
    torch.manual_seed(0)
    config = tiny_config()
    codes = torch.randn(3, config.plane_channels, 8, 8)
    return TriplaneAppearance(codes, Decoder(config).eval(), config, 0.5 * torch.eye(3))


def test_it_is_made_ready_once_whatever_the_number_of_blocks(
    look: TriplaneAppearance, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, made = extension("triplane"), []
    prepare = family.prepare
    monkeypatch.setattr(family, "prepare", lambda *given, **more: made.append(1) or prepare(*given, **more))
    points = torch.randn(50, 3)
    whole = look.sample(points, points).base_color
    parts = torch.cat([look.sample(part, part).base_color for part in points.split(7)])
    assert made == [1]
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)
    fresh = SceneField(look.codes, look.decoder, look.config)
    radius = look.config.radius
    torch.testing.assert_close(whole, fresh.color((0.5 * points).clamp(-radius, radius)), rtol=0, atol=1e-6)


def test_copies_and_pickles_are_without_what_was_made_ready(look: TriplaneAppearance) -> None:
    """A copy with other codes must not answer with the old ones."""
    points = torch.randn(9, 3)
    before = look.sample(points, points).base_color
    other = replace(look, codes=-look.codes)
    assert not torch.equal(other.sample(points, points).base_color, before)
    for twin in (copy.copy(look), pickle.loads(pickle.dumps(look))):
        assert not twin._ready and look._ready
        assert torch.equal(twin.sample(points, points).base_color, before)
    assert look == replace(look) and "_ready" not in repr(look)


def test_only_the_device_asked_last_holds_it(look: TriplaneAppearance) -> None:
    points = torch.randn(4, 3)
    look.sample(points, points)
    look._on(torch.device("meta"))
    assert [device.type for device in look._ready] == ["meta"]
    assert isinstance(look, Appearance) and look.points_by("cpu") == "torch: no kernel for cpu"
