"""A picture as one value a pixel, the one in which ink and paper differ."""

import numpy as np
from PIL import Image
from scipy import ndimage

from trainer.pictures.ink import MIN_CONTRAST
from trainer.pictures.opening import WORKING_SIDE
from trainer.pictures.pieces import box_of

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601, as Pillow's mode L."""
_SAME_COLOUR = 0.15
"""Up to this difference the rim of what is visible has the colour of the rest of it."""


def readings_of(image: Image.Image) -> list[list[np.ndarray]]:
    """Return the values (H, W) float32 of 0..1 in which a picture of any mode may show its digit.

    An opaque picture has one reading. A picture with transparency has several: those of the first group are compared,
    those of the next are for a picture that shows nothing in the first. The longer side is at most 640. Colours of
    similar brightness (red on green) are told apart along the direction in which they differ most.
    """
    colours, opacity = _colours(image), _opacity(image)
    groups = [[_one_channel(colours)]] if opacity is None else _compositions(colours, opacity)
    return [[_working_size(grey) for grey in group] for group in groups]


def grey_before(image: Image.Image, brightness: float) -> np.ndarray:
    """Return the values (H, W) float32 of 0..1 of a picture in front of a backdrop of this brightness, 0 or 1.

    Where nothing of it can be seen there, its opacity is returned, as ink on that backdrop.
    """
    colours, opacity = _colours(image), _opacity(image)
    if opacity is None:
        return _working_size(_one_channel(colours))
    grey = _before(colours, opacity, np.full(colours.shape[2], brightness, np.float32))
    return _working_size(grey if np.ptp(grey) >= MIN_CONTRAST else np.abs(brightness - opacity))


def _working_size(grey: np.ndarray) -> np.ndarray:
    H, W = grey.shape
    scale = WORKING_SIDE / max(H, W)
    if scale >= 1:
        return np.asarray(grey, np.float32)
    size = (max(1, round(W * scale)), max(1, round(H * scale)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX), np.float32)


def _colours(image: Image.Image) -> np.ndarray:
    """The colours (H, W, channels) of 0..1, one channel or three, whatever the opacity."""
    if image.mode.startswith("I") or image.mode == "F":
        return _stretched(np.asarray(image).astype(np.float32))[..., None]
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0), np.float32)[..., None] / 255
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    opaque = image.convert("RGBA") if mode == "RGB" and image.has_transparency_data else image
    return np.atleast_3d(np.asarray(opaque.convert(mode), np.float32) / 255)


def _opacity(image: Image.Image) -> np.ndarray | None:
    """The opacity (H, W) of 0..1; None of an opaque picture."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / 255
    return None if alpha.min() == 1 else alpha


def _stretched(values: np.ndarray) -> np.ndarray:
    """Of 0..1: what white is in 16 bits or in floats, the file does not say."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros_like(values)
    low, high = float(values[finite].min()), float(values[finite].max())
    if high <= low:
        return np.zeros_like(values)
    return np.asarray(np.where(finite, (values - low) / (high - low), 0), np.float32)


def _one_channel(colours: np.ndarray) -> np.ndarray:
    """Brightness (H, W) of (H, W, 3), or the first principal component where it has over twice the deviation."""
    if colours.shape[2] == 1:
        return colours[..., 0]
    brightness = colours @ _LUMINANCE
    centred = (colours - colours.mean((0, 1))).reshape(-1, 3)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    if variances[-1] <= 4 * brightness.var() + 1e-6:
        return np.asarray(brightness, np.float32)
    direction = directions[:, -1] * (1 if directions[:, -1].sum() >= 0 else -1)
    component = colours @ direction / np.abs(direction).sum()
    return np.asarray(np.clip(component - min(0.0, float(component.min())), 0, 1), np.float32)


def _before(colours: np.ndarray, opacity: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """A picture in front of a backdrop of one colour (channels,), as one channel (H, W)."""
    alpha = opacity[..., None]
    return _one_channel(colours * alpha + backdrop * (1 - alpha))


def _compositions(colours: np.ndarray, opacity: np.ndarray) -> list[list[np.ndarray]]:
    """The readings of a picture with transparency, by the shape of what is visible and the colour of its rim.

    A card shows its digit in front of its own paper; only a card of one colour has it in its opacity. What is no card
    and has a rim of another colour was cut out of a page, and the rim is as dark or light as that page. Elsewhere the
    rim may be paper or ink: it is continued, or contrasted with a white or black page, or the opacity is the ink.
    """
    solid = np.clip(2 * opacity / max(float(opacity.max()), 1e-6) - 1, 0, 1)  # without soft shadows
    visible, ink = solid > 0, 1 - opacity
    if not visible.any():
        return [[np.zeros_like(opacity)]]
    usual, rim = _usual_and_rim(colours, visible)
    is_same = np.abs(rim - usual).max() <= _SAME_COLOUR
    if _is_card(visible):
        return [[_before(colours, solid, rim if is_same else usual)], [ink]]
    if not is_same:
        return [[_before(colours, solid, _page(rim.mean() > usual.mean(), rim))], [ink]]
    return [[_before(colours, solid, rim), _before(colours, opacity, _page(rim.mean() < 0.5, rim)), ink]]


def _usual_and_rim(colours: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median colours (channels,) of what is visible, and of those of its pixels that touch what is not."""
    usual = np.median(colours[visible], 0)
    beside = visible & ndimage.binary_dilation(~visible, np.ones((3, 3)))
    return usual, np.median(colours[beside], 0) if beside.any() else usual


def _page(is_white: bool, like: np.ndarray) -> np.ndarray:
    return np.full_like(like, is_white)


def _is_card(visible: np.ndarray) -> bool:
    """Whether what is visible fills its box as no digit but a 1 does, and is wider than that."""
    box = box_of(visible)
    return visible.sum() > 0.85 * box.height * box.width and 2 * min(box.height, box.width) > box.longer
