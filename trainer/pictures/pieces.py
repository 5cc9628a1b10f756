"""Which pieces of ink make the digit: not specks, frames, page edges or shadows that come in from the border.

Pieces are sets of connected pixels, diagonal ones included.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_CONNECTED = np.ones((3, 3), bool)
_SPECK = 0.02
"""A piece with a smaller share of the largest one's pixels is a speck."""
_NEAR = 0.35
"""A piece further from the main one than this share of its box's longer side is something else."""
_MOST_PIECES = 200
"""Of more the smallest are left out: noise has thousands, and each is compared with each other."""


@dataclass(frozen=True)
class Box:
    """Rows top..bottom and columns left..right, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def longer(self) -> int:
        return max(self.height, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def gap(self, other: "Box") -> int:
        """Pixels between the two, along the axis on which they are further apart; 0 if they overlap."""
        rows = max(other.top - self.bottom, self.top - other.bottom)
        columns = max(other.left - self.right, self.left - other.right)
        return max(rows, columns, 0)

    def union(self, other: "Box") -> "Box":
        return Box(
            min(self.top, other.top), max(self.bottom, other.bottom),
            min(self.left, other.left), max(self.right, other.right),
        )  # fmt: skip

    def grown(self, by: int, shape: tuple[int, ...]) -> "Box":
        """So many pixels more on each side, within a picture of this shape."""
        H, W = shape
        return Box(max(0, self.top - by), min(H, self.bottom + by), max(0, self.left - by), min(W, self.right + by))

    def touches(self, shape: tuple[int, ...]) -> bool:
        """Whether it reaches the border of a picture of this shape."""
        H, W = shape
        return self.top == 0 or self.left == 0 or self.bottom == H or self.right == W


@dataclass(frozen=True)
class Piece:
    label: int
    box: Box
    area: int


def box_of(mask: np.ndarray) -> Box:
    """The smallest box around what is set; something is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def pieces_of(mask: np.ndarray) -> tuple[np.ndarray, list[Piece]]:
    """The pieces' labels (H, W), 0 for none, and the pieces, largest first."""
    labels, n = ndimage.label(mask, _CONNECTED)
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    boxes = [Box(r.start, r.stop, c.start, c.stop) for r, c in ndimage.find_objects(labels)]
    pieces = [Piece(label, box, int(areas[label])) for label, box in enumerate(boxes, 1)]
    return labels, sorted(pieces, key=lambda piece: -piece.area)


def digit_pieces(labels: np.ndarray, pieces: list[Piece]) -> list[Piece]:
    """Those of one digit: the main piece, and what lies near it and is no speck. Some are given, largest first."""
    pieces = pieces[:_MOST_PIECES]
    inner = [piece for piece in pieces if not piece.box.touches(labels.shape)]
    if not any(_is_of_account(piece, pieces[0], labels.shape) for piece in inner):
        inner = pieces
    inner = _without_frames(labels, inner)
    main, *others = sorted(inner, key=lambda piece: -piece.area * piece.box.longer)
    kept, box = [main], main.box
    for piece in sorted(others, key=lambda piece: main.box.gap(piece.box)):
        if piece.area >= _SPECK * main.area and box.gap(piece.box) <= _NEAR * main.box.longer:
            kept.append(piece)
            box = box.union(piece.box)
    return kept


def _is_of_account(piece: Piece, largest: Piece, shape: tuple[int, ...]) -> bool:
    """Whether it may be the digit, where larger pieces that touch the border may be."""
    return piece.area >= 0.01 * largest.area and piece.box.longer >= 0.1 * max(shape)


def _without_frames(labels: np.ndarray, pieces: list[Piece]) -> list[Piece]:
    """Without lines drawn around the digit: such a piece fills the edges of its box, and another one lies within it."""
    kept = [piece for piece in pieces if not _is_frame(labels, piece, pieces)]
    return kept or pieces


def _is_frame(labels: np.ndarray, piece: Piece, pieces: list[Piece]) -> bool:
    box = piece.box
    within = [other.box for other in pieces if other is not piece and box.union(other.box) == box]
    if not any(inside.longer >= 0.25 * box.longer for inside in within):
        return False
    mask = labels[box.slices] == piece.label
    near = max(1, round(0.04 * box.longer))
    edges = (mask[:near].any(0), mask[-near:].any(0), mask[:, :near].any(1), mask[:, -near:].any(1))
    return all(edge.mean() > 0.8 for edge in edges)
