"""Ink told from what it is on: uneven light, noise, dark on light or light on dark.

The background is a morphological closing (for dark ink; an opening for light) of a small copy: strokes are narrower
than its element and go, while shadows and gradients, which are wider, stay. Ink is what differs from it. Which of the
two it is shows in the outcome: holes and bays, the ink of the wrong way round, lie within the box of the right one.

Sources: Serra, Image Analysis and Mathematical Morphology, 1982 (the top-hat); Otsu, A threshold selection method from
gray-level histograms, 1979.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from trainer.pictures.pieces import Box, Piece, box_of, digit_pieces, pieces_of
from trainer.pictures.shading import without_shading

_SMALL_SIDE = 96
_ELEMENT = 0.4
"""Of the longer side: wider than a stroke of a bold digit that fills the picture."""
MIN_CONTRAST = 0.07
"""Paper has texture and cameras have noise; the faintest pencil differs by more."""
_MIN_CONTRAST_TO_NOISE = 2.3
"""Between noise that is parted at its middle and itself it is 1.6 to 1.8."""
_DARKEST_PAPER = 0.15
"""The share of the brightest background that shadows have at least: light is not divided by nothing."""
_THIN, _THICK = 0.12, 0.06
"""Strokes up to the first are all alike; above it a candidate is worth 1/e for each more of the second. A digit of
MNIST has 0.15 in the median, a page with a digit cut out of it 0.36, the boldest of the scans 0.45."""
_LEAST_BORDER = 0.2
"""What a border is worth that is all ink: there may be a frame on it, or a table around the page."""
_ROUNDS = 3
"""So often is what touches the border taken away to look for what is left."""
_LEAST_INNER = 0.12
"""Of the longer side: what is left when a shadow is taken away is a digit if it is so large."""


_NOTHING = "nothing stands out from the background and its noise"


class NoInkError(Exception):
    """A picture in which nothing is drawn: the text says why."""


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink of one digit."""

    strength: np.ndarray
    """(H, W) float32 of 0..1 of what its box holds, a few pixels more on each side; 0 wherever the digit is not."""
    is_light: bool
    """Light on dark, as in MNIST."""
    score: float
    """How much it looks like a digit; comparable between readings of one picture."""
    touches: bool
    """Whether it reaches the border of the picture."""


def find_ink(grey: np.ndarray) -> Ink:
    """The ink in a picture (H, W) of 0..1. Raises NoInkError for one that is blank, or nothing but noise."""
    if float(np.ptp(grey)) < MIN_CONTRAST:
        raise NoInkError("the picture is blank")
    noise = _noise(grey)
    if _peak(np.abs(_smooth(without_shading(grey))).ravel(), max(grey.shape)) < _least(noise):
        raise NoInkError(_NOTHING)
    found = [_found(grey, is_light, noise) for is_light in (True, False)]
    best = max((one for one in found if one is not None), key=lambda one: one.score, default=None)
    if best is None:
        raise NoInkError(_NOTHING)
    return _cut_out(best)


@dataclass(frozen=True, eq=False)
class _Found:
    strength: np.ndarray
    mask: np.ndarray
    box: Box
    level: float
    """The strength of most of the ink."""
    edge: float
    """By how much that is more than just outside."""
    contrast: float
    """The same in light, not as a share of it: in the dark, noise is a large share."""
    floor: float
    is_light: bool
    clear_border: float
    """The share of the picture's border on which no ink is, this piece's or any other's."""
    paper_border: float
    """The share of the border that is rather like what is just outside than like the ink."""

    thickness: float
    """The widest place of a stroke, as a share of the box's longer side."""

    @property
    def score(self) -> float:
        """How much it looks like a digit: pages and shadows are no strokes, and a hole is smaller than its ring."""
        likeness = math.exp(-max(self.thickness, _THIN) / _THICK)
        surrounded = (_LEAST_BORDER + self.clear_border) * (_LEAST_BORDER + self.paper_border)
        return self.contrast * self.box.longer * surrounded * likeness

    @property
    def touches(self) -> bool:
        return self.box.touches(self.mask.shape)


