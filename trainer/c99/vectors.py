"""Test vectors: images with the logits that the trained network has for them, kept in the C text to check it by."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.c99.integer import IntegerNetwork
from trainer.c99.literals import array, filled, float_literals, int_literals
from trainer.formats.folded import FoldedNetwork

_HEX_WIDTH = 110
_LOOKED_AT = 100


@dataclass(frozen=True, eq=False)
class Vectors:
    """Images (N, 28, 28) uint8 and what is expected of them, (N, 10): float32, and int32 of the integer network."""

    pixels: np.ndarray
    logits: np.ndarray
    integer_logits: np.ndarray
    """All 0 where there is no integer network."""

    @classmethod
    def of(cls, network: FoldedNetwork, integer: IntegerNetwork | None, pixels: torch.Tensor) -> "Vectors":
        """What the networks say of these images. Raises MnistSearchError without any."""
        if not len(pixels):
            raise MnistSearchError("test vectors need images: none were given")
        with torch.no_grad():
            # In float64: what is left of the order of sums, which depends on threads, is then lost in float32.
            logits = network.module().double()(pixels.cpu().unsqueeze(1).double() / 255).float().numpy()
        whole = np.zeros(logits.shape, np.int32) if integer is None else integer.logits(pixels)
        return cls(pixels.cpu().numpy(), logits, whole)


def one_of_each(pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """An image of each class that there is, in the order of the classes: the one that is told in the least text.

    It is looked for among the first hundred of its class.
    """
    chosen = []
    for label in labels.unique():
        of_class = (labels == label).nonzero()[:_LOOKED_AT, 0]
        chosen.append(min(of_class.tolist(), key=lambda number: _area(pixels[number])))
    return pixels[chosen]


def _area(image: torch.Tensor) -> int:
    """Pixels of the rectangle outside of which all is 0."""
    rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
    return int((rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)) if len(rows) else 0


def vectors_text(vectors: Vectors) -> str:
    """The array `vectors` of C."""
    together = zip(vectors.pixels, vectors.logits, vectors.integer_logits, strict=True)
    return array("Vector vectors[]", [("", [_vector(*one)]) for one in together])


def _vector(pixels: np.ndarray, logits: np.ndarray, integer_logits: np.ndarray) -> str:
    """An element of it: only the rectangle outside of which all is 0 is told."""
    rows, columns = np.nonzero(pixels.any(1))[0], np.nonzero(pixels.any(0))[0]
    top, left = (int(rows[0]), int(columns[0])) if len(rows) else (0, 0)
    inner = pixels[top : rows[-1] + 1, left : columns[-1] + 1] if len(rows) else pixels[:0, :0]
    lines = [f"{{{top}, {left}, {inner.shape[1]},", *_pixel_lines(inner)]
    lines += [*_brace(float_literals(logits)), *_brace(int_literals(integer_logits))]
    return "\n".join(lines)[:-1] + "}"


def _brace(values: list[str]) -> list[str]:
    """A list in braces; ten floats may be too long for one line."""
    text = "\n  ".join(filled(values, width=110))[:-1]
    return f" {{{text}}},".split("\n")


def _pixel_lines(pixels: np.ndarray) -> Iterator[str]:
    """Strings of whole rows; C joins them."""
    n_rows = max(1, _HEX_WIDTH // max(1, 2 * pixels.shape[1]))
    parts = [pixels[at : at + n_rows] for at in range(0, len(pixels), n_rows)]
    lines = [f' "{part.tobytes().hex()}"' for part in parts] or [' ""']
    yield from lines[:-1]
    yield lines[-1] + ","
