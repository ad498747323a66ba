"""The scene generator: analytic distances, the compiled kernel against its twin, determinism."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from scene_tools import plain_look, points

from training.scenes import layout as at
from training.scenes import reference
from training.scenes.builder import Builder
from training.scenes.families import FAMILIES, HELD_OUT, make_scene
from training.scenes.native import Renderer, compiler

needs_compiler = pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
ALL = [*FAMILIES, *HELD_OUT]


def dims(*values: float) -> torch.Tensor:
    return torch.tensor([*values, 0.0, 0.0, 0.0][:4])


def test_a_ball_is_exact_as_ellipsoid_and_as_capsule() -> None:
    p = points(500)
    truth = p.norm(dim=1) - 0.4
    assert torch.allclose(reference.ellipsoid(p, dims(0.4, 0.4, 0.4)), truth, atol=1e-5)
    assert torch.allclose(reference.capsule(p, dims(0.4, 0.4, 1e-4)), truth, atol=2e-4)


def test_box_and_torus_have_the_textbook_distances() -> None:
    outside = torch.tensor([[0.9, 0.0, 0.0], [0.9, 0.9, 0.0], [0.0, 0.0, 0.0]])
    found = reference.box(outside, dims(0.4, 0.5, 0.6))
    assert torch.allclose(found, torch.tensor([0.5, math.hypot(0.5, 0.4), -0.4]))
    ring = reference.torus(torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]), dims(0.5, 0.1))
    assert torch.allclose(ring, torch.tensor([-0.1, 0.4]))


def test_a_frustum_of_equal_radii_is_a_cylinder() -> None:
    p = points(500, 1)
    radial, high = torch.hypot(p[:, 0], p[:, 2]) - 0.3, p[:, 1].abs() - 0.5
    inside = torch.maximum(radial, high).clamp(max=0)
    truth = inside + torch.hypot(radial.clamp(min=0), high.clamp(min=0))
    assert torch.allclose(reference.cone(p, dims(0.3, 0.3, 0.5)), truth, atol=1e-5)


@pytest.mark.parametrize("kind", range(7))
def test_no_primitive_claims_more_distance_than_there_is(kind: int) -> None:
    """Sphere tracing must not step through a surface: |gradient| <= 1 outside."""
    sizes = {at.TORUS: (0.4, 0.1), at.ARC: (0.4, 0.05, 1.5), at.CAPSULE: (0.1, 0.05, 0.5)}.get(
        kind, (0.4, 0.2, 0.3, 0.0)
    )
    d = dims(*sizes) if kind != at.FRAME else torch.tensor([0.4, 0.3, 0.2, 0.03])
    p = points(2000, kind)
    step = torch.nn.functional.normalize(points(2000, 99), dim=1) * 1e-3
    change = (reference.KINDS[kind](p + step, d) - reference.KINDS[kind](p, d)).abs()
    outside = reference.KINDS[kind](p, d) > 0.01
    limit = 1.0 if kind != at.ELLIPSOID else 2.0  # the ellipsoid's bound is known to be loose
    assert float((change / 1e-3)[outside].max()) < limit + 0.02


@needs_compiler
@pytest.mark.parametrize("family", ALL)
def test_compiled_kernel_agrees_with_its_twin(renderer: Renderer, family: str) -> None:
    """Same side of the surface everywhere, same distance near it (further off the kernel skips hidden primitives)."""
    p = points(6000, 5)
    for seed in (1, 2):
        scene = make_scene(seed, family)
        head, prims = torch.from_numpy(scene.head), torch.from_numpy(scene.prims)
        mine, _ = renderer.field(head, prims.contiguous(), plain_look(), p)
        twin = reference.field(head, prims, p)
        clear = twin.abs() > max(1e-3, 4 * float(head[at.BUMP]))
        assert bool((mine > 0)[clear].eq((twin > 0)[clear]).all())
        near = twin.abs() < 0.02
        assert int(near.sum()) >= 5
        assert float(((mine - twin).abs()[near] > 2e-3).float().mean()) < 0.03


def test_a_seed_gives_the_same_scene_and_another_seed_another() -> None:
    a, b, c = make_scene(7), make_scene(7), make_scene(8)
    assert a.family == b.family and np.array_equal(a.prims, b.prims) and np.array_equal(a.head, b.head)
    assert a.prims.shape != c.prims.shape or not np.array_equal(a.prims, c.prims)


@pytest.mark.parametrize("family", ALL)
def test_every_family_fits_the_unit_ball_and_is_finite(family: str) -> None:
    """Nothing of a scene lies outside radius 1 (before bumps and lean), so the renderer's ball holds it."""
    p = torch.nn.functional.normalize(points(3000, 3), dim=1) * 1.06
    for seed in range(4):
        scene = make_scene(seed, family)
        assert np.isfinite(scene.prims).all() and len(scene.prims) <= at.MAX_PRIMS
        head = torch.from_numpy(scene.head.copy())
        head[at.LEAN] = head[at.TWIST] = head[at.BUMP] = 0
        assert float(reference.field(head, torch.from_numpy(scene.prims), p).min()) > 0


def test_mirrored_parts_are_symmetric() -> None:
    b = Builder(Random(0))
    b.add(at.CAPSULE, (0.4, 0.1, 0.2), (0.05, 0.02, 0.3), (20, 30, 40), mirror=1)
    scene = b.scene("test")
    p = points(500)
    field = [
        reference.field(torch.from_numpy(scene.head), torch.from_numpy(scene.prims), p * torch.tensor([s, 1.0, 1.0]))
        for s in (1.0, -1.0)
    ]
    assert torch.equal(field[0], field[1])


@needs_compiler
def test_intervals_of_a_ball_are_its_chords(renderer: Renderer) -> None:
    from training.scenes.looks import framed_looks

    b = Builder(Random(0))
    b.add(at.ELLIPSOID, (0, 0, 0), (0.5, 0.5, 0.5))
    scene = b.scene("ball")
    head, prims = torch.from_numpy(scene.head)[None], torch.from_numpy(scene.prims)[None]
    g = torch.Generator().manual_seed(3)
    look, valid = framed_looks(renderer, head, prims, g, stretch=0.0)
    spans, _ = renderer.spans(head, prims, look, 64)
    assert bool(valid.all())
    radius = float(scene.prims[0, 19])
    middle = spans[0, 32, 32]
    eye = float(look[0, at.ORIGIN].norm())
    assert abs(float(middle[0]) - (eye - radius)) < 0.01 and abs(float(middle[1]) - (eye + radius)) < 0.01
    assert float(middle[2]) == 0.0
    wide = (spans[0, ..., 0] > 0).any(0).sum()
    assert abs(int(wide) - 0.85 * 64) <= 2  # framed as image.prepare frames


@pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
def test_loading_the_renderer_leaves_tiny_numbers_alone() -> None:
    """Linked with -ffast-math it switched them off for the whole process; SciPy's tree then recursed without end."""
    Renderer("cpu")
    tiny = np.full(8, 1e-310)
    assert (tiny * 0.5 > 0).all() and (tiny + tiny > tiny).all()
