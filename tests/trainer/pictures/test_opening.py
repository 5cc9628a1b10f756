"""Files that are no pictures, half pictures, or more than a memory holds, are told by name."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import MnistSearchError
from tests.helpers.pictures import printed, saved
from trainer.pictures.opening import WORKING_SIDE, open_picture


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose head promises so many pixels."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99)))
    parts = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a text renamed .png", r"^x is no picture: use PNG, JPEG or another format of pixels$"),
        (saved(printed())[:300], r"^x is a damaged picture \(.+\): save it again$"),
        (saved(printed(), "JPEG")[:700], r"^x is a damaged picture \(.+\): save it again$"),
        (saved(Image.new("L", (1, 1))), r"^x has 1 x 1 pixels: a digit needs 5 at least$"),
        (png_that_claims(20_000, 20_000), r"^x has over 100 million pixels.*: make it smaller$"),
        (png_that_claims(12_000, 10_000), r"^x has over 100 million pixels \(12,000 x 10,000\): make it smaller$"),
    ],
    ids=["text", "half a PNG", "half a JPEG", "a pixel", "a bomb", "a large one"],
)
def test_what_is_no_picture_is_told(raw: bytes, said: str) -> None:
    with pytest.raises(MnistSearchError, match=said):
        open_picture(raw, "x")


def test_the_first_frame_of_a_gif() -> None:
    content = saved(printed(3), "GIF", save_all=True, append_images=[printed(8)])
    assert np.array_equal(np.asarray(open_picture(content, "x").convert("L")), np.asarray(printed(3)))


def test_a_wrong_exif_is_no_hindrance() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert open_picture(saved(printed(), "JPEG", exif=exif), "x").size == (200, 200)
    assert open_picture(saved(printed(), "JPEG", exif=b"Exif\0\0no such thing"), "x").size == (200, 200)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_large_pictures_are_reduced(mode: str) -> None:
    picture = Image.fromarray(np.zeros((1500, 2000), np.uint16)) if mode == "I;16" else Image.new(mode, (2000, 1500))
    opened = open_picture(saved(picture), "x")
    assert WORKING_SIDE <= opened.width < 2 * WORKING_SIDE
    assert opened.height == pytest.approx(0.75 * opened.width, abs=1)
