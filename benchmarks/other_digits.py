"""How a shipped network reads digits of other origin, and what finding and framing them is worth.

    python -m benchmarks.other_digits --model DIR --out FILE.md [--data-dir DIR] [--sheets DIR] [--seed 0] [--date DAY]

Each picture is read twice: after `trainer.pictures.seeing.see`, as `predict` does it, and naively, merely resized to
28x28 and inverted where its border is light. A picture in which no digit is found counts as wrong. With `--sheets` the
pictures that were misread are drawn, an image for each origin, beside what the network saw.
"""

import argparse
import datetime
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from benchmarks._foreign import (
    MOST_FONTS,
    font_files,
    mnist_as_files,
    mnist_enlarged,
    penned_digits,
    printed_digits,
)
from benchmarks._report import machine_line, write
from models.errors import MnistSearchError
from trainer.data.find import data_folder
from trainer.data.images import load_idx_dataset
from trainer.inference.model import open_model
from trainer.pictures.framing import SIDE, Framing, framing_of
from trainer.pictures.origins import LabelledPicture, scanned_digits
from trainer.pictures.seeing import see

COLUMNS = ("origin", "n", "accuracy", "naive", "not found", "unchanged", "most frequent mistakes")
EVERY_ENLARGED = 10
_BATCH = 500
_MOST_MISTAKES = 4
_MOST_ON_A_SHEET = 60
_TILE = 84

Logits = Callable[[np.ndarray], np.ndarray]


@dataclass
class Reading:
    """What a network made of the pictures of one origin."""

    n: int = 0
    n_right: int = 0
    n_naive_right: int = 0
    n_not_found: int = 0
    n_unchanged: int = 0
    """Of pictures of 28x28: those that come out pixel by pixel as they were."""
    mistakes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How often a digit was read as another."""
    wrong: list[np.ndarray] = field(default_factory=list)
    """Tiles (84, 168) uint8 of the first that were misread: the picture, and what the network saw."""


def read(pictures: Iterable[LabelledPicture], framing: Framing, logits: Logits) -> Reading:
    """All the pictures read both ways."""
    reading = Reading()
    left = iter(pictures)
    while some := list(islice(left, _BATCH)):
        naive = logits(np.stack([naively(one.picture) for one in some])).argmax(1)
        reading.n_naive_right += sum(int(a) == one.label for a, one in zip(naive, some, strict=True))
        _count(reading, some, framing, logits)
    return reading


def naively(picture: Image.Image) -> np.ndarray:
    """A picture (28, 28) uint8, merely resized, and inverted where most of its border is light."""
    pixels = np.asarray(picture.convert("L").resize((SIDE, SIDE)))
    border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    return 255 - pixels if np.median(border) > 127 else pixels


def row(origin: str, reading: Reading) -> tuple[str, ...]:
    """A line of the table."""
    worst = ", ".join(f"{a}→{b} {k}" for (a, b), k in reading.mistakes.most_common(_MOST_MISTAKES)) or "none"
    shares = (f"{100 * right / reading.n:.2f} %" for right in (reading.n_right, reading.n_naive_right))
    unchanged = f"{reading.n_unchanged:,}" if reading.n_unchanged else "–"
    return (origin, f"{reading.n:,}", *shares, f"{reading.n_not_found:,}", unchanged, worst)


def _count(reading: Reading, some: list[LabelledPicture], framing: Framing, logits: Logits) -> None:
    found = [(one, pixels) for one in some if (pixels := _seen(one, framing)) is not None]
    reading.n += len(some)
    reading.n_not_found += len(some) - len(found)
    if not found:
        return
    answers = logits(np.stack([pixels for _, pixels in found])).argmax(1).tolist()
    for (one, pixels), answer in zip(found, answers, strict=True):
        same = one.picture.size == (SIDE, SIDE) and np.array_equal(np.asarray(one.picture), pixels)
        reading.n_unchanged += same
        reading.n_right += answer == one.label
        if answer != one.label:
            reading.mistakes[one.label, answer] += 1
            if len(reading.wrong) < _MOST_ON_A_SHEET:
                reading.wrong.append(_tile(one.picture, pixels))


def _seen(one: LabelledPicture, framing: Framing) -> np.ndarray | None:
    try:
        return see(one.picture, framing)
    except MnistSearchError:
        return None


def _tile(picture: Image.Image, pixels: np.ndarray) -> np.ndarray:
    seen = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.NEAREST)
    return np.hstack([np.asarray(picture.convert("L").resize((_TILE, _TILE))), np.asarray(seen)])


def _draw_sheet(tiles: list[np.ndarray], path: Path) -> None:
    """Six pictures a line, each beside what the network saw."""
    filled = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
    lines = [np.hstack(filled[at : at + 6]) for at in range(0, len(filled), 6)]
    Image.fromarray(np.vstack(lines)).save(path)


def _origins(data_dir: Path | None, seed: int) -> Iterator[tuple[str, Iterable[LabelledPicture]]]:
    files = font_files(random.Random(seed))
    mnist = load_idx_dataset("mnist", data_folder(data_dir)).test
    yield "scikit-learn's scans of 8x8, enlarged to 160x160", scanned_digits()
    yield (
        f"{len(files) + 1} fonts: 2 sizes, both ways round, turned, noisy or unevenly lit",
        printed_digits(files, random.Random(seed + 1)),
    )
    yield "pen strokes, thin to bold", penned_digits(random.Random(seed + 2), by_camera=False)
    yield "pen strokes as a camera sees them, JPEG", penned_digits(random.Random(seed + 3), by_camera=True)
    yield f"every {EVERY_ENLARGED}th MNIST test image, enlarged, dark on light", mnist_enlarged(mnist, EVERY_ENLARGED)
    yield "MNIST's test images, as they are", mnist_as_files(mnist)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today())
    options = parser.parse_args()
    model, rows = open_model(options.model), []
    for number, (origin, pictures) in enumerate(_origins(options.data_dir, options.seed)):
        reading = read(pictures, framing_of(model.dataset), model.logits)
        rows.append(row(origin, reading))
        print(*rows[-1], sep=" | ", flush=True)
        if options.sheets and reading.wrong:
            options.sheets.mkdir(parents=True, exist_ok=True)
            _draw_sheet(reading.wrong, options.sheets / f"{number}.png")
    write(options.out, _heading(options), COLUMNS, rows)


def _heading(options: argparse.Namespace) -> str:
    command = f"python -m benchmarks.other_digits --model {options.model} --out {options.out.name}"
    return (
        "# Digits of other origin\n\n"
        f"{machine_line(options.date)}, Pillow {PIL.__version__}, numpy {np.__version__}.\n"
        f"`{command} --seed {options.seed}`\n\n"
        "Accuracy is that of what `predict` does: find the digit, frame it as MNIST's were. Naive is the same picture\n"
        "resized to 28x28, and inverted where its border is light. A digit that is not found counts as wrong.\n"
        "Unchanged are pictures of 28x28 that come out as they went in. The pen strokes are drawn by a program along\n"
        f"points put down by hand, and no person's writing; of more than {MOST_FONTS} fonts so many are sampled.\n"
    )


if __name__ == "__main__":
    main()
