"""Files of every kind become the same Picture; what is no picture becomes a clear error."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from maquette.errors import BadImageError
from maquette.image import Picture, read_picture

SIZE = (40, 24)


def colours() -> Image.Image:
    """A smooth RGB picture, 40 x 24, left half red, top bright."""
    y, x = np.mgrid[0 : 1 : SIZE[1] * 1j, 0 : 1 : SIZE[0] * 1j]
    return Image.fromarray((np.stack([1 - x, 0.5 * y + 0.2, x * y], axis=2) * 255).astype(np.uint8))


def saved(image: Image.Image, path: Path, **options: object) -> Picture:
    image.save(path, **options)
    return read_picture(path)


@pytest.mark.parametrize("kind", ["png", "bmp", "tif", "webp", "jpg", "gif", "ppm"])
def test_every_usual_format_gives_the_same_colours(tmp_path: Path, kind: str) -> None:
    """The format only matters as far as it loses something."""
    found = saved(colours(), tmp_path / f"a.{kind}", **({"lossless": True} if kind == "webp" else {}))
    assert found.rgb.shape == (SIZE[1], SIZE[0], 3)
    assert found.rgb.dtype == np.float32
    assert found.alpha is None
    assert found.name == "a"
    tolerance = 0.08 if kind in {"jpg", "gif"} else 1e-6
    assert np.abs(found.rgb - np.asarray(colours()) / 255).mean() < tolerance


def test_grey_is_repeated(tmp_path: Path) -> None:
    """8-bit grey and black-and-white become three equal channels."""
    for mode in ("L", "1"):
        found = saved(colours().convert(mode), tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(found.rgb[..., 0], found.rgb[..., 2])
        assert 0 <= found.rgb.min() < found.rgb.max() <= 1


def test_sixteen_bits_keep_their_fineness(tmp_path: Path) -> None:
    """A ramp of 16-bit grey is not rounded to 256 steps."""
    ramp = np.linspace(0, 65535, 4000, dtype=np.uint16).reshape(40, 100)
    found = saved(Image.fromarray(ramp), tmp_path / "deep.png")
    np.testing.assert_allclose(found.rgb[..., 1], ramp / 65535, atol=1e-6)
    assert len(np.unique(found.rgb[..., 0])) > 3000


def test_float_tiff_is_taken_as_it_is_and_refused_out_of_range(tmp_path: Path) -> None:
    """32-bit float pictures in [0, 1] work, others name their range."""
    values = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    np.testing.assert_allclose(saved(Image.fromarray(values), tmp_path / "f.tif").rgb[..., 0], values)
    with pytest.raises(BadImageError, match=r"runs from 0 to 500"):
        saved(Image.fromarray(values * 500), tmp_path / "g.tif")
    values[3, 3] = np.nan
    with pytest.raises(BadImageError, match="NaN"):
        saved(Image.fromarray(values), tmp_path / "h.tif")


def test_cmyk_is_converted(tmp_path: Path) -> None:
    """A CMYK JPEG shows the colours it stands for."""
    found = saved(colours().convert("CMYK"), tmp_path / "print.jpg", quality=95)
    assert np.abs(found.rgb - np.asarray(colours()) / 255).mean() < 0.05


def test_palette_with_a_transparent_entry_has_alpha(tmp_path: Path) -> None:
    """Palette pictures are looked up, their transparent colour becomes alpha 0."""
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 255, 128, 0] + [0] * 750)
    image.paste(0, (0, 0, 4, 8))
    found = saved(image, tmp_path / "p.png", transparency=0)
    assert found.alpha is not None
    np.testing.assert_array_equal(found.alpha[0], [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(found.rgb[0, 5], [1, 128 / 255, 0], atol=1e-6)


def test_grey_with_alpha(tmp_path: Path) -> None:
    """LA keeps its alpha."""
    image = Image.new("LA", (8, 8), (100, 51))
    found = saved(image, tmp_path / "la.png")
    assert found.alpha is not None
    np.testing.assert_allclose(found.alpha, 0.2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(tmp_path: Path, orientation: int) -> None:
    """All eight orientations show what Pillow's own transposition shows."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    found = saved(colours(), tmp_path / "o.png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "o.png"))) / 255
    np.testing.assert_allclose(found.rgb, expected, atol=1e-6)