def _found(grey: np.ndarray, is_light: bool, noise: float) -> _Found | None:
    """The digit, were the ink light (or dark); None if nothing stands out."""
    strength = _strength(grey, is_light)
    noise = max(noise, _noise(strength))  # on grey paper a share of the light is more than the difference
    side = max(strength.shape)
    smooth = _smooth(strength)
    floor = float(np.median(smooth)) if noise > 0 else 0.0
    least = _least(noise)
    area, first, clear_border = np.ones_like(smooth, bool), None, 1.0
    for _ in range(_ROUNDS):
        peak = _peak(smooth[area], side) if area.any() else 0.0
        if peak - floor < least:
            break
        labels, pieces = _inked(smooth, area, peak, floor)
        kept = digit_pieces(labels, pieces)
        mask = np.isin(labels, [piece.label for piece in kept])
        if first is None:
            clear_border = 1 - float(np.isin(_border(labels), [piece.label for piece in pieces]).mean())
        now = _assess(grey, strength, mask, floor, is_light, clear_border)
        stands_out = now.edge >= least  # noise that is parted at its middle has an edge, too
        if stands_out and not now.touches and (first is None or now.box.longer >= _LEAST_INNER * side):
            return now
        first = first or (now if stands_out else None)
        # A shadow, or the table beside the page: fainter ink may be left when it is gone.
        area &= ~ndimage.binary_dilation(mask, iterations=max(2, side // 50))
    return first


def _least(noise: float) -> float:
    """By how much ink differs from paper at least."""
    return max(MIN_CONTRAST, _MIN_CONTRAST_TO_NOISE * noise)


def _smooth(values: np.ndarray) -> np.ndarray:
    """With less noise; a small picture has no pixels to spare for it."""
    side = max(values.shape)
    return np.asarray(ndimage.gaussian_filter(values, side / 600)) if side > 100 else values


def _inked(smooth: np.ndarray, area: np.ndarray, peak: float, floor: float) -> tuple[np.ndarray, list[Piece]]:
    """Pieces above a lower level that reach an upper one, so that a stroke is not cut where the pen was light."""
    upper = max(otsu(smooth[area]), floor + 0.4 * (peak - floor))
    upper = min(upper, floor + 0.6 * (peak - floor))
    lower = floor + 0.45 * (upper - floor)
    labels, pieces = pieces_of((smooth > lower) & area)
    strong = set(np.unique(labels[smooth > upper]).tolist())
    return labels, [piece for piece in pieces if piece.label in strong]


def _assess(
    grey: np.ndarray, strength: np.ndarray, mask: np.ndarray, floor: float, is_light: bool, clear_border: float
) -> _Found:
    box = box_of(mask)
    level = float(np.percentile(strength[mask], 75))
    reach = max(1, max(mask.shape) // 70)
    around = box.grown(reach + 2, mask.shape).slices
    near = ndimage.binary_dilation(mask[around], iterations=reach)
    outside = ndimage.binary_dilation(near, iterations=2) & ~near
    if not outside.any():
        outside = ~mask[around]
    beside = float(strength[around][outside].mean()) if outside.any() else level
    inked, paper_near = float(grey[mask].mean()), float(grey[around][outside].mean()) if outside.any() else 0.5
    middle, contrast = (inked + paper_near) / 2, abs(inked - paper_near)
    paper = (_border(grey) < middle) == is_light
    widest = 2 * float(ndimage.distance_transform_edt(np.pad(mask[box.slices], 1)).max()) - 1
    return _Found(
        strength, mask, box, level, level - beside, contrast, floor, is_light, clear_border, float(paper.mean()),
        widest / box.longer,
    )  # fmt: skip


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate((values[0], values[-1], values[:, 0], values[:, -1]))


def _cut_out(found: _Found) -> Ink:
    """Ink at full strength where the pen was, with the soft edges of its pieces, and its box."""
    reach = max(1, round(0.02 * found.box.longer))
    box = found.box.grown(reach, found.mask.shape)
    edge = ndimage.binary_dilation(found.mask[box.slices], iterations=reach)
    full = found.level if found.level < 0.97 else 1.0
    strength = np.clip((found.strength[box.slices] - found.floor) / (full - found.floor), 0, 1) * edge
    return Ink(strength.astype(np.float32), found.is_light, found.score, found.touches)


def _strength(grey: np.ndarray, is_light: bool) -> np.ndarray:
    """By how much each pixel differs from its background (H, W): of 0..1, for dark ink a share of the light there."""
    background = _background(grey, is_light)
    if is_light:
        return np.asarray(np.clip(grey - background, 0, 1))
    background = np.maximum(background, _DARKEST_PAPER * background.max())
    return np.asarray(np.clip(1 - grey / np.maximum(background, 1e-3), 0, 1))


def _background(grey: np.ndarray, is_light: bool) -> np.ndarray:
    H, W = grey.shape
    scale = min(1.0, _SMALL_SIDE / max(H, W))
    size = (max(1, round(W * scale)), max(1, round(H * scale)))
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    element = max(3, round(_ELEMENT * max(size)))
    cleared = (ndimage.grey_opening if is_light else ndimage.grey_closing)(small, size=element)
    if scale == 1:
        return np.asarray(cleared)
    return np.asarray(Image.fromarray(cleared).resize((W, H), Image.Resampling.BILINEAR))


def _noise(grey: np.ndarray) -> float:
    """The deviation of noise, from the median difference of neighbours: most pixels are not at an edge."""
    differences = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    return float(1.4826 * np.median(differences) / np.sqrt(2))


def _peak(values: np.ndarray, side: int) -> float:
    """What the strongest reach, but for a few: the finest digit has more pixels than a tenth of the side."""
    n = min(values.size, 1 + side // 10)
    return float(np.partition(values, values.size - n)[values.size - n])


def otsu(values: np.ndarray) -> float:
    """The threshold of 0..1 that parts values into the two classes with the most variance between them."""
    counts, edges = np.histogram(values, 256, (0, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = values.size - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + np.nanargmax(between)]) if np.isfinite(between).any() else 0.5
