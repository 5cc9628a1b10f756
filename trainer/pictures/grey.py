"""A picture as one value a pixel, the one in which ink and paper differ."""

import numpy as np
from PIL import Image

from trainer.pictures.opening import WORKING_SIDE

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601, as Pillow's mode L."""
_MIN_CONTRAST_OF_ITS_OWN = 0.12
"""Deviation of the visible pixels above which transparent ones are paper; below, opacity is ink."""


def grey_of(image: Image.Image) -> np.ndarray:
    """Values (H, W) float32 of 0..1 of a picture of any mode, its longer side at most 640.

    Colours of a like brightness that differ otherwise (red on green) are told apart along the direction in which they
    differ most. Transparent parts get the paper's value; where all that is visible has one colour, opacity is it.
    """
    grey = _values(image)  # (H, W)
    H, W = grey.shape
    scale = WORKING_SIDE / max(H, W)
    if scale >= 1:
        return grey
    size = (max(1, round(W * scale)), max(1, round(H * scale)))
    smaller = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
    return np.asarray(smaller, np.float32)


def _values(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        return _stretched(np.asarray(image).astype(np.float32))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.float32) / 255  # (H, W, 4)
        return _without_alpha(_one_channel(rgba[..., :3]), rgba[..., 3])
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"), np.float32) / 255
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0), np.float32) / 255
    return _one_channel(np.asarray(image.convert("RGB"), np.float32) / 255)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Of 0..1: what white is in 16 bits or in floats, the file does not say."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros_like(values)
    low, high = float(values[finite].min()), float(values[finite].max())
    if high <= low:
        return np.zeros_like(values)
    return np.asarray(np.where(finite, (values - low) / (high - low), 0), np.float32)


def _one_channel(rgb: np.ndarray) -> np.ndarray:
    """Brightness (H, W) of (H, W, 3), or the first principal component where it has over twice the deviation."""
    brightness = rgb @ _LUMINANCE
    colours = (rgb - rgb.mean((0, 1))).reshape(-1, 3)
    variances, directions = np.linalg.eigh(colours.T @ colours / len(colours))
    if variances[-1] <= 4 * brightness.var() + 1e-6:
        return np.asarray(brightness, np.float32)
    direction = directions[:, -1] * (1 if directions[:, -1].sum() >= 0 else -1)
    component = rgb @ direction / np.abs(direction).sum()
    return np.asarray(np.clip(component - min(0.0, float(component.min())), 0, 1), np.float32)


def _without_alpha(grey: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    visible = alpha > 0.5
    if alpha.min() > 0.999 or not visible.any():
        return grey if visible.any() else np.zeros_like(grey)
    if grey[visible].std() < _MIN_CONTRAST_OF_ITS_OWN:
        return 1 - alpha  # ink alone, of whatever colour: as if it were black on white
    paper = np.median(grey[visible])
    return np.asarray(grey * alpha + paper * (1 - alpha), np.float32)
