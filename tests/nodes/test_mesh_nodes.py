"""Clean, Unwrap, Report and Bake as nodes: what the command line offers, the graph offers too."""

from __future__ import annotations

import json
from typing import Any

import fake_comfy
import numpy as np
import pytest
import torch
import trimesh


def solid(level: int, bump: float = 0.0) -> Any:
    """A ball as the community's TRIMESH; with bumps and colours when ``bump`` is given."""
    made = trimesh.creation.icosphere(level, 0.5)
    if bump:
        points = np.asarray(made.vertices)
        made = trimesh.Trimesh(points * (1 + bump * np.sin(24 * points).prod(axis=1, keepdims=True)), made.faces)
        made.visual.vertex_colors = np.uint8(
            np.column_stack([np.clip(points + 0.5, 0, 1) * 255, np.full(len(points), 255)])
        )
    return made


def double(level: int = 3) -> Any:
    """A ball with an inner wall."""
    inner = solid(level)
    inner.apply_scale(0.9)
    inner.invert()
    return trimesh.util.concatenate([solid(level), inner])


@pytest.mark.parametrize("options", [{"remove_inner": True}, {"repair": "solid", "resolution": 48}, {"faces": 600}])
def test_clean_has_the_options_of_the_command_line(node: Any, options: dict[str, Any]) -> None:
    """Inner walls by sight, solid extraction, a budget; the last note measures the distance to the input."""
    mesh, _, notes = node("MaquetteCleanMesh").execute(double(), **options).args
    figures = json.loads(notes.splitlines()[-1])
    assert figures["distance_p99"] < 0.05
    assert figures["certified"] or "faces" in options
    assert not options.get("faces") or abs(mesh.faces.shape[1] - 600) <= 12


def test_old_workflows_may_say_none(node: Any) -> None:
    """``none`` was this node's name for keep: it still runs, and changes nothing."""
    given = double()
    mesh, _, notes = node("MaquetteCleanMesh").execute(given, repair="none").args
    assert mesh.faces.shape[1] == len(given.faces)
    assert json.loads(notes.splitlines()[-1])["distance_max"] == 0
    assert node("MaquetteCleanMesh").validate_inputs(repair="none") is True
    assert "bogus" in node("MaquetteCleanMesh").validate_inputs(repair="bogus")
    assert node("MaquetteCleanMesh").validate_inputs(repair=None) is True, "a linked input is not known yet"


def test_a_gate_stops_the_run_or_blocks_the_branch(node: Any) -> None:
    """An error by default; with ``block this branch`` the mesh is core's blocker and the report still comes out."""
    report = node("MaquetteMeshReport")
    with pytest.raises(Exception, match="faces = 80") as caught:
        report.execute(solid(1), "faces < 3")
    assert type(caught.value).__name__ == "GateError"
    mesh, text, certified = report.execute(solid(1), "faces < 3", on_failure="block this branch").args
    assert isinstance(mesh, fake_comfy.ExecutionBlocker) and "faces < 3" in mesh.message
    assert json.loads(text)["faces"] == 80 and certified
    mesh, _, _ = report.execute(solid(1), "faces < 300", on_failure="block this branch").args
    assert mesh.faces.shape[1] == 80


@pytest.mark.parametrize("name", ["MaquetteMeshReport", "MaquetteSave3DAsset", "MaquetteImageTo3DAsset"])
def test_a_gate_that_names_no_field_is_refused_before_the_run(node: Any, name: str) -> None:
    """The sentence lists the fields; what is linked is not known yet."""
    said = node(name).validate_inputs(gate="certified or watertigth")
    assert "watertigth" in said and "winding_consistent" in said
    for good in ("", None, "watertight and -1 < faces <= 2 * 10", "genus == None or not certified == false"):
        assert node(name).validate_inputs(gate=good) is True


