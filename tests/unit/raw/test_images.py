"""How every kind of image becomes RGB: golden values of the table in `raw/images.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.errors import InputError
from brainalign.raw.images import decode_image_file, resize_image, to_rgb

PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], dtype=np.uint8)


def _save(tmp_path: Path, image: Image.Image, name: str = "image.png", **options: object) -> Path:
    path = tmp_path / name
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff", "a.ppm"])
def test_rgb_is_kept_bit_by_bit(name: str, tmp_path: Path) -> None:
    path = _save(tmp_path, Image.fromarray(PIXELS), name)
    np.testing.assert_array_equal(decode_image_file(path), PIXELS)


def test_grey_stands_in_three_channels(tmp_path: Path) -> None:
    grey = np.array([[0, 7], [200, 255]], dtype=np.uint8)
    decoded = decode_image_file(_save(tmp_path, Image.fromarray(grey)))
    np.testing.assert_array_equal(decoded, np.stack([grey] * 3, axis=-1))


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    np.testing.assert_array_equal(decode_image_file(_save(tmp_path, image)), [[[0] * 3, [255] * 3]])


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 100, 150, 200])
    image.putdata([1, 0])
    decoded = decode_image_file(_save(tmp_path, image))
    np.testing.assert_array_equal(decoded, [[[100, 150, 200], [9, 8, 7]]])


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0, [128, 128, 128]), (255, [255, 0, 40]), (51, [153, 102, 110])]
)
def test_alpha_is_composited_over_mid_grey(alpha: int, expected: list[int], tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[255, 0, 40, alpha]]], dtype=np.uint8))
    np.testing.assert_array_equal(decode_image_file(_save(tmp_path, image)), [[expected]])


def test_grey_with_alpha_is_composited(tmp_path: Path) -> None:
    image = Image.merge("LA", [Image.new("L", (1, 1), 255), Image.new("L", (1, 1), 51)])
    np.testing.assert_array_equal(decode_image_file(_save(tmp_path, image)), [[[153] * 3]])


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_becomes_mid_grey(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[:1]).convert(mode)
    clear = image.getpixel((0, 0))
    decoded = decode_image_file(_save(tmp_path, image, transparency=clear))
    np.testing.assert_array_equal(decoded[0, 0], [128, 128, 128])
    assert decoded[0, 1].tolist() != [128, 128, 128]


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits_keep_the_upper_eight(name: str, tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256, 0x1234, 0xFFFF]], dtype=np.uint16)
    decoded = decode_image_file(_save(tmp_path, Image.fromarray(grey), name))
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 0, 1, 0x12, 255])


def test_a_dark_sixteen_bit_pgm_stays_dark(tmp_path: Path) -> None:
    path = tmp_path / "dark.ppm"
    path.write_bytes(b"P5\n2 1\n65535\n" + np.array([100, 200], dtype=">u2").tobytes())
    np.testing.assert_array_equal(decode_image_file(path), np.zeros((1, 2, 3)))


# The pixel that is upper left after turning, by EXIF orientation.
UPRIGHT = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_exif_orientation_is_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    decoded = decode_image_file(_save(tmp_path, Image.fromarray(PIXELS), exif=exif))
    np.testing.assert_array_equal(decoded[0, 0], PIXELS[UPRIGHT[orientation]])


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    decoded = decode_image_file(_save(tmp_path, image, "a.tiff"))
    np.testing.assert_array_equal(decoded, [[[255, 0, 0]]])


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = _save(tmp_path, Image.fromarray(PIXELS))
    odd = path.rename(tmp_path / "Bild ä.jpg")
    np.testing.assert_array_equal(decode_image_file(odd), PIXELS)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint32"])
def test_bytes_in_wider_integers_are_not_black(dtype: str) -> None:
    np.testing.assert_array_equal(to_rgb(PIXELS.astype(dtype), "array"), PIXELS)


def test_floats_in_the_unit_interval_become_bytes() -> None:
    rgb = to_rgb(np.array([[0.0, 0.5, 1.0]]), "array")
    np.testing.assert_array_equal(rgb[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0.0, 1.5]]),
        np.array([[-0.1, 1.0]]),
        np.array([[np.nan, 1.0]]),
        np.array([[-1, 3]]),
        np.array([[70000, 3]]),
        np.array([[300, 3]]),
    ],
)
def test_values_of_no_known_range_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="neither 8 bit, 16 bit nor in"):
        to_rgb(pixels, "array")


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 5), (2, 4, 4, 3)])
def test_arrays_of_no_image_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="has no shape of an image"):
        to_rgb(np.zeros(shape, dtype=np.uint8), "array")


def test_resizing_keeps_a_constant_image_constant() -> None:
    np.testing.assert_array_equal(
        resize_image(np.full((10, 20, 3), 77, np.uint8), 8), np.full((8, 8, 3), 77)
    )


def test_resizing_to_the_same_size_changes_nothing() -> None:
    np.testing.assert_array_equal(resize_image(PIXELS, 2), PIXELS)
