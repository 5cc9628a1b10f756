"""Pictures of digits that MNIST's makers had no hand in: fonts, pens, and MNIST's own as somebody might save them."""

import io
import random
import subprocess
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFont, ImageOps

from benchmarks._pens import HANDS, drawn, photographed
from trainer.data.images import Images
from trainer.pictures.origins import LabelledPicture, drawn_digit

FONT_SIZES = (24, 100)
MOST_FONTS = 60
"""More are sampled down to so many: a picture takes 20 to 40 ms."""
MOST_DEGREES = 8.0
ROUNDS_OF_PENS = 10
PENS = (0.012, 0.06)
"""The pen's width, as a share of the digit's height: a fine liner to a felt pen."""
SIDES = (150, 600)
ENLARGED_SIDE = 200
_DIGITS = range(10)
_FC_LIST = ("fc-list", ":lang=en:scalable=true", "file")


def font_files(rng: random.Random) -> list[str]:
    """The system's fonts that hold Latin text, at most 60 of them; none where fontconfig is not installed."""
    try:
        listed = subprocess.run(_FC_LIST, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    files = sorted({line.rstrip(": ") for line in listed.splitlines()})
    files = [file for file in files if file.endswith((".ttf", ".otf", ".ttc"))]
    return files if len(files) <= MOST_FONTS else sorted(rng.sample(files, MOST_FONTS))


def printed_digits(files: list[str], rng: random.Random) -> Iterator[LabelledPicture]:
    """Every digit of every font and of Pillow's own in two sizes, both ways round, turned by up to 8 degrees.

    A third is clean, a third noisy, a third under uneven light with a little noise.
    """
    for file in [None, *files]:
        for size in FONT_SIZES:
            font = ImageFont.load_default(size) if file is None else ImageFont.truetype(file, size)
            for digit in _DIGITS:
                picture = drawn_digit(font, digit, rng.uniform(-MOST_DEGREES, MOST_DEGREES))
                for upright in (picture, ImageOps.invert(picture)):
                    yield LabelledPicture(_spoilt(upright, rng), digit)


def penned_digits(rng: random.Random, by_camera: bool) -> Iterator[LabelledPicture]:
    """Every hand 10 times, no two alike, dark on light; seen by a camera and saved as JPEG, or plain."""
    for digit, hands in HANDS.items():
        for hand in range(len(hands)):
            for _ in range(ROUNDS_OF_PENS):
                picture = drawn(digit, hand, rng, rng.randint(*SIDES), rng.uniform(*PENS))
                yield LabelledPicture(as_jpeg(photographed(picture, rng), 75) if by_camera else picture, digit)


def mnist_as_files(images: Images) -> Iterator[LabelledPicture]:
    """The images as they are, 28x28 pixels, light on black."""
    for pixels, label in zip(images.pixels.numpy(), images.labels.tolist(), strict=True):
        yield LabelledPicture(Image.fromarray(pixels), label)


def mnist_enlarged(images: Images, every: int) -> Iterator[LabelledPicture]:
    """Some of the images enlarged to 200x200, dark on light, with a margin on one side: as scanned from paper."""
    for one in mnist_as_files(Images(images.pixels[::every], images.labels[::every])):
        large = one.picture.resize((ENLARGED_SIDE, ENLARGED_SIDE), Image.Resampling.BICUBIC)
        paper = ImageOps.expand(ImageOps.invert(large), (0, 0, ENLARGED_SIDE // 2, 0), fill=255)
        yield LabelledPicture(paper, one.label)


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture as it is after it was saved."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    with Image.open(content) as opened:
        return opened.copy()


def _spoilt(picture: Image.Image, rng: random.Random) -> Image.Image:
    way = rng.randrange(3)
    if way == 0:
        return picture
    values = np.asarray(picture, np.float32) / 255  # (H, W)
    deviation = rng.uniform(0.02, 0.08) if way == 1 else 0.01
    light = np.ones_like(values) if way == 1 else _uneven(values.shape, rng)
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, deviation, values.shape)
    seen = (0.1 + 0.8 * values) * light + noise
    return Image.fromarray(np.rint(seen.clip(0, 1) * 255).astype(np.uint8))


def _uneven(shape: tuple[int, ...], rng: random.Random) -> np.ndarray:
    """Light (H, W) that falls from 1 on one side to as little as 0.4 on the other."""
    H, W = shape
    least = rng.uniform(0.4, 0.8)
    ramp = np.linspace(least, 1, W)[None].repeat(H, 0) if rng.random() < 0.5 else np.linspace(1, least, H)[:, None]
    return np.asarray(np.broadcast_to(ramp, (H, W)), np.float32)
