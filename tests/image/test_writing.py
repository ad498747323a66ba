"""A picture is written whole or not at all."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maquette.errors import BadImageError, BadInputError
from maquette.image import read_picture, write_picture

RAMP = np.linspace(0, 1, 16 * 12 * 3, dtype=np.float32).reshape(12, 16, 3)


@pytest.mark.parametrize(("kind", "tolerance"), [("png", 0.002), ("jpg", 0.05), ("JPEG", 0.05), ("webp", 0.05)])
def test_round_trip(tmp_path: Path, kind: str, tolerance: float) -> None:
    """What was written is read again; folders are made."""
    path = write_picture(tmp_path / "new" / f"a.{kind}", RAMP)
    assert np.abs(read_picture(path).rgb - RAMP).max() < tolerance
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_alpha_round_trip(tmp_path: Path) -> None:
    """PNG and WebP keep straight alpha."""
    rgba = np.concatenate([RAMP, RAMP[..., :1]], axis=2)
    back = read_picture(write_picture(tmp_path / "a.png", rgba))
    assert back.alpha is not None
    assert np.abs(back.alpha - rgba[..., 3]).max() < 0.003


def test_values_out_of_range_are_clipped_and_nan_refused(tmp_path: Path) -> None:
    """Highlights above 1 are white; NaN is a mistake."""
    write_picture(tmp_path / "a.png", RAMP * 4 - 1)
    assert np.asarray(Image.open(tmp_path / "a.png")).max() == 255
    with pytest.raises(BadImageError, match="NaN"):
        write_picture(tmp_path / "b.png", RAMP * np.nan)
    with pytest.raises(BadImageError, match="must be"):
        write_picture(tmp_path / "b.png", RAMP[..., 0])
    assert not (tmp_path / "b.png").exists()


def test_unknown_ending_and_transparent_jpeg(tmp_path: Path) -> None:
    """The message says what would work."""
    with pytest.raises(BadInputError, match=r"\.png"):
        write_picture(tmp_path / "a.xyz", RAMP)
    with pytest.raises(BadInputError, match="no transparency"):
        write_picture(tmp_path / "a.jpg", np.ones((4, 4, 4)))


def test_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full half-way the old picture stays and no temporary file is left."""
    path = write_picture(tmp_path / "a.png", RAMP)
    before = path.read_bytes()

    def full(self: Image.Image, place: Path, *_: object, **__: object) -> None:
        place.write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(BadInputError, match=r"No space left.*free some space"):
        write_picture(path, 1 - RAMP)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the place of the folder."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInputError, match=r"cannot write.*choose another folder"):
        write_picture(tmp_path / "file" / "a.png", RAMP)


def test_the_file_can_be_read_by_others(tmp_path: Path) -> None:
    """Temporary files are private; the finished one has the usual rights."""
    (tmp_path / "plain").write_text("x")
    path = write_picture(tmp_path / "a.png", RAMP)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
