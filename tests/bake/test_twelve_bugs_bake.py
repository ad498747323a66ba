"""Four of the mission's twelve bugs that live in texturing: mixed devices (1, 2), grid axis order (8), grid end (9).

No GPU is needed: torch refuses to mix the CPU with the "meta" device just as it refuses to mix it with CUDA, so a
helper that forgets to move one of its inputs fails here.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from maquette.appearance import ProjectedPhotos, Uniform
from maquette.appearance.sampling import bilinear, tensor, trilinear
from maquette.bake import bake
from maquette.data import Mesh, View
from maquette.geometry.camera import orbit_camera

META = torch.device("meta")


def view(size: int = 32) -> View:
    return View(np.full((size, size, 3), 0.5, np.float32), np.ones((size, size), np.float32), orbit_camera(0, 0, size))


def ball() -> Mesh:
    solid = trimesh.creation.icosphere(2, 0.5)
    return Mesh(solid.vertices, solid.faces)


def test_torch_does_refuse_mixed_devices_here() -> None:
    """The premise of the tests below."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.zeros(4, 3, device=META) + torch.ones(4, 3)


def test_bug_1_a_host_mesh_and_device_points_meet_on_the_points_device() -> None:
    mesh = ball()
    photos = ProjectedPhotos(mesh, [view()])
    points = torch.empty(7, 3, device=META)
    color, known = photos.seen(points, torch.empty(7, 3))
    assert color.device == known.device == META
    assert Uniform().sample(points, torch.empty(7, 3)).base_color.device == META
    assert tensor(mesh.vertices, points).device == META


@pytest.mark.parametrize(("look_up", "grid"), [(bilinear, torch.zeros(4, 5, 3)), (trilinear, torch.zeros(4, 5, 6, 3))])
def test_bug_2_grids_follow_the_points_to_their_device(look_up: object, grid: torch.Tensor) -> None:
    assert callable(look_up)
    width = grid.ndim - 1
    found = look_up(grid, torch.empty(9, width, device=META))
    assert found.device == META
    assert found.shape == (9, 3)


def test_bug_8_a_volume_is_read_in_the_order_x_y_z() -> None:
    """One lit voxel in a grid of three different sides: any other order reads black, or crashes."""
    volume = torch.zeros(3, 5, 7, 1)
    volume[2, 3, 6] = 1.0
    assert trilinear(volume, torch.tensor([[2.0, 3.0, 6.0]])).item() == 1.0
    assert trilinear(volume, torch.tensor([[1.0, 3.0, 2.0]])).item() == 0.0
    ramp = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in (3, 5, 7)), indexing="ij"), dim=3)
    points = torch.tensor([[0.25, 3.5, 5.75], [1.5, 0.5, 2.0]])
    torch.testing.assert_close(trilinear(ramp, points), points)


@pytest.mark.parametrize("beyond", [0.0, 1e-6, 1.0, 1e9])
def test_bug_9_coordinates_at_the_grid_size_give_the_last_sample(beyond: float) -> None:
    volume = torch.arange(24.0).reshape(2, 3, 4, 1)
    end = torch.tensor([[2.0, 3.0, 4.0]]) + beyond
    assert trilinear(volume, end).item() == 23.0
    assert trilinear(volume, -end).item() == 0.0
    image = torch.arange(12.0).reshape(3, 4, 1)
    assert bilinear(image, torch.tensor([[4.0 + beyond, 3.0 + beyond]])).item() == 11.0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bugs_1_and_2_on_a_real_gpu_the_texture_equals_that_of_the_cpu() -> None:
    solid = trimesh.creation.icosphere(3, 0.5)
    uvs = np.random.default_rng(0).uniform(0, 1, (len(solid.vertices), 2))
    mesh = Mesh(solid.vertices, solid.faces, uvs=uvs)
    photos = ProjectedPhotos(mesh, [view()], device="cpu")
    here = bake(mesh, photos, views=[view()], size=64, device="cpu").mesh.texture
    there = bake(mesh, photos, views=[view()], size=64, device="cuda").mesh.texture
    assert here is not None
    assert there is not None
    np.testing.assert_allclose(here.base_color, there.base_color, atol=0.02)
