"""Strokes as wide as those of MNIST: a fine pen in a large picture would fade to nothing in 20 pixels."""

import numpy as np
from PIL import Image
from scipy import ndimage

_SIDE = 100
"""A box is worked on with at least so many pixels a side: a fifth of a pixel of the result is one then."""
_THIN = 1.9
_USUAL = 2.3
"""Pixels of 20; of MNIST's training images a tenth have strokes below the first, half below the second."""


def thickened(strength: np.ndarray, side: int) -> np.ndarray:
    """Ink (H, W) of 0..1 in its box, strokes that would be thin in `side` pixels made as wide as is usual.

    The result may be larger: finer pixels, and a border for what the strokes have gained.
    """
    fine = _magnified(strength)
    width = stroke_width(fine > 0.5) * side / max(fine.shape)
    if not 0 < width < _THIN * side / 20:
        return fine
    fine = _coarser(fine)
    radius = (_USUAL * side / 20 - width) / 2 * max(fine.shape) / side
    return _dilated(fine, radius)


def stroke_width(mask: np.ndarray) -> float:
    """The median width of what is set, in pixels, along its middle; 0 if nothing is."""
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))
    middle = (distance > 0) & (distance == ndimage.maximum_filter(distance, 3))
    return 2 * float(np.median(distance[middle])) - 1 if middle.any() else 0.0


def _magnified(strength: np.ndarray) -> np.ndarray:
    H, W = strength.shape
    factor = -(-_SIDE // max(H, W))
    if factor <= 1:
        return strength
    larger = Image.fromarray(strength).resize((W * factor, H * factor), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(larger, np.float32), 0, 1)


def _coarser(strength: np.ndarray) -> np.ndarray:
    """The strongest of k x k pixels, at most 300 a side: dilation is slow at 600, and fine lines are to stay."""
    k = -(-max(strength.shape) // (3 * _SIDE))
    H, W = (-(-n // k) for n in strength.shape)
    padded = np.pad(strength, ((0, H * k - strength.shape[0]), (0, W * k - strength.shape[1])))
    return np.asarray(padded.reshape(H, k, W, k).max((1, 3)))


def _dilated(strength: np.ndarray, radius: float) -> np.ndarray:
    """Each pixel gets the strongest ink within the radius; the part of a pixel at its end softens the edge."""
    reach = int(np.ceil(radius))
    padded = np.pad(strength, reach + 1)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(y, x) <= radius + 0.5
    return np.asarray(ndimage.maximum_filter(padded, footprint=disc), np.float32)
