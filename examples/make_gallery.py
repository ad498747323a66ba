"""``make gallery``: the pictures of the README, made by the pack itself from the pictures in this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from maquette.commands.generate import preview_input
from maquette.image import read_picture
from maquette.pipeline import GenerateSettings, generate
from maquette.preview import turntable

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "docs" / "gallery" / "gallery.jpg"
VIEWS = ("front", "right", "back", "left")
SUBJECTS: tuple[tuple[str, ...], ...] = (
    ("teapot.png",),
    ("mug.png",),
    ("cactus.png",),
    ("duck_on_table.jpg",),
    ("rocket.png",),
    tuple(f"fox/{view}.png" for view in VIEWS),
    tuple(f"car/{view}.png" for view in VIEWS),
)
ROW = 240


def row(names: tuple[str, ...]) -> Image.Image:
    """One subject: its first picture beside four views of the asset."""
    pictures = [read_picture(HERE / name) for name in names]
    asset = generate(pictures, GenerateSettings(device="cpu", views=VIEWS[: len(names)]))
    sheet = np.asarray(turntable(asset.mesh, input_rgb=preview_input(pictures[0])))
    image = Image.fromarray(np.round(sheet * 255).astype(np.uint8))
    print(f"{names[0]}: {asset.report.faces} faces, {asset.reconstruction.backend}, certified {asset.report.certified}")
    return image.resize((round(image.width * ROW / image.height), ROW), Image.Resampling.LANCZOS)


def main() -> None:
    """Stack the rows and write the picture."""
    rows = [row(names) for names in SUBJECTS]
    sheet = Image.new("RGB", (max(r.width for r in rows), ROW * len(rows)), "white")
    for index, image in enumerate(rows):
        sheet.paste(image, (0, ROW * index))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(TARGET, quality=88)
    print(TARGET.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
