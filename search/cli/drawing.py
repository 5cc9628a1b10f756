"""A small grey picture drawn on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

from search.cli.tables import console

if TYPE_CHECKING:
    import numpy as np

_UPPER_HALF = "\u2580"
_RAMP = " .:-=+*#%@"


def draw(pixels: "np.ndarray") -> None:
    """Prints a picture (H, W) uint8, two rows of it a line: in its greys, or by characters where no colours are."""
    out = console()
    lines = zip(pixels[0::2].tolist(), pixels[1::2].tolist(), strict=True)
    for upper, lower in lines:
        out.print(_greys(upper, lower) if out.color_system else _characters(upper, lower))


def _greys(upper: Sequence[int], lower: Sequence[int]) -> Text:
    line = Text()
    for above, below in zip(upper, lower, strict=True):
        line.append(_UPPER_HALF, Style(color=_grey(above), bgcolor=_grey(below)))
    return line


def _grey(value: int) -> Color:
    return Color.from_rgb(value, value, value)


def _characters(upper: Sequence[int], lower: Sequence[int]) -> Text:
    means = [(above + below) / 2 / 255 for above, below in zip(upper, lower, strict=True)]
    return Text("".join(_RAMP[round(mean * (len(_RAMP) - 1))] for mean in means))