def test_colours_of_another_profile_become_srgb_and_alpha_stays(tmp_path: Path) -> None:
    """A profile in the file is honoured; one that is broken is left out."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = colours().convert("RGBA")
    image.putalpha(77)
    same = saved(image, tmp_path / "same.png", icc_profile=lab)
    assert np.abs(same.rgb - np.asarray(colours()) / 255).max() < 0.02
    assert same.alpha is not None
    np.testing.assert_allclose(same.alpha, 77 / 255)
    broken = saved(image, tmp_path / "broken.png", icc_profile=b"no profile at all")
    np.testing.assert_allclose(broken.rgb, np.asarray(colours()) / 255, atol=1e-6)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    """An animated GIF gives its first frame."""
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(read_picture(tmp_path / "a.gif").rgb[4, 4], [1, 0, 0], atol=0.02)


def test_large_pictures_are_reduced_with_their_proportions(tmp_path: Path) -> None:
    """max_side bounds the longer side; transparent colours do not bleed into the rest."""
    image = Image.new("RGBA", (1000, 500), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (500, 0, 1000, 500))
    image.save(tmp_path / "big.png")
    found = read_picture(tmp_path / "big.png", max_side=128)
    assert found.rgb.shape == (64, 128, 3)
    assert found.alpha is not None
    solid = found.alpha > 0.2
    np.testing.assert_allclose(found.rgb[solid], np.broadcast_to([1, 0, 0], found.rgb[solid].shape), atol=0.02)
    assert found.alpha.mean() == pytest.approx(0.5, abs=0.01)


NOT_PICTURES = {
    "text": (b"hello, I am a text file\n" * 20, "not a picture"),
    "empty": (b"", "not a picture"),
    "html": (b"<html>404 not found</html>", "not a picture"),
}


@pytest.mark.parametrize("kind", NOT_PICTURES)
def test_not_an_image(tmp_path: Path, kind: str) -> None:
    """The message says so and names formats that work."""
    content, message = NOT_PICTURES[kind]
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(BadImageError, match=f"{message}.*use PNG, JPEG or WebP"):
        read_picture(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
def test_truncated_file(tmp_path: Path, kind: str) -> None:
    """Half a file is an error, not half a picture."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / f"a.{kind}")
    whole = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"half.{kind}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadImageError, match="half"):
        read_picture(tmp_path / f"half.{kind}")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """Two frequent slips have their own sentences."""
    with pytest.raises(BadImageError, match=r"there is no file .*nothing\.png"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(BadImageError, match="is a folder"):
        read_picture(tmp_path)


def test_one_pixel(tmp_path: Path) -> None:
    """A single pixel is no picture; the size is named."""
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(BadImageError, match=r"'dot.png' is 1 x 1 pixels; .*larger"):
        read_picture(tmp_path / "dot.png")


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    """A header that promises 40,000 x 40,000 pixels is refused with the limit and the remedy."""
    stream = io.BytesIO()
    Image.new("1", (8, 8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    import struct
    import zlib

    data[16:24] = struct.pack(">II", 40000, 40000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "bomb.png").write_bytes(bytes(data))
    with pytest.raises(BadImageError, match="more than 178 million pixels; make it smaller"):
        read_picture(tmp_path / "bomb.png")


MEASURE = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("error")
from maquette.image import read_picture
import PIL.PngImagePlugin, PIL.JpegImagePlugin, numpy

def peak():  # of this process alone; getrusage would count what its parent had before
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

before = peak()
picture = read_picture(sys.argv[1], max_side=int(sys.argv[2]))
print(picture.rgb.shape[0], peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(("kind", "bound"), [("png", 800), ("jpg", 250)])
def test_twelve_thousand_pixels_a_side(tmp_path: Path, root: Path, kind: str, bound: int) -> None:
    """144 million pixels work without a warning; memory is that of the decoded file (432 MB), for a JPEG far less."""
    band = np.zeros((12000, 12000, 3), np.uint8)
    band[4000:8000, 4000:8000] = (200, 100, 50)
    Image.fromarray(band).save(tmp_path / f"huge.{kind}", **({"compress_level": 1} if kind == "png" else {}))
    del band
    command = [sys.executable, "-c", MEASURE, str(tmp_path / f"huge.{kind}"), "2048"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert answer.returncode == 0, answer.stderr
    side, megabytes = (int(word) for word in answer.stdout.split())
    assert side == 2048
    assert 10 < megabytes < bound


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    colours().save(folder / "a.png")
    colours().save(folder / "a.jpg")
    colours().save(folder / "a.webp")
    colours().save(folder / "a.gif")
    colours().save(folder / "a.tif")
    return folder


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["png", "jpg", "webp", "gif", "tif"]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 100),
)
def test_damaged_files_give_a_picture_or_our_own_error(
    sample: Path, tmp_path: Path, kind: str, edits: list[tuple[int, int]], cut: int
) -> None:
    """Whatever bytes are changed or lost: a finite picture in [0, 1], or BadImageError; never another exception."""
    data = bytearray((sample / f"a.{kind}").read_bytes())
    for place, value in edits:
        data[place % len(data)] = value
    path = tmp_path / f"x.{kind}"
    path.write_bytes(bytes(data[: len(data) - cut] if cut < len(data) else data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = read_picture(path)
        except BadImageError:
            return
    assert np.isfinite(found.rgb).all()
    assert found.rgb.min() >= 0
    assert found.rgb.max() <= 1
