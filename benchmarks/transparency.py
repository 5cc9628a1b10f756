"""How `predict` reads pictures with transparency, beside the same pictures without it.

    python -m benchmarks.transparency --model DIR --before COMMIT [--data-dir DIR] [--out FILE.md] [--date DAY]

Every kind of picture shows the same 40 digits, four MNIST test images of each class enlarged to 140x140 pixels, as PNG.
`mnist-search predict` reads them with their transparency, and flattened onto what surrounds the digit. With the code
of the commit of `--before`, in a git worktree of its own, it reads those with transparency once more. A picture in
which no digit is found counts as wrong. Writes `benchmarks/results/transparency.md`.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from benchmarks import _transparent as made
from benchmarks._report import machine_line, write
from benchmarks._transparent import BLACK, RED, WHITE, Pair, card, drawn
from trainer.data.find import data_folder
from trainer.data.images import Images, load_idx_dataset

RESULTS = Path(__file__).parent / "results" / "transparency.md"
ROOT = Path(__file__).parent.parent
COLUMNS = ("picture", "n", "right, opaque", "right, with transparency", "before")
EACH, SIDE, MARGIN = 4, 140, 10
_DARK = (0.0, 0.0, 0.0)
_COMMAND = (sys.executable, "-c", "from search.cli import main; main()", "predict")

KINDS: dict[str, Callable[[np.ndarray], Pair]] = {
    "opaque but for one pixel of alpha 250, thin digit": lambda ink: made.one_pixel(made.small(ink)),
    "opaque but for a column of alpha 128 at the edge, thin digit": lambda ink: made.edge_column(made.small(ink)),
    "card with rounded corners": lambda ink: card(ink, made.rounded, BLACK, WHITE),
    "card with rounded corners, thin digit": lambda ink: card(made.small(ink), made.rounded, BLACK, WHITE),
    "black card with rounded corners, white digit": lambda ink: card(ink, made.rounded, WHITE, BLACK),
    "yellow card with rounded corners, red digit": lambda ink: card(ink, made.rounded, RED, (0.95, 0.85, 0.3)),
    "card with rounded corners and a black border": made.bordered,
    "card with a transparent margin": lambda ink: card(ink, made.inset, BLACK, WHITE),
    "card with a transparent margin, thin digit": lambda ink: card(made.small(ink), made.inset, BLACK, WHITE),
    "disc, thin digit": lambda ink: card(made.small(ink), made.disc, BLACK, WHITE),
    "photograph with rounded corners": lambda ink: made.photo_card(np.pad(ink, len(ink) // 4)),
    "window with a soft shadow around it, thin digit": lambda ink: made.shadowed_card(made.small(ink)),
    "page that fades out at its edges, thin digit": lambda ink: made.vignette(made.small(ink)),
    "card that is half transparent": made.glass,
    "card whose colours were multiplied by its opacity": made.premultiplied,
    "digit cut out of a card": made.stencil,
    "black on transparent": lambda ink: drawn(ink, BLACK),
    "black on transparent, hard edges": lambda ink: drawn(made.hard(ink), BLACK),
    "black on transparent, thin": lambda ink: drawn(made.thin(ink), BLACK),
    "black on transparent, trimmed": lambda ink: drawn(made.trimmed(ink), BLACK),
    "black on transparent, noise in what is hidden": made.hidden_colours,
    "white on transparent": lambda ink: drawn(ink, WHITE, _DARK),
    "white on transparent, thin": lambda ink: drawn(made.thin(ink), WHITE, _DARK),
    "white on transparent, trimmed": lambda ink: drawn(made.trimmed(ink), WHITE, _DARK),
    "grey on transparent": lambda ink: drawn(ink, (0.5, 0.5, 0.5)),
    "red on transparent, opacity falling": made.fading,
    "black to white on transparent": made.gradient_ink,
    "black to white on transparent, trimmed": lambda ink: made.gradient_ink(made.trimmed(ink)),
    "black with a soft shadow": lambda ink: made.shadowed(ink, BLACK, WHITE),
    "white with a soft shadow": lambda ink: made.shadowed(ink, WHITE, (0.6, 0.6, 0.6)),
    "white with a black outline": made.outlined,
    "background keyed out": made.keyed_out,
    "background keyed out, sharp edges": lambda ink: made.keyed_out(made.sharp(ink)),
    "background keyed out, but not in holes": made.wand,
    "background keyed out, but not in holes, sharp edges": lambda ink: made.wand(made.sharp(ink)),
    "grey noisy background keyed out": made.keyed_photo,
    "palette with opacities (tRNS), black": lambda ink: made.palette(ink, BLACK, WHITE),
    "palette with opacities (tRNS), white": lambda ink: made.palette(ink, WHITE, _DARK),
    "palette, one entry transparent: a card": made.palette_card,
    "grey and alpha (LA): a card": lambda ink: made.grey_alpha(card(ink, made.rounded, BLACK, WHITE)),
    "grey and alpha (LA): white on transparent": lambda ink: made.grey_alpha(drawn(ink, WHITE, _DARK)),
    "RGB of 1280x1280 in which white is transparent": made.keyed_colour,
}
"""How a digit's ink (H, W) of 0..1 becomes a picture, by kind."""