def test_unwrap_gives_uvs_and_hands_the_look_on(node: Any) -> None:
    """UVs in the square, charts counted; baked with keep, the old colours are on the new UVs."""
    mesh, look, notes = node("MaquetteUnwrapMesh").execute(solid(2, 0.01), texture_size=64).args
    assert json.loads(notes.splitlines()[0])["charts"] >= 2
    assert float(mesh.uvs.min()) >= 0 and float(mesh.uvs.max()) <= 1
    baked, texture, _ = node("MaquetteBakeTexture").execute(mesh, look, texture_size=64, uvs="keep").args
    assert torch.equal(baked.uvs, mesh.uvs) and float(texture.std()) > 0.1


def test_a_finer_mesh_gives_normal_map_occlusion_and_colours(node: Any) -> None:
    """Maps on core's MESH: normal, and occlusion in the red of metal-roughness with the factors beside it."""
    low, high = solid(2), solid(4, 0.04)
    baked, texture, notes = (
        node("MaquetteBakeTexture").execute(low, texture_size=64, high_poly=high, occlusion=True).args
    )
    assert baked.normal_map.shape == (1, 64, 64, 3) and float(baked.normal_map[..., 0].std()) > 0.01
    assert baked.occlusion_in_mr and baked.metallic_roughness.shape == (1, 64, 64, 3)
    assert float(baked.metallic_roughness[..., 1].mean()) == pytest.approx(0.8, abs=1e-3)
    assert "metallic_factor" not in baked.material, "a factor would scale the map"
    assert float(texture.std()) > 0.1, "the finer mesh's colours"
    assert json.loads(notes.splitlines()[0])["coverage"]["charts"] >= 2


@pytest.mark.parametrize(("scale", "up"), [(1.0, 0.0), (7.0, 3.0), (0.02, 1.0)])
def test_views_are_laid_over_a_mesh_of_any_origin(node: Any, scale: float, up: float) -> None:
    """A picture from Prepare Image colours the front, wherever the mesh stands; de-light is passed on."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    mask = torch.from_numpy((x**2 + y**2 < 0.5).astype(np.float32))[None]
    image = torch.zeros((1, 96, 96, 3)) + torch.tensor([0.9, 0.2, 0.1])
    _, _, views = node("MaquettePrepareImage").execute(image, mask, size=96).args
    bake = node("MaquetteBakeTexture")
    given = solid(3)
    given.vertices = given.vertices * scale + np.array([0.0, up, 0.0])
    baked, texture, notes = bake.execute(given, texture_size=64, views=views, delight=0.5).args
    assert json.loads(notes.splitlines()[0])["coverage"]["photos"] > 0.15
    front = baked.uvs[0][baked.vertices[0, :, 2] > 0.42 * scale]
    column, row = ((front * 64).long().clamp(0, 63)).T
    assert torch.allclose(texture[0, row, column], torch.tensor([0.9, 0.2, 0.1]), atol=0.05)


def test_a_batch_of_which_only_one_is_above_the_budget_stays_alike(node: Any) -> None:
    """Two textured balls, one of them small enough already: both come out with colours, neither with old uvs."""
    from pack.maquette.data import Mesh, Texture
    from pack.nodes._meshes import core_mesh, meshes

    def ball(level: int) -> Mesh:
        made = trimesh.creation.icosphere(subdivisions=level, radius=0.5)
        red = np.zeros((4, 4, 3), np.float32)
        red[..., 0] = 1.0
        return Mesh(made.vertices, made.faces, uvs=np.full((len(made.vertices), 2), 0.5), texture=Texture(red))

    out, _ = node("MaquetteSimplifyMesh").execute(mesh=core_mesh([ball(4), ball(2)]), faces=1000).args
    large, small = meshes(out)
    assert abs(len(large.faces) - 1000) <= 20 and len(small.faces) == 320
    for item in (large, small):
        assert item.uvs is None and item.texture is None
        assert np.allclose(item.vertex_colors, [1.0, 0.0, 0.0], atol=1e-3)
