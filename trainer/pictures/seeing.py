"""A picture as the network sees it."""

from itertools import chain
from operator import itemgetter

import numpy as np
from PIL import Image

from models.errors import MnistSearchError
from trainer.pictures.framing import SIDE, Framing, framed, is_framed, whole
from trainer.pictures.grey import grey_before, readings_of
from trainer.pictures.ink import MIN_CONTRAST, Ink, NoInkError, find_ink
from trainer.pictures.opening import open_picture


class NoDigitError(MnistSearchError):
    """A picture that was read and shows nothing; `reason` is the text without the picture's name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reason = reason


def see(picture: Image.Image, framing: Framing, name: str = "the picture") -> np.ndarray:
    """A picture of any size and mode as (28, 28) uint8, light on black, framed as the dataset's were.

    One that is framed like the dataset's already is returned as it is, or inverted if it is dark on light. Raises
    NoDigitError if it shows no digit.
    """
    if framing.is_whole:
        return _whole(picture, name)
    groups = readings_of(picture)
    for pixels in chain.from_iterable(map(_already, chain.from_iterable(groups))):
        if is_framed(pixels, framing):
            return pixels
    try:
        ink = _ink_of(groups)
    except NoInkError as error:
        raise NoDigitError(name, f"no digit found: {error}") from None
    return framed(ink.strength, framing)


def see_file(raw: bytes, framing: Framing, name: str) -> np.ndarray:
    """What `see` makes of the bytes of a file. Raises MnistSearchError for one that is no whole picture, too."""
    return see(open_picture(raw, name), framing, name)


def see_as_is(raw: bytes, name: str) -> np.ndarray:
    """A file's picture of 28x28 pixels, (28, 28) uint8, unchanged but for its mode; what is transparent is black.

    Raises MnistSearchError.
    """
    picture = open_picture(raw, name)
    if picture.size != (SIDE, SIDE):
        W, H = picture.size
        raise MnistSearchError(f"{name} has {W} x {H} pixels, --as-is takes 28 x 28: leave it out")
    return _bytes(grey_before(picture, 0.0))


def _whole(picture: Image.Image, name: str) -> np.ndarray:
    grey = grey_before(picture, 1.0)  # as products are photographed
    if np.ptp(grey) < MIN_CONTRAST:
        raise NoDigitError(name, "nothing found: the picture is blank")
    return whole(grey)


def _ink_of(groups: list[list[np.ndarray]]) -> Ink:
    """The ink of the reading that looks most like a digit, in the first group that shows any.

    Raises NoInkError, for the reason of the first reading, if there is none in any.
    """
    reasons: list[NoInkError] = []
    for group in groups:
        worths: list[tuple[float, Ink]] = []
        for number, grey in enumerate(group):
            try:
                ink = find_ink(grey)
                worths.append((_worth(ink, number), ink))
            except NoInkError as error:
                reasons.append(error)
        if worths:
            return max(worths, key=itemgetter(0))[1]
    raise reasons[0]


def _worth(ink: Ink, number: int) -> float:
    """The score; none for light ink at the border in a reading but the first: it is what lies around a card."""
    return 0.0 if number and ink.is_light and ink.touches else ink.score


def _already(grey: np.ndarray) -> list[np.ndarray]:
    """A picture of 28x28 the two ways round."""
    return [_bytes(grey), 255 - _bytes(grey)] if grey.shape == (SIDE, SIDE) else []


def _bytes(grey: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(grey * 255), np.uint8)
