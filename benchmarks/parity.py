"""``python -m benchmarks.parity triposr REFERENCE_DIR OUT_DIR``: our outputs for any folder of the golden layout.

Runs the tiny model that the reference folder describes (other seeds, other sizes) on its inputs, writes the results
under the same names, and says for each file that is also in the reference how far apart the numbers are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from maquette.geometry.extract import extract
from maquette.reconstruct._triposr.checkpoint import load_network
from maquette.reconstruct._triposr.config import config_from_reference
from maquette.reconstruct._triposr.field import SceneField
from maquette.reconstruct._triposr.frame import to_world
from maquette.reconstruct._triposr.network import Network, encode
from maquette.reconstruct._triposr.preprocess import composite, condition, resize_foreground
from maquette.reconstruct._triposr.render import orbit_rays, render
from maquette.reconstruct._triposr.vit import interpolate_positions

THRESHOLD = 25.0


def triposr(reference: Path, out: Path) -> None:
    """Everything of the TripoSR layout; parts that the reference lacks are left out."""
    tiny = reference / "tiny" if (reference / "tiny").is_dir() else reference
    if (tiny / "config.json").is_file():
        _tiny(tiny, out / tiny.relative_to(reference), reference, out)
    if (reference / "posenc" / "posenc.safetensors").is_file():
        _posenc(reference / "posenc" / "posenc.safetensors", out / "posenc" / "posenc.safetensors")
    if (reference / "preprocess" / "cases.json").is_file():
        _preprocess(reference / "preprocess", out / "preprocess")
    if (reference / "misc" / "orientation.safetensors").is_file():
        given = load_file(reference / "misc" / "orientation.safetensors")
        _save(out / "misc" / "orientation.safetensors", {"vertices_gradio": _gradio(given["vertices"])})


def _tiny(folder: Path, out: Path, reference: Path, root: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    config = config_from_reference(settings["model"], settings["vit"])
    network, _ = load_network(folder / "weights.safetensors", config, torch.float32)
    view = settings["render"]
    sizes = (view[k] for k in ("n_views", "elevation_deg", "camera_distance", "fovy_deg", "height", "width"))
    origins, directions = orbit_rays(*sizes)
    _save(out / "cameras.safetensors", {"rays_o": origins, "rays_d": directions})
    rays = load_file(folder / "cameras.safetensors") if (folder / "cameras.safetensors").is_file() else {}
    origins, directions = rays.get("rays_o", origins), rays.get("rays_d", directions)
    index = settings.get("render_view", 0)
    for case in settings["cases"]:
        given = load_file(folder / f"case_{case['name']}_inputs.safetensors")
        results, field = _case(network, given, settings, origins[index], directions[index])
        results |= _surface(field, settings)
        if case["name"] == settings["cases"][0]["name"]:
            baked = reference / "misc" / "bake_colors.safetensors"
            if baked.is_file():
                positions = load_file(baked)["positions_texture"]
                _save(root / "misc" / "bake_colors.safetensors", {"colors_texture": _baked(field, positions)})
        _save(out / f"case_{case['name']}_expected.safetensors", results)


def _case(
    network: Network, given: dict[str, Tensor], settings: dict[str, Any], origins: Tensor, directions: Tensor
) -> tuple[dict[str, Tensor], SceneField]:
    config, seen = network.config, {}
    images = condition(given["image"][None].float(), config.image_size)
    codes = encode(network, images, observe=lambda name, value: seen.__setitem__(name, value))
    field = SceneField(codes[0], network.decoder, config)
    points = given["query_points"]
    raw, color = field.both(points)
    line = torch.linspace(-config.radius, config.radius, settings["grid_resolution"])
    grid = torch.cartesian_prod(line, line, line)
    results = {
        "rgb_cond": images[0],
        **seen,
        "point_density": (raw - config.density_bias)[:, None],
        "point_features": torch.logit(color.double()).float(),
        "point_density_act": raw.exp()[:, None],
        "point_color": color,
        "grid_density_act": field.density(grid).view((len(line),) * 3),
        "render_rgb": render(field, origins, directions, config.radius, config.samples_per_ray),
    }
    return results, field


def _surface(field: SceneField, settings: dict[str, Any]) -> dict[str, Tensor]:
    """The vertex set of the surface, with the edges of the grid on which the vertices lie."""
    n, level = settings["grid_resolution"], settings.get("iso_threshold", THRESHOLD)
    radius = settings["model"]["renderer"]["radius"]
    box = {"lower": (-radius,) * 3, "upper": (radius,) * 3}
    vertices, _, _ = extract(field.density, **box, resolution=n, level=level, coarse=n)  # type: ignore[arg-type]
    index = (vertices.double() + radius) / (2 * radius) * (n - 1)
    axis = (index - index.round()).abs().argmax(dim=1, keepdim=True)
    low = index.round().scatter(1, axis, index.gather(1, axis).floor())
    edges = torch.cat([low.long(), axis], dim=1).int()
    return {"iso_edge_ids": edges, "iso_points": vertices, "iso_color": field.color(vertices)}


def _baked(field: SceneField, positions: Tensor) -> Tensor:
    colors = torch.zeros_like(positions)
    covered = positions[..., 3] > 0
    colors[..., :3][covered] = field.color(positions[..., :3][covered])
    colors[..., 3][covered] = positions[..., 3][covered]
    return colors


def _gradio(vertices: Tensor) -> Tensor:
    """The demo's orientation: our world frame, turned by half a turn about the vertical."""
    from maquette.geometry.camera import orbit_camera

    turn = torch.from_numpy(to_world(orbit_camera(0.0)))
    turned = vertices.double() @ (turn / turn[0].norm())
    return (turned * torch.tensor([-1.0, 1.0, -1.0])).to(vertices.dtype)


