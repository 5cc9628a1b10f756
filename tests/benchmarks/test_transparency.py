"""Pictures with transparency are read as well as the same pictures without it: 40 digits of each kind."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from benchmarks._transparent import SIDE_OF_LARGE
from benchmarks.transparency import EACH, KINDS
from models.errors import MnistSearchError
from tests.helpers.pictures import saved
from trainer.inference.model import Model, open_model
from trainer.pictures.framing import framing_of
from trainer.pictures.origins import drawn_digit
from trainer.pictures.seeing import see_file

TURNS_DEGREES = (-9, -3, 3, 9)


@cache
def model() -> Model:
    return open_model(Path(__file__).parents[2] / "docs" / "model")


@cache
def inks() -> list[tuple[np.ndarray, int]]:
    """The ink (H, W) of 0..1 of 40 digits of Pillow's font, each class turned four ways, and their labels."""
    font = ImageFont.load_default(90)
    drawn = [(drawn_digit(font, digit, degrees), digit) for digit in range(10) for degrees in TURNS_DEGREES]
    return [(1 - np.asarray(picture, np.float64) / 255, digit) for picture, digit in drawn]


def n_right(pictures: list[Image.Image], labels: list[int]) -> int:
    """How many are read right; where no digit is found the answer is wrong."""
    found = [(pixels, label) for one, label in zip(pictures, labels, strict=True) if (pixels := seen(one)) is not None]
    answers = model().logits(np.stack([pixels for pixels, _ in found])).argmax(1).tolist()
    return sum(answer == label for answer, (_, label) in zip(answers, found, strict=True))


def seen(picture: Image.Image) -> np.ndarray | None:
    try:
        return see_file(saved(picture), framing_of(model().dataset), "picture")
    except MnistSearchError:
        return None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if str(SIDE_OF_LARGE) not in kind])
def test_as_many_are_right_as_without_transparency(kind: str) -> None:
    labels = [label for _, label in inks()]
    pairs = [KINDS[kind](ink) for ink, _ in inks()]
    assert len(pairs) == 10 * EACH
    opaque = n_right([both.opaque for both in pairs], labels)
    transparent = n_right([both.picture for both in pairs], labels)
    assert opaque >= 0.85 * len(pairs)
    assert transparent >= opaque - 1