def inks(images: Images, side: int, margin: int) -> Iterator[tuple[np.ndarray, int]]:
    """The ink (H, W) of 0..1 and the label of the first images of each class, enlarged and with a margin."""
    labels = images.labels.numpy()
    for digit in range(10):
        for number in np.flatnonzero(labels == digit)[:EACH]:
            large = Image.fromarray(images.pixels[number].numpy()).resize((side, side), Image.Resampling.BICUBIC)
            yield np.pad(np.asarray(large, np.float64) / 255, margin), digit


def _write_pictures(images: Images, opaque: Path, transparent: Path) -> None:
    """Writes each picture into both folders, under a name that begins with the numbers of its kind and its digit."""
    for folder in (opaque, transparent):
        folder.mkdir()
    for kind, make in enumerate(KINDS.values()):
        for number, (ink, digit) in enumerate(inks(images, SIDE, MARGIN)):
            both, name = make(ink), f"{kind}-{digit}-{number}.png"
            both.opaque.save(opaque / name)
            both.picture.save(transparent / name)


def _n_right(folder: Path, model: Path, code: Path = ROOT) -> Counter[int]:
    """How many pictures of each kind `predict` reads right, as it is in a working tree."""
    command = [*_COMMAND, str(model.absolute()), str(folder), "--json"]
    there = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run(command, cwd=code, env=there, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 2):  # 2: some showed no digit, to the program of old
        raise SystemExit(f"{code}: predict ended with exit code {done.returncode}")
    right: Counter[int] = Counter()
    for row in json.loads(done.stdout):
        if row.get("answer") is not None:
            kind, digit, _ = Path(row["name"]).stem.split("-")
            right[int(kind)] += row["answer"] == digit
    return right


def _n_right_before(commit: str, folder: Path, model: Path, place: Path) -> Counter[int]:
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(place), commit], cwd=ROOT, check=True)
    try:
        return _n_right(folder, model, place)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(place)], cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--before", required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today())
    options = parser.parse_args()
    images = load_idx_dataset("mnist", data_folder(options.data_dir)).test
    with tempfile.TemporaryDirectory() as temporary:
        opaque, transparent = Path(temporary) / "opaque", Path(temporary) / "transparent"
        _write_pictures(images, opaque, transparent)
        shares = [
            _n_right(opaque, options.model),
            _n_right(transparent, options.model),
            _n_right_before(options.before, transparent, options.model, Path(temporary) / "code"),
        ]
    n = 10 * EACH
    rows = [(kind, f"{n}", *(f"{share[number]}" for share in shares)) for number, kind in enumerate(KINDS)]
    total = ("all", f"{n * len(KINDS):,}", *(f"{share.total():,}" for share in shares))
    write(options.out, _heading(options), COLUMNS, [*rows, total])


def _heading(options: argparse.Namespace) -> str:
    command = f"python -m benchmarks.transparency --model {options.model} --before {options.before}"
    return (
        "# Pictures with transparency\n\n"
        f"{machine_line(options.date)}, Pillow {PIL.__version__}, numpy {np.__version__}.\n"
        f"`MNIST_SEARCH_DATA=DIR {command}`\n\n"
        f"Every row shows the same {10 * EACH} digits, {EACH} MNIST test images of each class, enlarged to\n"
        f"{SIDE}x{SIDE} pixels and saved as PNG. The numbers are how many of them `mnist-search predict` reads right:\n"
        "flattened onto what surrounds the digit, with their transparency, and with their transparency by the code of\n"
        f"commit `{options.before}`. A picture in which no digit is found counts as wrong. The rules were chosen\n"
        "while looking at pictures of these kinds, so the numbers flatter.\n"
    )


if __name__ == "__main__":
    main()