def _posenc(reference: Path, out: Path, patch: int = 16) -> None:
    given = load_file(reference)
    positions = given["position_embeddings"]
    native = round((positions.shape[1] - 1) ** 0.5)
    sizes = [int(name.rpartition("_")[2]) for name in given if name.startswith("interpolated_")]
    made = {f"interpolated_{n}": interpolate_positions(positions, n // patch, native).contiguous() for n in sizes}
    _save(out, made)


def _preprocess(reference: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for case in json.loads((reference / "cases.json").read_text()):
        with Image.open(reference / case["input"]) as picture:
            rgba = np.array(picture.convert("RGBA"))
        resized = resize_foreground(rgba, case["ratio"])
        Image.fromarray(resized).save(out / case["resized"])
        Image.fromarray(composite(resized)).save(out / case["composited"])


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path)


def compare(reference: Path, out: Path) -> Iterator[str]:
    """One line per output that the reference holds too: greatest absolute difference."""
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = path.relative_to(out)
        if not (reference / name).is_file():
            yield f"{name}: not in the reference"
        elif path.suffix == ".png":
            with Image.open(path) as mine, Image.open(reference / name) as theirs:
                yield f"{name}: {_pixels(np.array(mine), np.array(theirs))}"
        else:
            mine, theirs = load_file(path), load_file(reference / name)
            missing = [k for k in theirs if k not in mine and k not in ("vertices", "positions_texture")]
            for key in sorted(mine):
                yield f"{name} {key}: {_distance(key, mine[key], theirs.get(key))}"
            yield from (f"{name} {key}: NOT COMPUTED" for key in missing if key != "position_embeddings")


def _pixels(mine: np.ndarray, theirs: np.ndarray) -> str:
    if mine.shape != theirs.shape:
        return f"shape {mine.shape} in place of {theirs.shape}"
    return f"{int(np.abs(mine.astype(int) - theirs.astype(int)).max())} levels"


def _distance(key: str, mine: Tensor, theirs: Tensor | None) -> str:
    if theirs is None:
        return "not in the reference"
    if key.startswith("iso_"):
        return f"{len(mine)} rows, {len(theirs)} in the reference (any order)"
    if mine.shape != theirs.shape:
        return f"shape {tuple(mine.shape)} in place of {tuple(theirs.shape)}"
    return f"{float((mine.double() - theirs.double()).abs().max()):.2e}"


FAMILIES: dict[str, Callable[[Path, Path], None]] = {"triposr": triposr}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one family and print the comparison."""
    parser = argparse.ArgumentParser(prog="benchmarks.parity", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("reference", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    FAMILIES[options.family](options.reference, options.out)
    for line in compare(options.reference, options.out):
        print(line)


if __name__ == "__main__":
    main()
