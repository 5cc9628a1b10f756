"""How a dataset's pictures were framed: where in the 28x28 pixels its makers put what they show.

Sources: MNIST, http://yann.lecun.com/exdb/mnist/ (a box of 20x20, the centre of mass in the middle; on its training
images the mean is at pixel 14.0, 14.0, counted from 0, none is further off than half a pixel, and the box's longer side
is 20 but for 13 of 60,000). The digits, Alpaydin and Kaynak, 1998: 32x32 bitmaps that the digit fills from top to
bottom, reduced to 8x8. Fashion-MNIST, Xiao et al., 2017: the picture's longer side 28, light on dark.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from trainer.pictures.pieces import box_of
from trainer.pictures.strokes import thickened

SIDE = 28
_MIDDLE = 14


@dataclass(frozen=True)
class Framing:
    """What a picture is made into."""

    box: int
    """The longer side of the ink, in pixels of the grid."""
    grid: int = SIDE
    """Pixels a side of the picture, before it is enlarged to 28."""
    by_mass: bool = False
    """The centre of mass in the middle, rather than the box."""
    is_whole: bool = False
    """The whole picture rather than its ink, with all its greys."""


FRAMINGS = {
    "mnist": Framing(20, by_mass=True),
    "digits": Framing(8, grid=8),
    "fashion-mnist": Framing(SIDE, is_whole=True),
    "kmnist": Framing(SIDE, is_whole=True),
}
"""By the dataset that a network was trained on; any other is taken for one of handwritten digits like MNIST."""


def framing_of(dataset: str) -> Framing:
    """The framing of a dataset's pictures."""
    return FRAMINGS.get(dataset, FRAMINGS["mnist"])


def framed(strength: np.ndarray, framing: Framing) -> np.ndarray:
    """Ink (H, W) of 0..1 as a picture (28, 28) uint8, light on black."""
    fine = thickened(strength, framing.box)
    fine = fine[box_of(fine > 0.25).slices]
    H, W = fine.shape
    scale = framing.box / max(H, W)
    small = _resized(fine, max(1, round(H * scale)), max(1, round(W * scale)))
    return enlarged(_placed(small, framing), framing.grid)


def is_framed(pixels: np.ndarray, framing: Framing) -> bool:
    """Whether a picture (28, 28) uint8, light on black, lies in its frame as those of the dataset do."""
    if framing != FRAMINGS["mnist"] or pixels.shape != (SIDE, SIDE) or pixels.max() < 250:
        return False
    box = box_of(pixels > 0)
    off = np.abs(centre_of_mass(pixels) - _MIDDLE)
    return framing.box - 1 <= box.longer <= framing.box and bool((off <= 0.5).all())


def whole(grey: np.ndarray) -> np.ndarray:
    """A whole picture (H, W) of 0..1 as (28, 28) uint8, made square with its background, light on dark."""
    corners = np.median(np.array([grey[0, 0], grey[0, -1], grey[-1, 0], grey[-1, -1]]))
    light = 1 - grey if corners > 0.5 else grey
    background = min(float(corners), 1 - float(corners))
    H, W = light.shape
    scale = SIDE / max(H, W)
    small = _resized(light.astype(np.float32), max(1, round(H * scale)), max(1, round(W * scale)))
    canvas = np.full((SIDE, SIDE), background, np.float32)
    h, w = small.shape
    top, left = (SIDE - h) // 2, (SIDE - w) // 2
    canvas[top : top + h, left : left + w] = small
    return _to_bytes(canvas)


def centre_of_mass(values: np.ndarray) -> np.ndarray:
    """Row and column, counted from the middle of the first pixel."""
    mass = values.astype(np.float64)
    return np.array([np.average(np.arange(n), weights=mass.sum(1 - axis)) for axis, n in enumerate(mass.shape)])


def enlarged(small: np.ndarray, grid: int) -> np.ndarray:
    """A picture (grid, grid) of 0..1 as (28, 28) uint8, as `trainer/data/digits.py` enlarges its scans."""
    return _to_bytes(small if grid == SIDE else _resized(small, SIDE, SIDE, Image.Resampling.BILINEAR))


def _resized(values: np.ndarray, H: int, W: int, way: Image.Resampling | None = None) -> np.ndarray:
    """Reduced to the means of areas, as MNIST was; enlarged smoothly."""
    if way is None:
        way = Image.Resampling.BOX if max(H, W) <= max(values.shape) else Image.Resampling.BICUBIC
    return np.clip(np.asarray(Image.fromarray(values).resize((W, H), way), np.float32), 0, 1)


def _placed(small: np.ndarray, framing: Framing) -> np.ndarray:
    canvas = np.zeros((framing.grid, framing.grid), np.float32)
    h, w = small.shape
    if framing.by_mass:
        top, left = (int(np.floor(_MIDDLE - at + 0.5)) for at in centre_of_mass(small))
    else:
        top, left = (framing.grid - h) // 2, (framing.grid - w) // 2
    top, left = min(max(top, 0), framing.grid - h), min(max(left, 0), framing.grid - w)
    canvas[top : top + h, left : left + w] = small
    return canvas


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
