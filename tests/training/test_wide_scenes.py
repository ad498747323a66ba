"""Wide scenes: stretch, views from anywhere, hollow families, something to see of every family."""

from __future__ import annotations

from random import Random

import pytest
import torch
from scene_tools import plain_look, points

from training.pool import scene_arrays
from training.scenes import families, reference
from training.scenes import layout as at
from training.scenes.builder import Builder
from training.scenes.families import FAMILIES, HELD_OUT, make_scene
from training.scenes.looks import framed_looks, random_looks
from training.scenes.native import Renderer, compiler

needs_compiler = pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
ALL = [*FAMILIES, *HELD_OUT]


HOLLOW = {"bowl": 5, "tube": 5, "dome": 5, "box": 5, "ring": 5, "hub": 3}
"""Family -> of 8 scenes, how many must have a part of the picture in which a ray leaves and enters again."""


@needs_compiler
@pytest.mark.parametrize("family", ALL)
def test_every_family_is_seen_and_has_columns(renderer: Renderer, family: str) -> None:
    from training.batches import make_batch

    heads, prims = (torch.from_numpy(a) for a in scene_arrays(list(range(40, 44)), family))
    b = make_batch(renderer, heads, prims, torch.Generator().manual_seed(9), spoil=False, size=64)
    assert bool((b.weight > 0).all())
    seen = b.picture[:, 3].mean((1, 2))
    assert float(seen.min()) > 0.005 and float(seen.max()) < 0.95
    colours = b.picture[:, :3][(b.picture[:, 3:] > 0.5).expand(-1, 3, -1, -1)]
    assert float(colours.std()) > 0.01
    assert float((b.solid[b.valid][:, 0] > 0).float().mean()) > 0.99  # the rest are grazed edges


@needs_compiler
@pytest.mark.parametrize("family", HOLLOW)
def test_hollow_families_are_hollow(renderer: Renderer, family: str) -> None:
    """Rays leave the wall and enter it again, without a mate from another family to do it for them."""
    scenes = []
    for seed in range(8):
        b = Builder(Random(seed))
        FAMILIES[family][0](b, b.rng)
        scenes.append(b.scene(family))
    heads, prims = torch.zeros(8, at.HEAD), torch.zeros(8, at.MAX_PRIMS, at.PRIM)
    for i, scene in enumerate(scenes):
        heads[i], prims[i, : len(scene.prims)] = torch.from_numpy(scene.head), torch.from_numpy(scene.prims)
    heads[:, at.ANYWHERE] = 1
    looks, _ = framed_looks(renderer, heads, prims, torch.Generator().manual_seed(2))
    spans, _ = renderer.spans(heads, prims, looks, 64)
    gap = (spans[..., 2] > 0).sum((1, 2)) / (spans[..., 0] > 0).sum((1, 2))
    assert int((gap > 0.1).sum()) >= HOLLOW[family], gap


@needs_compiler
@pytest.mark.parametrize("family", ["bowl", "curled", "chair", "hub"])
def test_a_stretched_scene_agrees_with_its_twin_and_is_safe_to_trace(renderer: Renderer, family: str) -> None:
    """The widest stretch: same sides as the twin; steps overshoot no oftener than without."""
    scale = torch.tensor([1.6, 1 / 1.6, 1.0])
    look = plain_look()
    look[at.STRETCH], look[at.STRETCH_STEP] = scale, scale.min()
    scene = make_scene(3, family)
    head, prims = torch.from_numpy(scene.head), torch.from_numpy(scene.prims).contiguous()
    p = points(4000, 6) * 1.6
    mine, _ = renderer.field(head, prims, look, p)
    twin = reference.field(head, prims, p, scale)
    clear = twin.abs() > max(1e-3, 4 * float(head[at.BUMP]))
    assert bool((mine > 0)[clear].eq((twin > 0)[clear]).all())
    unsafe = [_overshoot(renderer, head, prims, stretched) for stretched in (plain_look(), look)]
    assert unsafe[1] <= unsafe[0] + 2e-3
    look[at.STRETCH_STEP] = 1.0  # what a forgotten factor would do
    assert _overshoot(renderer, head, prims, look) > unsafe[1] + 0.01


def _overshoot(renderer: Renderer, head: torch.Tensor, prims: torch.Tensor, look: torch.Tensor) -> float:
    """Share of the points of the ball from which a step of the field's length ends inside."""
    inner = torch.nn.functional.normalize(points(6000, 8), dim=1) * points(6000, 9)[:, :1].abs()
    p = (inner * look[at.STRETCH]).contiguous()
    d, _ = renderer.field(head, prims, look, p)
    worst = torch.zeros(len(p), dtype=torch.bool)
    for seed in range(8):
        step = torch.nn.functional.normalize(points(len(p), 20 + seed), dim=1) * (0.98 * d.clamp(min=0))[:, None]
        worst |= renderer.field(head, prims, look, p + step)[0] < -1e-3
    return float(worst.float().mean())


def test_stretch_is_half_mild_half_wide_and_never_beyond() -> None:
    looks = random_looks(4000, torch.Generator().manual_seed(0))
    scale = looks[:, at.STRETCH]
    assert float(scale.max()) <= 1.6 + 1e-5 and float(scale.min()) >= 1 / 1.6 - 1e-5
    assert torch.equal(looks[:, at.STRETCH_STEP], scale.amin(1))
    wide = ((scale - 1).abs() > 0.25).any(1).float().mean()
    assert 0.35 < float(wide) < 0.5
    eye = looks[:, at.ORIGIN].norm(dim=1)
    assert bool((eye > scale.amax(1)).all())  # the camera is outside the stretched ball
    assert abs(float(looks[:, at.CLAY].mean()) - 0.3) < 0.03
    none = random_looks(50, torch.Generator().manual_seed(0), stretch=0.0)
    assert torch.equal(none[:, at.STRETCH], torch.ones(50, 3))


def test_only_scenes_marked_so_are_seen_lying_or_from_below() -> None:
    g = torch.Generator().manual_seed(1)
    anywhere = torch.arange(2000) % 2 == 0
    looks = random_looks(2000, g, anywhere=anywhere)
    lying, below = looks[:, at.UP][:, 1] < 0.5, looks[:, at.FORWARD][:, 1] > 0.3
    assert float(lying[anywhere].float().mean()) > 0.3 and float(below[anywhere].float().mean()) > 0.15
    assert not bool(lying[~anywhere].any()) and not bool(below[~anywhere].any())


def test_old_families_keep_most_of_the_scenes() -> None:
    names = list(FAMILIES)
    new = sum(FAMILIES[n][1] for n in names[names.index("hub") :])  # they follow the old ones
    assert 0.3 < new / sum(share for _, share in FAMILIES.values()) < 0.4
    assert not set(FAMILIES) & set(HELD_OUT)


@pytest.mark.parametrize("family", families.HOLLOW)
def test_most_hollow_things_also_come_filled(family: str) -> None:
    """From where no opening shows nobody can tell them apart; then solid must be the likelier answer."""
    scenes = [make_scene(seed, family) for seed in range(300)]
    open_ones = [bool(s.prims[:, at.SHELL].any() or (family != "dome" and s.prims[:, at.OP].any())) for s in scenes]
    assert 0.3 < sum(open_ones) / len(scenes) < 0.55  # some get a mate with cuts of its own
