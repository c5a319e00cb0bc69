"""Image files that are damaged, lie about their size, or are not what they seem."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.errors import BrainalignError, InputError
from brainalign.raw.images import decode_image_file
from brainalign.stores.manifest import compute_checksum
from command_line import Command, make_stimuli
from nwb_files import STIMULI, make_pixels, write_images, write_lab

FORMATS = ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM"]


def _encode(format_name: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(make_pixels(0, 24)).save(stream, format_name)
    return stream.getvalue()


def _compose_bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header claims side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("content", ["truncated", "flipped", "text", "empty"])
def test_a_damaged_png_publishes_nothing(content: str, tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    image = tmp_path / "images" / "003.png"
    whole = image.read_bytes()
    damaged = bytearray(whole)
    damaged[80] ^= 255
    image.write_bytes(
        {"truncated": whole[:-60], "flipped": bytes(damaged), "text": b"hello", "empty": b""}[
            content
        ]
    )
    outcome = make_stimuli(command, config)
    assert outcome.status == 3
    assert str(image) in outcome.error
    assert outcome.error.count("\n") == 1 or "decoding images" in outcome.error
    assert "Traceback" not in outcome.error
    assert not (tmp_path / "stimuli.zarr").exists()


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damage_escapes_as_another_error(format_name: str, tmp_path: Path) -> None:
    generator, whole = np.random.default_rng(0), _encode(format_name)
    path, refused = tmp_path / "image", 0
    for round_ in range(400):
        damaged = bytearray(whole)
        if round_ % 2:
            damaged = damaged[: generator.integers(len(whole))]
        for _ in range(3):
            if damaged:
                damaged[generator.integers(min(len(damaged), 300))] = generator.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            decode_image_file(path)
        except BrainalignError:
            refused += 1
    assert refused > 100


def test_an_image_bomb_is_refused_unread(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    (tmp_path / "images" / "003.png").write_bytes(_compose_bomb(100_000))
    tracemalloc.start()
    outcome = make_stimuli(command, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.status == 2
    assert "the image claims more pixels than allowed; expected at most 50000000" in outcome.error
    assert "stimuli.max_pixels" in outcome.error
    assert peak < 100e6


def test_a_smaller_bomb_meets_the_configured_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_compose_bomb(1000))
    with pytest.raises(InputError, match="1000 x 1000 pixels"):
        decode_image_file(path, max_pixels=999_999)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(make_pixels(seed)) for seed in range(3)]
    frames[0].save(tmp_path / "movie.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="is an animation; expected one image, found 3 frames"):
        decode_image_file(tmp_path / "movie.gif")


def test_a_missing_image_is_an_input_error(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    (tmp_path / "images" / "005.png").unlink()
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "005.png: no such image file" in outcome.error


def test_other_bytes_than_the_table_says_are_corrupt_data(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    checksums = [compute_checksum(tmp_path / "images" / f"{name}.png") for name in STIMULI]
    write_images(tmp_path / "images", sha256=checksums)
    assert make_stimuli(command, config).status == 0
    # A valid image, but another one: only the checksum can tell.
    Image.fromarray(make_pixels(77)).save(tmp_path / "images" / "002.png")
    outcome = make_stimuli(command, config)
    assert outcome.status == 3
    assert "002.png: has other bytes than when the table was written" in outcome.error


def test_images_of_different_sizes_need_an_image_size(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    Image.fromarray(make_pixels(5, side=9)).save(tmp_path / "images" / "005.png")
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "images have different sizes; expected 8 x 8 pixels as '000', found 9 x 9" in (
        outcome.error
    )
    resized = write_lab(tmp_path, stimuli={"image_size": 8, "split": {"test_share": 0.25}})
    assert make_stimuli(command, resized).status == 0
