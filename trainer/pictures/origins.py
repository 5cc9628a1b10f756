"""Digits that are not from MNIST, as pictures that a user might give: other people's hands, and a font."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

_SCAN_FACTOR = 20
_FULL_SCALE = 16  # the scans have 17 grey levels, 0 to 16
_MARGIN = 0.3
DEFAULT_FONT_SIZES = (16, 40, 120)
TURNS_DEGREES = (-8, 0, 8)


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture of a digit."""

    picture: Image.Image
    label: int


def scanned_digits() -> Iterator[LabelledPicture]:
    """scikit-learn's 1,797 scans of 8x8 pixels (Alpaydin and Kaynak, 1998), enlarged to 160x160, dark on light."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    for scan, label in zip(bunch.images, bunch.target, strict=True):
        small = Image.fromarray(np.rint(255 - scan * (255 / _FULL_SCALE)).astype(np.uint8))
        side = _SCAN_FACTOR * small.width
        yield LabelledPicture(small.resize((side, side), Image.Resampling.BICUBIC), int(label))


def default_font_digits() -> Iterator[LabelledPicture]:
    """The ten digits in Pillow's own font, which is on every machine: three sizes, three turns, both ways round."""
    for size in DEFAULT_FONT_SIZES:
        font = ImageFont.load_default(size)
        for digit in range(10):
            for degrees in TURNS_DEGREES:
                drawn = drawn_digit(font, digit, degrees)
                yield LabelledPicture(drawn, digit)
                yield LabelledPicture(ImageOps.invert(drawn), digit)


def drawn_digit(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, digit: int, degrees: float = 0) -> Image.Image:
    """A digit of a font, black on white with a margin of a third of its size, turned counter-clockwise."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(str(digit)))
    margin = max(2, round(_MARGIN * max(bottom - top, right - left)))
    picture = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), 255)
    ImageDraw.Draw(picture).text((margin - left, margin - top), str(digit), fill=0, font=font)
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
