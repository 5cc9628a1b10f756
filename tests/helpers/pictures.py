"""Pictures of digits as people hand them in: drawn, lit, blurred and saved; and how like two results are."""

import io
from itertools import product

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from trainer.pictures.framing import FRAMINGS
from trainer.pictures.seeing import see

MNIST = FRAMINGS["mnist"]


def printed(digit: int = 5, side: int = 200, height: float = 0.6, ink: int = 0, paper: int = 255) -> Image.Image:
    """A digit of Pillow's font in the middle of a square, `height` of its side high; L, dark on light."""
    font = ImageFont.load_default(round(height * side / 0.72))  # of the font's size the digits are 0.72 high
    picture = Image.new("L", (side, side), paper)
    left, top, right, bottom = font.getbbox(str(digit))
    at = (side - right - left) / 2, (side - bottom - top) / 2
    ImageDraw.Draw(picture).text(at, str(digit), fill=ink, font=font)
    return picture


def seven(side: int = 300, pen: int = 3, ink: int = 0, paper: int = 255) -> Image.Image:
    """A 7 of two straight lines, half the side high; L."""
    picture = Image.new("L", (side, side), paper)
    corners = [(0.32 * side, 0.26 * side), (0.66 * side, 0.26 * side), (0.45 * side, 0.76 * side)]
    ImageDraw.Draw(picture).line(corners, fill=ink, width=pen, joint="curve")
    return picture


def lit(picture: Image.Image, light: np.ndarray) -> Image.Image:
    """A picture (H, W) under light (H, W) of 0..1."""
    return Image.fromarray(np.rint(np.asarray(picture, np.float32) * light).astype(np.uint8))


def noisy(picture: Image.Image, deviation: float, seed: int = 0) -> Image.Image:
    """With Gaussian noise, of 255."""
    noise = np.random.default_rng(seed).normal(0, deviation, (picture.height, picture.width))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of the file."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def clean(digit: int = 5) -> np.ndarray:
    """The printed digit as the network sees it, without anything in the way: (28, 28) uint8."""
    return see(printed(digit), MNIST)


def inverted(picture: Image.Image) -> Image.Image:
    return ImageOps.invert(picture)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine between two pictures, one moved by a pixel at most: 1 of equal ones, under 0.8 of two printed digits.

    The centre of mass is put in the middle by whole pixels, so that a hair's breadth may make a pixel.
    """
    x = a.astype(np.float64)
    moved = [np.roll(b.astype(np.float64), by, (0, 1)) for by in product((-1, 0, 1), repeat=2)]
    return float(max((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()) for y in moved))
