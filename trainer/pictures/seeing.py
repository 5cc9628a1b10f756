"""A picture as the network sees it."""

import numpy as np
from PIL import Image

from models.errors import MnistSearchError
from trainer.pictures.framing import SIDE, Framing, framed, is_framed, whole
from trainer.pictures.grey import grey_of
from trainer.pictures.ink import NoInkError, find_ink
from trainer.pictures.opening import open_picture


def see(picture: Image.Image, framing: Framing, name: str = "the picture") -> np.ndarray:
    """A picture of any size and mode as (28, 28) uint8, light on black, framed as the dataset's were.

    One that is framed like the dataset's already is returned as it is, or inverted if it is dark on light. Raises
    MnistSearchError, beginning with `name`, if it shows no digit.
    """
    grey = grey_of(picture)  # (H, W) of 0..1
    if framing.is_whole:
        return whole(grey)
    for pixels in _already(grey):
        if is_framed(pixels, framing):
            return pixels
    try:
        ink = find_ink(grey)
    except NoInkError as error:
        raise MnistSearchError(f"{name}: no digit found: {error}") from None
    return framed(ink.strength, framing)


def see_file(raw: bytes, framing: Framing, name: str) -> np.ndarray:
    """What `see` makes of the bytes of a file. Raises MnistSearchError for one that is no whole picture, too."""
    return see(open_picture(raw, name), framing, name)


def see_as_is(raw: bytes, name: str) -> np.ndarray:
    """A file's picture of 28x28 pixels, (28, 28) uint8, unchanged but for its mode. Raises MnistSearchError."""
    picture = open_picture(raw, name)
    if picture.size != (SIDE, SIDE):
        W, H = picture.size
        raise MnistSearchError(f"{name} has {W} x {H} pixels, --as-is takes 28 x 28: leave it out")
    return _bytes(grey_of(picture))


def _already(grey: np.ndarray) -> list[np.ndarray]:
    """A picture of 28x28 the two ways round."""
    return [_bytes(grey), 255 - _bytes(grey)] if grey.shape == (SIDE, SIDE) else []


def _bytes(grey: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(grey * 255), np.uint8)
