"""Density, colour, rendering and the surface against the original's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from maquette.geometry.extract import extract
from maquette.reconstruct._triposr.config import config_from_reference
from maquette.reconstruct._triposr.field import SceneField
from maquette.reconstruct._triposr.network import Network, empty_network
from maquette.reconstruct._triposr.render import orbit_rays, render

DATA = Path(__file__).resolve().parent.parent / "data" / "triposr"
TINY = DATA / "tiny"
TOLERANCES = json.loads((DATA / "tolerances.json").read_text())
SETTINGS = json.loads((TINY / "config.json").read_text())
RADIUS = SETTINGS["model"]["renderer"]["radius"]


def assert_golden(name: str, got: torch.Tensor, expected: torch.Tensor) -> None:
    limit = TOLERANCES[max((key for key in TOLERANCES if name.startswith(key)), key=len)]
    assert got.shape == expected.shape, name
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=limit["atol"], rtol=limit["rtol"], err_msg=name)


@pytest.fixture(scope="module")
def network() -> Network:
    net = empty_network(config_from_reference(SETTINGS["model"], SETTINGS["vit"]))
    net.load_state_dict(load_file(TINY / "weights.safetensors"), strict=True, assign=True)
    return net


def scene(network: Network, case: str = "a", block: int = 1 << 18) -> tuple[SceneField, dict[str, torch.Tensor]]:
    expected = load_file(TINY / f"case_{case}_expected.safetensors")
    return SceneField(expected["scene_codes"][0], network.decoder, network.config, block=block), expected


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_points_inside_on_and_outside_the_cube(network: Network, case: str) -> None:
    """Decoder outputs and their activations at the recorded points."""
    field, expected = scene(network, case)
    points = load_file(TINY / f"case_{case}_inputs.safetensors")["query_points"]
    raw, color = field.both(points)
    assert_golden("point_density", raw[:, None] + 1.0, expected["point_density"])
    assert_golden("point_density_act", field.density(points)[:, None], expected["point_density_act"])
    assert_golden("point_color", color, expected["point_color"])
    assert_golden("point_features", torch.logit(color), expected["point_features"])


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_the_grid_and_a_rendered_view(network: Network, case: str) -> None:
    """The density grid of the extraction, and one image of the volume renderer."""
    field, expected = scene(network, case)
    line = torch.linspace(-RADIUS, RADIUS, SETTINGS["grid_resolution"])
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
    assert_golden(
        "grid_density_act", field.density(points.view(-1, 3)).view(points.shape[:3]), expected["grid_density_act"]
    )
    rays = load_file(TINY / "cameras.safetensors")
    view, samples = SETTINGS["render_view"], SETTINGS["model"]["renderer"]["num_samples_per_ray"]
    image = render(field, rays["rays_o"][view], rays["rays_d"][view], RADIUS, samples)
    assert_golden("render_rgb", image, expected["render_rgb"])


def test_cameras_sit_where_the_original_puts_them() -> None:
    """Azimuth 0 on +x, z up; three views are right too (the original's cross product is not)."""
    asked, expected = SETTINGS["render"], load_file(TINY / "cameras.safetensors")
    names = ("elevation_deg", "camera_distance", "fovy_deg", "height", "width")
    origins, directions = orbit_rays(asked["n_views"], *(asked[name] for name in names))
    assert_golden("rays_o", origins, expected["rays_o"])
    assert_golden("rays_d", directions, expected["rays_d"])
    _, three = orbit_rays(3, *(asked[name] for name in names))
    _, six = orbit_rays(6, *(asked[name] for name in names))
    torch.testing.assert_close(three, six[::2], atol=1e-6, rtol=0)


def test_a_ray_that_misses_the_cube_is_white(network: Network) -> None:
    """Where the original stops with an error."""
    field, _ = scene(network)
    origins = torch.tensor([[3.0, 0.0, 3.0], [3.0, 0.0, 0.0]])
    image = render(field, origins, torch.tensor([[-1.0, 0.0, 0.0]] * 2), RADIUS, 32)
    torch.testing.assert_close(image[0], torch.ones(3))
    assert float(image[1].max()) < 1.0


@pytest.mark.parametrize("block", [1 << 18, 1000])
def test_the_surface_has_the_recorded_vertices_and_colors(network: Network, block: int) -> None:
    """Coarse to fine, in blocks: the vertex set of a linear marching cubes on the full grid, in any order."""
    field, expected = scene(network, "a", block)
    low, high, n = (-RADIUS,) * 3, (RADIUS,) * 3, SETTINGS["grid_resolution"]
    vertices, faces, _ = extract(
        field.density, lower=low, upper=high, resolution=n, level=SETTINGS["iso_threshold"], coarse=n
    )
    edges, share = _edge_of_vertex(vertices, n)
    assert ((share > 0) & (share < 1)).all()
    want = {tuple(row): i for i, row in enumerate(expected["iso_edge_ids"].tolist())}
    got = {tuple(row): i for i, row in enumerate(edges.tolist())}
    assert len(set(want) ^ set(got)) <= 1e-3 * len(want)
    common = [(got[key], want[key]) for key in want if key in got]
    mine, theirs = (torch.tensor(column) for column in zip(*common, strict=True))
    assert_golden("iso_points", vertices[mine], expected["iso_points"][theirs])
    assert_golden("iso_color", field.color(vertices[mine]), expected["iso_color"][theirs])
    assert int(faces.max()) == len(vertices) - 1


def _edge_of_vertex(vertices: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(i, j, k, axis) of the lattice edge on which each vertex lies, and the share along it."""
    index = (vertices.double() + RADIUS) / (2 * RADIUS) * (n - 1)
    axis = (index - index.round()).abs().argmax(dim=1)
    low = index.round()
    share = index.gather(1, axis[:, None])[:, 0]
    low.scatter_(1, axis[:, None], share.floor()[:, None])
    return torch.cat([low.long(), axis[:, None]], dim=1), share - share.floor()


def test_the_texture_baker_looks_colors_up_like_the_original(network: Network) -> None:
    """Covered texels; the rest stay zero."""
    golden = load_file(DATA / "misc" / "bake_colors.safetensors")
    field, _ = scene(network)
    positions, want = golden["positions_texture"], golden["colors_texture"]
    covered = positions[..., 3] > 0
    got = torch.zeros_like(want)
    got[..., :3][covered] = field.color(positions[..., :3][covered])
    got[..., 3][covered] = positions[..., 3][covered]
    assert_golden("colors_texture", got, want)
