"""Light that falls unevenly on a page: a surface so smooth that no pen has drawn any of it."""

import numpy as np
from numpy.polynomial import legendre
from PIL import Image

_DEGREE = 3
_SMALL_SIDE = 96


def without_shading(grey: np.ndarray) -> np.ndarray:
    """What a picture (H, W) has beyond the smooth surface that fits it best: (H, W), around 0, of either sign.

    The surface is a product of cubics, one along each side, fitted by least squares to a small copy.
    """
    H, W = grey.shape
    size = (min(W, _SMALL_SIDE), min(H, _SMALL_SIDE))  # each side by itself: a long strip is curved across, too
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX), np.float64)  # (h, w)
    rows, columns = (_polynomials(n, small_n) for n, small_n in zip(grey.shape, small.shape, strict=True))
    coefficients = np.linalg.pinv(rows[1]) @ small @ np.linalg.pinv(columns[1]).T  # (degree + 1, degree + 1)
    surface = rows[0] @ coefficients @ columns[0].T  # (H, W)
    return np.asarray(grey - surface, np.float32)


def _polynomials(n: int, small_n: int) -> tuple[np.ndarray, np.ndarray]:
    """Legendre's up to the cubic at the middles of n pixels along a side, and of those of the small copy.

    Each is (pixels, degree + 1); a side of few pixels has a lower degree.
    """
    degree = min(_DEGREE, small_n - 1)
    fine, coarse = (legendre.legvander((2 * np.arange(m) + 1) / m - 1, degree) for m in (n, small_n))
    return fine, coarse
