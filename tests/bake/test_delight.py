"""De-light on an object shaded by a known lamp: the shading goes, the paint stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import trimesh

from maquette.appearance.color import to_linear, to_srgb
from maquette.bake import bake, unwrap
from maquette.bake._delight import find_shading
from maquette.data import FloatArray, Mesh, SurfaceSample
from maquette.errors import BadInputError

LAMP = np.array([0.5, 0.7, 0.5]) / np.linalg.norm([0.5, 0.7, 0.5])


@dataclass(frozen=True)
class Painted:
    """Stripes and spots of paint under a soft lamp; known: nothing on the far side when ``half``."""

    lamp: float = 0.6
    half: bool = False

    def paint(self, points: torch.Tensor) -> torch.Tensor:
        """Linear albedo: sharp stripes, and an upper half that is darker than the lower."""
        stripe = ((points[:, 0] * 9).floor() % 2)[:, None]
        top = (points[:, 1] > 0.05).float()[:, None]
        color = stripe * points.new_tensor([0.5, 0.2, 0.2]) + (1 - stripe) * points.new_tensor([0.15, 0.3, 0.5])
        return color * (1 - 0.5 * top)

    def light(self, normals: torch.Tensor) -> torch.Tensor:
        """Half of it from everywhere, the rest falls off with the cosine; mild second-order part."""
        cosine = (normals @ normals.new_tensor(LAMP)).float()
        return 1 + self.lamp * cosine + 0.15 * (cosine**2 - 1 / 3)

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        color = to_srgb(self.paint(points) * self.light(normals)[:, None])
        if self.half:
            color[points[:, 2] < 0] = float("nan")
        flat = torch.zeros_like(points[:, 0])
        return SurfaceSample(color, flat, flat + 0.8, flat + 1)


@pytest.fixture(scope="module")
def torus() -> Mesh:
    solid = trimesh.creation.torus(0.35, 0.15, major_sections=64, minor_sections=32)
    return unwrap(Mesh(solid.vertices, solid.faces), size=256)


def left_over(mesh: Mesh, look: Painted, delight: float) -> tuple[float, float]:
    """Of a baked mesh: spread of log(colour / paint) over the vertices (0 = no shading), and how much of the paint's
    contrast is left (1 = all)."""
    made = bake(mesh, look, size=256, delight=delight).mesh
    from maquette.mesh.color import sampled

    assert made.texture is not None and made.uvs is not None
    points = torch.tensor(made.vertices)
    known = np.isfinite(look.sample(points, torch.tensor(made.vertex_normals)).base_color.numpy()).all(axis=1)
    inside = known & (np.abs(made.vertices[:, 0] * 9 % 1 - 0.5) < 0.3) & (np.abs(made.vertices[:, 1] - 0.05) > 0.02)
    baked = to_linear(torch.tensor(sampled(made.texture, made.uvs))).numpy()[inside].mean(axis=1)
    paint = look.paint(points).numpy()[inside].mean(axis=1)
    ratio = np.log(baked / paint)
    slope = np.polyfit(np.log(paint), np.log(baked), 1)[0]
    return float(np.quantile(ratio, 0.95) - np.quantile(ratio, 0.05)), float(slope)


def test_shading_goes_and_paint_stays(torus: Mesh) -> None:
    """The lamp brightens one side by a factor of 3; at full strength a tenth of that is left, and no paint is lost."""
    before, _ = left_over(torus, Painted(), 0.0)
    after, contrast = left_over(torus, Painted(), 1.0)
    half, _ = left_over(torus, Painted(), 0.5)
    assert before > 0.9, before
    assert after < 0.2 * before, (before, after)
    assert 0.35 * before < half < 0.65 * before, (before, half)
    assert contrast == pytest.approx(1, abs=0.08)


def test_edges_stay_sharp(torus: Mesh) -> None:
    """Across a stripe's edge colours jump as before: texels are multiplied by a smooth factor, not blurred."""
    plain = bake(torus, Painted(), size=256).mesh.texture
    done = bake(torus, Painted(), size=256, delight=1.0).mesh.texture
    assert plain is not None and done is not None
    before, after = (
        np.abs(np.diff(np.log(np.maximum(to_linear(torch.tensor(t.base_color)).numpy(), 0.01)), axis=1)).max(axis=2)
        for t in (plain, done)
    )
    edges = (before > 0.5) & (before < 1.5)
    assert edges.sum() > 500
    assert np.median(after[edges] / before[edges]) == pytest.approx(1, abs=0.05)


def test_an_unshaded_object_is_left_alone(torus: Mesh) -> None:
    """Paint that is darker on top is paint."""
    before, _ = left_over(torus, Painted(lamp=0.0), 0.0)
    after, contrast = left_over(torus, Painted(lamp=0.0), 1.0)
    assert after < before + 0.1
    assert contrast == pytest.approx(1, abs=0.08)


def test_half_a_view_is_enough_and_nothing_is_not(torus: Mesh) -> None:
    """What a photo saw decides; an object that is known nowhere, or in one direction only, is left alone and told."""
    before, _ = left_over(torus, Painted(half=True), 0.0)
    after, _ = left_over(torus, Painted(half=True), 1.0)
    assert after < 0.35 * before, (before, after)

    def nothing(points: FloatArray, _normals: FloatArray) -> FloatArray:
        return np.full_like(points, np.nan)

    assert find_shading(torus, nothing) is None
    flat = Mesh(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], uvs=[[0, 0], [1, 0], [1, 1], [0, 1]]
    )
    done = bake(flat, Painted(), size=64, delight=1.0)
    assert any("de-light" in note for note in done.notes)


def test_the_default_changes_nothing_and_strength_is_checked(torus: Mesh) -> None:
    one, two = bake(torus, Painted(), size=64).mesh.texture, bake(torus, Painted(), size=64, delight=0.0).mesh.texture
    assert one is not None and two is not None
    np.testing.assert_array_equal(one.base_color, two.base_color)
    with pytest.raises(BadInputError, match="delight"):
        bake(torus, Painted(), size=64, delight=1.5)
