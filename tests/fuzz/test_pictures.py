"""Pictures for `predict`: what the network sees or one line, whatever is in a file, and no bomb goes off."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.many_inputs import tried_on
from tests.helpers.outcomes import Line, outcome_of
from trainer.pictures.framing import FRAMINGS
from trainer.pictures.seeing import see_as_is, see_file

SUBJECT = "pictures"
FORMATS = {"PNG": "RGB", "JPEG": "RGB", "GIF": "P", "BMP": "RGB", "WEBP": "RGB", "TIFF": "L", "PPM": "L", "TGA": "RGBA"}


def drawn() -> Image.Image:
    """A seven, dark on light."""
    pixels = np.full((40, 40), 250, np.uint8)
    pixels[8:12, 8:32] = 10
    for row in range(12, 34):
        pixels[row, 40 - row // 2 - 14 : 40 - row // 2 - 10] = 10
    return Image.fromarray(pixels)


def saved(name: str) -> bytes:
    buffer = io.BytesIO()
    drawn().convert(FORMATS[name]).save(buffer, name)
    return buffer.getvalue()


WHOLE = {name: saved(name) for name in FORMATS}


def outcome(content: bytes, framing: str = "mnist", as_is: bool = False) -> np.ndarray | Line:
    """What the network sees of a file, or the line that says why nothing."""
    found: np.ndarray | Line = (
        outcome_of(see_as_is, content, "x") if as_is else outcome_of(see_file, content, FRAMINGS[framing], "x")
    )
    if isinstance(found, Line):
        assert found.startswith("x")
    else:
        assert found.shape == (28, 28)
        assert found.dtype == np.uint8
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_picture_of_each_format_is_seen(name: str) -> None:
    assert not isinstance(outcome(WHOLE[name]), Line)


@tried_on(40, 4_000, SUBJECT)
@given(st.data())
def test_a_file_with_something_put_into_it(data: st.DataObject) -> None:
    content = bytearray(WHOLE[data.draw(st.sampled_from(sorted(FORMATS)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 4))
        content[at : at + length] = data.draw(st.binary(max_size=4))
    outcome(bytes(content), data.draw(st.sampled_from(sorted(FRAMINGS))), data.draw(st.booleans()))


@tried_on(20, 2_000, SUBJECT)
@given(
    st.sampled_from([content[:12] for content in WHOLE.values()] + [b"%!PS-Adobe-3.0 EPSF\n", b"8BPS", b""]),
    st.binary(max_size=60),
)
def test_any_bytes_after_the_beginning_of_a_picture(start: bytes, rest: bytes) -> None:
    outcome(start + rest)


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that says it has so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)])
def test_a_picture_that_says_it_has_gigabytes_of_pixels_is_not_read(size: tuple[int, int]) -> None:
    assert str(outcome(png(*size, bytes(1 << 20)))).startswith(("x has over 100 million pixels", "x is a damaged pict"))


def test_a_drawing_that_is_a_program_is_no_picture() -> None:
    """Pillow would hand it to Ghostscript."""
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n(x) (w) file closefile\nshowpage\n"
    assert outcome(drawing) == "x is no picture: use PNG, JPEG or another format of pixels"
