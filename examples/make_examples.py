"""Render the example pictures: ``python -m examples.make_examples [NAME ...] [--size 640] [--to examples]``.

Single objects become ``NAME.png``, sets ``NAME/front.png ...`` with ``NAME/cameras.json``, the object in a room
``NAME_on_table.jpg`` with its exact mask in ``truth/``. Everything is computed here; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from maquette.data import Camera

from .photo import photograph
from .render import render
from .scenes import NAMES, PHOTOS, SETS, cameras, scene

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Render what the command line names, else everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(NAMES), help=", ".join(NAMES))
    parser.add_argument("--size", type=int, default=640, help="pixels a side")
    parser.add_argument("--to", type=Path, default=HERE, help="folder")
    options = parser.parse_args()
    for name in options.names:
        for path in make(name, options.to, options.size):
            print(f"{path}  {path.stat().st_size // 1024} kB")


def make(name: str, folder: Path, size: int = 640) -> list[Path]:
    """All files of one object, written below ``folder``."""
    found = scene(name)
    shots = cameras(name, size)
    if name in SETS:
        paths = [save(render(found, camera), folder / name / f"{view}.png") for view, camera in shots.items()]
        return [*paths, _save_cameras(shots, folder / name / "cameras.json")]
    (camera,) = shots.values()
    if name in PHOTOS:
        picture, mask = photograph(found, camera)
        return [
            save(picture, folder / f"{name}_on_table.jpg"),
            save(mask, folder / "truth" / f"{name}_on_table.png"),
        ]
    return [save(render(found, camera), folder / f"{name}.png")]


def eight_bit(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """[0, 1] -> bytes; colours of wholly transparent pixels become black, so that files stay small."""
    pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels[pixels[..., 3] == 0] = 0
    return pixels


def save(picture: npt.NDArray[np.float32], path: Path) -> Path:
    """[H, W], [H, W, 3] or [H, W, 4] in [0, 1] to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 92, "subsampling": 0} if path.suffix == ".jpg" else {"optimize": True}
    Image.fromarray(eight_bit(picture)).save(path, **options)
    return path


def _save_cameras(shots: dict[str, Camera], path: Path) -> Path:
    """Intrinsics in pixels and camera-to-world poses with OpenGL axes (x right, y up, looking along -z)."""
    content = {
        "convention": "OpenGL camera axes, world y up, front +z, object centred with longest side 1",
        "field_of_view_degrees": 40.0,
        "views": {
            view: {
                "file": f"{view}.png",
                "width": camera.width,
                "height": camera.height,
                "intrinsics": np.round(camera.intrinsics, 6).tolist(),
                "cam_to_world": np.round(camera.cam_to_world, 9).tolist(),
            }
            for view, camera in shots.items()
        },
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
