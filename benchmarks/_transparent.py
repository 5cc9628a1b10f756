"""Pictures of a digit with transparency, such as cards, cut-outs and drawings, each beside its opaque form."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

BLACK, WHITE, RED = (0.08, 0.08, 0.08), (1.0, 1.0, 1.0), (0.85, 0.1, 0.1)
SIDE_OF_LARGE = 1280
"""Pixels a side of a picture that `trainer/pictures/opening.py` reduces."""
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture with transparency, and the same picture flattened onto what surrounds its digit."""

    picture: Image.Image
    opaque: Image.Image


def pair(colour: np.ndarray, alpha: np.ndarray, paper: Colour = WHITE) -> Pair:
    """The pair of a colour (H, W, 3) and an opacity (H, W), both float of 0..1."""
    flat = colour * alpha[..., None] + np.array(paper) * (1 - alpha[..., None])
    return Pair(Image.fromarray(_bytes(np.dstack([colour, alpha]))), Image.fromarray(_bytes(flat)))


def on_paper(ink: np.ndarray, pen: Colour = BLACK, paper: Colour = WHITE) -> np.ndarray:
    """The colour (H, W, 3) of a digit drawn on opaque paper; `ink` is (H, W) of 0..1."""
    drawn_on: np.ndarray = np.array(pen) * ink[..., None] + np.array(paper) * (1 - ink[..., None])
    return drawn_on


def card(ink: np.ndarray, shape: Callable[[ImageDraw.ImageDraw, int, int], None], pen: Colour, paper: Colour) -> Pair:
    """An opaque card on transparency; `shape` draws it into a mask of this width and height."""
    H, W = ink.shape
    mask = Image.new("L", (4 * W, 4 * H), 0)
    shape(ImageDraw.Draw(mask), 4 * W - 1, 4 * H - 1)
    alpha = np.asarray(mask.resize((W, H), Image.Resampling.BOX), np.float64) / 255
    return pair(on_paper(ink, pen, paper), alpha, paper)


def drawn(ink: np.ndarray, pen: Colour, paper: Colour = WHITE) -> Pair:
    """Ink of one colour on transparency."""
    return pair(_filled(ink, pen), ink, paper)


