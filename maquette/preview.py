"""Turntable sheets: a textured mesh under soft studio light, drawn by our own rasteriser (no OpenGL, no window)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .data import Camera, FloatArray, Mesh
from .errors import BadInputError
from .geometry.camera import orbit_camera, pixel_rays, project
from .geometry.normals import vertex_normals

if TYPE_CHECKING:
    import torch

    from .geometry.raster import Fragments

SUPERSAMPLE = 2
_FIELD_OF_VIEW = 30.0
_ELEVATION = 15.0
_FILL = 0.86
_BACKDROP = ((0.93, 0.93, 0.935), (0.80, 0.80, 0.81))
"""sRGB of the background at the top and at the bottom."""
_KEY, _FILL_LIGHT, _RIM = (-0.55, 0.75, 0.75), (0.85, 0.15, 0.5), (0.2, 0.6, -0.9)
"""Directions towards the lights in camera axes (x right, y up, z towards the viewer)."""


def turntable(
    mesh: Mesh,
    *,
    views: int = 4,
    size: int = 384,
    input_rgb: FloatArray | None = None,
    device: str | torch.device = "cpu",
) -> FloatArray:
    """A sheet [size, size * n, 3] float32 sRGB: the input picture (if given) and ``views`` pictures around the mesh.

    input_rgb: [H, W, 3] or [H, W, 4] in [0, 1], fitted into a square. All views share one scale, start at the front and
    go towards +x. BadInputError for sizes out of range, BadMeshError for a mesh that cannot be drawn.
    """
    if not 1 <= views <= 64 or not 16 <= size <= 4096:
        raise BadInputError(f"a sheet needs 1 to 64 views of 16 to 4096 pixels, got {views} of {size}")
    mesh.checked()
    panels = [] if input_rgb is None else [_framed(input_rgb, size)]
    for camera in turntable_cameras(mesh, views, size):
        rgb, alpha = render(mesh, camera, size, device=device)
        panels.append(rgb * alpha[..., None] + _backdrop(mesh, camera, size) * (1 - alpha[..., None]))
    return np.ascontiguousarray(np.concatenate(panels, axis=1).clip(0, 1), dtype=np.float32)


def turntable_cameras(mesh: Mesh, views: int, size: int) -> tuple[Camera, ...]:
    """``views`` cameras around ``mesh`` at one distance, zoomed so that it fits into every one of them."""
    low, high = mesh.bounds.astype(np.float64)
    center, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 or 1.0
    distance = 1.1 * radius / math.sin(math.radians(_FIELD_OF_VIEW) / 2)
    cameras = [orbit_camera(360.0 * k / views, _ELEVATION, size, _FIELD_OF_VIEW, distance) for k in range(views)]
    pixels = [project(camera, mesh.vertices - center)[0] - size / 2 for camera in cameras]
    low_y, high_y = (float(pick([pick(p[:, 1]) for p in pixels])) for pick in (np.min, np.max))
    wide = max(float(np.abs(p[:, 0]).max()) for p in pixels)
    zoom = _FILL * size / max(2 * wide, high_y - low_y, 1e-9)
    out = []
    for camera in cameras:
        k, pose = camera.intrinsics.copy(), camera.cam_to_world.copy()
        k[[0, 1], [0, 1]] *= zoom
        k[1, 2] -= zoom * (low_y + high_y) / 2
        pose[:3, 3] += center
        out.append(Camera(k, pose, size, size))
    return tuple(out)


def render(
    mesh: Mesh, camera: Camera, size: int | None = None, *, shading: bool = True, device: str | torch.device = "cpu"
) -> tuple[FloatArray, FloatArray]:
    """The mesh as ``camera`` sees it: rgb [H, W, 3] sRGB float32 and alpha [H, W], anti-aliased, no background.

    size: height of the picture in pixels (default: the camera's). shading=False gives the bare base colour, which is
    what a picture taken from there is compared with.
    """
    import torch

    from .appearance.color import to_srgb
    from .geometry.camera import resized
    from .geometry.raster import render_fragments

    height = size or camera.height
    width = max(1, round(camera.width * height / camera.height))
    large = resized(camera, width * SUPERSAMPLE, height * SUPERSAMPLE)
    fragments = render_fragments(mesh, large, device)
    seen = fragments.covered
    light = _surface_color(mesh, fragments)
    if shading:
        light = _lit(light, _normals(mesh, fragments, large), mesh.material.roughness)
    picture = torch.zeros((*seen.shape, 4), device=seen.device)
    picture[seen] = torch.cat([light, torch.ones_like(light[:, :1])], dim=1)
    parts = picture.view(height, SUPERSAMPLE, width, SUPERSAMPLE, 4).mean(dim=(1, 3))
    alpha = parts[..., 3]
    rgb = to_srgb(parts[..., :3] / alpha.clamp(min=1e-6)[..., None])
    return rgb.cpu().numpy(), alpha.cpu().numpy()


def _surface_color(mesh: Mesh, fragments: Fragments) -> torch.Tensor:
    """[N, 3] linear base colour of the covered pixels: texture, vertex colours and factor multiplied, as in glTF; grey
    for a mesh with none of them."""
    import torch

    from .appearance.color import to_linear
    from .appearance.sampling import bilinear, tensor
    from .geometry.raster import interpolate

    seen, like = fragments.covered, fragments.depth
    faces, layers = tensor(mesh.faces, like, torch.int64), []
    if mesh.texture is not None and mesh.uvs is not None:
        image = to_linear(tensor(mesh.texture.base_color, like))
        uv = interpolate(fragments, faces, tensor(mesh.uvs, like))[seen]
        layers.append(bilinear(image, uv * tensor([image.shape[1], image.shape[0]], like))[:, :3])
    if mesh.vertex_colors is not None:
        layers.append(interpolate(fragments, faces, tensor(mesh.vertex_colors, like))[seen])
    factor = mesh.material.base_color
    if not layers and factor == (1.0, 1.0, 1.0):
        factor = (0.55, 0.55, 0.56)
    color = tensor(factor, like).expand(int(seen.sum()), 3)
    for layer in layers:
        color = color * layer
    return color


def _normals(mesh: Mesh, fragments: Fragments, camera: Camera) -> torch.Tensor:
    """[N, 3] unit normals of the covered pixels in camera axes."""
    import torch

    from .appearance.sampling import tensor
    from .geometry.raster import interpolate

    like = fragments.depth
    local = vertex_normals(mesh) @ camera.cam_to_world[:3, :3].astype(np.float32)
    found = interpolate(fragments, tensor(mesh.faces, like, torch.int64), tensor(local, like))
    return torch.nn.functional.normalize(found[fragments.covered], dim=1)


def _lit(base: torch.Tensor, normals: torch.Tensor, roughness: float) -> torch.Tensor:
    """[N, 3] linear radiance: wrapped key, fill and rim light, sky-and-ground ambient, a soft highlight."""
    from .appearance.sampling import tensor

    def towards(direction: tuple[float, float, float], wrap: float) -> torch.Tensor:
        unit = tensor(direction, base) / math.sqrt(sum(x * x for x in direction))
        return ((normals @ unit + wrap) / (1 + wrap)).clamp(min=0)

    sky = (normals[:, 1] + 1) / 2
    diffuse = 0.62 * towards(_KEY, 0.25) + 0.22 * towards(_FILL_LIGHT, 0.4) + 0.20 * towards(_RIM, 0.1)
    diffuse = diffuse + 0.24 + 0.20 * sky
    half = tuple(a + b for a, b in zip(_KEY, (0.0, 0.0, 1.22), strict=True))
    gloss = 4.0 + 60.0 * (1 - roughness) ** 2
    shine = 0.05 * (1.2 - roughness) * towards((half[0], half[1], half[2]), 0.0) ** gloss
    return base * diffuse[:, None] + shine[:, None]


def _framed(rgb: FloatArray, size: int) -> FloatArray:
    """The input picture fitted into a square on the backdrop."""
    from PIL import Image

    values = np.asarray(rgb, np.float32)
    if values.ndim != 3 or values.shape[2] not in (3, 4) or 0 in values.shape:
        raise BadInputError(f"the input picture must be [H, W, 3] or [H, W, 4], got {values.shape}")
    height, width = values.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(np.round(values.clip(0, 1) * 255).astype(np.uint8)).convert("RGBA")
    picture = picture.resize(shape, Image.Resampling.LANCZOS)
    fitted = np.asarray(picture, np.float32) / 255
    panel, top, left = _gradient(size), (size - shape[1]) // 2, (size - shape[0]) // 2
    part = panel[top : top + shape[1], left : left + shape[0]]
    part[:] = fitted[..., :3] * fitted[..., 3:] + part * (1 - fitted[..., 3:])
    return panel


def _gradient(size: int) -> FloatArray:
    share = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    top, bottom = (np.array(color, np.float32) for color in _BACKDROP)
    return np.broadcast_to(top * (1 - share) + bottom * share, (size, size, 3)).copy()


def _backdrop(mesh: Mesh, camera: Camera, size: int) -> FloatArray:
    """The background with the soft shadow that the mesh throws on the ground it stands on."""
    shadow, low, reach = _ground_shadow(mesh)
    origin, rays = pixel_rays(camera)
    ground = float(mesh.bounds[0, 1])
    down = np.minimum(rays[..., 1], -1e-6)
    hit = origin + rays * ((ground - origin[1]) / down)[..., None]
    cell = (hit[..., [0, 2]] - low) / reach * len(shadow)
    inside = ((cell >= 0) & (cell < len(shadow) - 1)).all(axis=2) & (rays[..., 1] < 0)
    column, row = np.where(inside, cell[..., 0], 0).astype(int), np.where(inside, cell[..., 1], 0).astype(int)
    dark = np.where(inside, shadow[row, column], 0.0)
    return (_gradient(size) * (1 - 0.5 * dark[..., None])).astype(np.float32)


def _ground_shadow(mesh: Mesh, cells: int = 256) -> tuple[FloatArray, FloatArray, float]:
    """Shadow strength [cells, cells] over (z, x), the corner of the map and its side in world units."""
    import torch
    from scipy.ndimage import gaussian_filter

    from .geometry.raster import rasterize

    low, high = mesh.bounds
    extent = float((high - low).max()) or 1.0
    reach, corner = 2 * extent, ((low + high) / 2)[[0, 2]] - extent
    flat = (mesh.vertices[:, [0, 2]] - corner) / reach * cells
    height = (mesh.vertices[:, 1:2] - low[1]) / extent
    vertices = torch.as_tensor(np.concatenate([flat, height], axis=1))
    depth = rasterize(vertices, torch.as_tensor(np.array(mesh.faces, np.int64)), cells, cells).depth.numpy()
    near = np.exp(-6.0 * np.where(np.isfinite(depth), depth, np.inf))
    wide = gaussian_filter(np.isfinite(depth).astype(np.float32), 0.06 * cells)
    return (0.6 * gaussian_filter(near, 0.012 * cells) + 0.4 * wide).astype(np.float32), corner, reach


def with_texture_of(mesh: Mesh, base_color: FloatArray) -> Mesh:
    """``mesh`` with another base colour map (to look at an atlas, a debug pattern ...)."""
    from .data import Texture

    texture = Texture(base_color) if mesh.texture is None else replace(mesh.texture, base_color=base_color)
    return mesh.replace(texture=texture)