def bordered(ink: np.ndarray) -> Pair:
    """A card with rounded corners and a black line along its edge."""
    H, W = ink.shape
    line = Image.new("L", (W, H))
    ImageDraw.Draw(line).rounded_rectangle((0, 0, W - 1, H - 1), min(H, W) // 5, outline=255, width=3)
    inked = np.maximum(ink, np.asarray(line, np.float64) / 255)
    return card(inked, rounded, BLACK, WHITE)


def rounded(draw: ImageDraw.ImageDraw, right: int, bottom: int) -> None:
    draw.rounded_rectangle((0, 0, right, bottom), min(right, bottom) // 5, fill=255)


def disc(draw: ImageDraw.ImageDraw, right: int, bottom: int) -> None:
    draw.ellipse((0, 0, right, bottom), fill=255)


def inset(draw: ImageDraw.ImageDraw, right: int, bottom: int) -> None:
    draw.rectangle((right // 10, bottom // 10, right - right // 10, bottom - bottom // 10), fill=255)


def one_pixel(ink: np.ndarray) -> Pair:
    """Opaque but for one pixel."""
    alpha = np.ones_like(ink)
    alpha[0, 0] = 250 / 255
    return pair(on_paper(ink), alpha)


def edge_column(ink: np.ndarray) -> Pair:
    """Opaque but for a column at the edge."""
    alpha = np.ones_like(ink)
    alpha[:, -1] = 128 / 255
    return pair(on_paper(ink), alpha)


def keyed_out(ink: np.ndarray) -> Pair:
    """What is nearly white was made transparent; the soft edge of the ink stays opaque."""
    colour = on_paper(ink)
    return pair(colour, (colour[..., 0] < 0.9).astype(float))


def wand(ink: np.ndarray) -> Pair:
    """The paper outside was made transparent, holes within the digit are still white."""
    colour = on_paper(ink)
    return pair(colour, ndimage.binary_fill_holes(colour[..., 0] < 0.9).astype(float))


def keyed_photo(ink: np.ndarray) -> Pair:
    """Grey, uneven, noisy paper that was made transparent by a threshold: specks of it are left."""
    light = np.linspace(0.75, 0.95, ink.shape[1])[None]
    noise = np.random.default_rng(0).normal(0, 0.04, ink.shape)
    grey = np.clip((1 - 0.85 * ink) * light + noise, 0, 1)
    colour = np.repeat(grey[..., None], 3, 2)
    return pair(colour, (grey < 0.72).astype(float), (0.85, 0.85, 0.85))


def photo_card(ink: np.ndarray) -> Pair:
    """A photograph of a page under uneven light, with rounded corners."""
    light = np.linspace(0.55, 0.95, ink.shape[1])[None]
    grey = np.clip((1 - 0.7 * ink) * light + np.random.default_rng(1).normal(0, 0.015, ink.shape), 0, 1)
    flat = np.repeat(grey[..., None], 3, 2)
    alpha = np.asarray(card(ink, rounded, BLACK, WHITE).picture.getchannel("A"), np.float64) / 255
    return Pair(Image.fromarray(_bytes(np.dstack([flat, alpha]))), Image.fromarray(_bytes(flat)))


def fading(ink: np.ndarray) -> Pair:
    """Red ink whose opacity falls from left to right."""
    return pair(_filled(ink, RED), ink * np.linspace(1, 0.4, ink.shape[1])[None])


def gradient_ink(ink: np.ndarray) -> Pair:
    """Ink from black at the top to white at the bottom; black on white where it is opaque."""
    ramp = np.repeat(np.linspace(0, 1, ink.shape[0])[:, None], ink.shape[1], 1)
    return Pair(pair(np.repeat(ramp[..., None], 3, 2), ink).picture, drawn(ink, BLACK).opaque)


def shadowed(ink: np.ndarray, pen: Colour, paper: Colour) -> Pair:
    """Ink with a soft black shadow, on transparency."""
    shadow = 0.5 * np.clip(ndimage.gaussian_filter(ndimage.shift(ink, (3, 3), order=0), 3), 0, 1)
    alpha = ink + shadow * (1 - ink)
    colour = np.array(pen) * (ink / np.maximum(alpha, 1e-6))[..., None]
    return pair(colour, alpha, paper)


def shadowed_card(ink: np.ndarray) -> Pair:
    """A window's screenshot: an opaque card with a soft shadow around it in a transparent margin."""
    H = len(ink)
    padded = np.pad(ink, H // 6)
    solid = np.pad(np.ones_like(ink), H // 6)
    shadow = 0.5 * ndimage.gaussian_filter(ndimage.shift(solid, (4, 0), order=0), H / 20)
    alpha = np.maximum(solid, shadow)
    colour = on_paper(padded) * solid[..., None]
    return Pair(pair(colour, alpha).picture, Image.fromarray(_bytes(on_paper(padded))))


def outlined(ink: np.ndarray) -> Pair:
    """White ink with a black outline of a few pixels."""
    wide = ndimage.maximum_filter(ink, footprint=np.hypot(*np.ogrid[-4:5, -4:5]) <= 4)
    colour = np.repeat(ink[..., None], 3, 2)
    return Pair(pair(colour, wide).picture, drawn(ink, BLACK).opaque)


def stencil(ink: np.ndarray) -> Pair:
    """A digit cut out of an opaque white card."""
    return pair(np.ones((*ink.shape, 3)), 1 - ink, (0.0, 0.0, 0.0))


def glass(ink: np.ndarray) -> Pair:
    """Black ink on a white card that is half transparent."""
    alpha = 0.5 + 0.5 * ink
    return pair(on_paper(ink), alpha)


def vignette(ink: np.ndarray) -> Pair:
    """A page that fades to nothing at its edges."""
    y, x = (np.abs(np.linspace(-1, 1, n)) for n in ink.shape)
    return pair(on_paper(ink), np.clip(4 * (1 - np.maximum(y[:, None], x[None])), 0, 1))


def hidden_colours(ink: np.ndarray) -> Pair:
    """Noise is kept where nothing is visible."""
    noise = np.random.default_rng(2).random((*ink.shape, 3))
    colour = np.where(ink[..., None] > 0, np.array(BLACK), noise)
    return pair(colour, ink)


def premultiplied(ink: np.ndarray) -> Pair:
    """A card with soft corners whose colours were multiplied by its opacity, and saved so by mistake."""
    made = card(ink, disc, BLACK, WHITE)
    values = np.asarray(made.picture, np.float64) / 255
    values[..., :3] *= values[..., 3:]
    return Pair(Image.fromarray(_bytes(values)), made.opaque)


def palette(ink: np.ndarray, pen: Colour, paper: Colour) -> Pair:
    """A palette with opacities (PNG's tRNS): ink on transparency."""
    levels = Image.fromarray(_bytes(ink)).quantize(16).convert("L")
    indexed = Image.fromarray(np.asarray(levels) // 16).convert("P")
    indexed.putpalette(_bytes(np.array(pen)).tolist() * 16)
    return Pair(_reopened(indexed, transparency=bytes(17 * n for n in range(16))), drawn(ink, pen, paper).opaque)


def palette_card(ink: np.ndarray) -> Pair:
    """A palette of which one entry is transparent, as in a GIF: a card with rounded corners."""
    made = card(ink, rounded, BLACK, WHITE)
    indexed = made.opaque.convert("L").quantize(32)
    indices = np.array(indexed)
    indices[np.asarray(made.picture.getchannel("A")) < 128] = 255
    keyed = Image.fromarray(indices).convert("P")
    keyed.putpalette((indexed.getpalette() or []) + [0] * (3 * (256 - 32)))
    return Pair(_reopened(keyed, transparency=255), made.opaque)


def keyed_colour(ink: np.ndarray) -> Pair:
    """An RGB file that names white as its transparent colour, larger than what is worked on."""
    flat = Image.fromarray(_bytes(on_paper(ink))).resize((SIDE_OF_LARGE, SIDE_OF_LARGE), Image.Resampling.BICUBIC)
    return Pair(_reopened(flat, transparency=(255, 255, 255)), flat)


def grey_alpha(made: Pair) -> Pair:
    """The picture in mode LA."""
    return Pair(made.picture.convert("LA"), made.opaque)


def _reopened(image: Image.Image, transparency: object) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "PNG", transparency=transparency)
    opened = Image.open(io.BytesIO(content.getvalue()))
    opened.load()
    return opened


def thin(ink: np.ndarray) -> np.ndarray:
    """The middle of the strokes, a pixel or two wide."""
    mask = ink > 0.5
    distance = ndimage.distance_transform_edt(mask)
    return np.asarray(mask & (distance >= ndimage.maximum_filter(distance, 3) - 0.5), np.float64)


def small(ink: np.ndarray) -> np.ndarray:
    """A thin digit on a larger page."""
    return np.pad(thin(ink), len(ink) // 4)


def sharp(ink: np.ndarray) -> np.ndarray:
    """Edges of a pixel or two."""
    return np.clip(4 * (ink - 0.5) + 0.5, 0, 1)


def hard(ink: np.ndarray) -> np.ndarray:
    """Edges without any step between."""
    return np.asarray(ink > 0.5, np.float64)


def trimmed(ink: np.ndarray) -> np.ndarray:
    """The ink without a margin, as drawing programs export it."""
    rows, columns = np.flatnonzero((ink > 0.1).any(1)), np.flatnonzero((ink > 0.1).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _filled(ink: np.ndarray, pen: Colour) -> np.ndarray:
    return np.broadcast_to(np.array(pen), (*ink.shape, 3))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
