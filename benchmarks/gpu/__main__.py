"""All that is promised of GPUs, checked and timed in one call of under nine minutes.

    python -m benchmarks.gpu --data-dir DIR [--out FILE]

One table is printed last, and written to FILE. Torch, numpy and scipy are enough; with the product's other dependencies
the whole `mnist-search run --trials 200` is timed too. Without a GPU, `--device cpu --trial` sees to it that all of it
runs, on very few images of noise: its numbers mean nothing.
"""

import argparse
import datetime
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks._report import markdown_table
from benchmarks.gpu import (
    accuracy,
    alternatives,
    candidates,
    chip,
    formats,
    kernels,
    operations,
    processes,
    slots,
    truth,
    whole_search,
)
from benchmarks.gpu.setting import Row, Setting
from models.errors import MnistSearchError
from trainer.data.images import load_idx_dataset
from trainer.data.noise import noise_data
from trainer.data.split import split_data
from trainer.hardware.device import prepare_device, resolve_device

SECONDS = 520.0
_COLUMNS = ("what", "measured", "wanted", "at best")


def parts(data_dir: Path | None, keep: Path | None = None) -> dict[str, tuple[float, Callable[[Setting], list[Row]]]]:
    """The parts in their order, with the seconds that must be left for them to begin."""
    return {
        "chip": (0, chip.chip),
        "operations": (0, operations.operations),
        "truth": (0, truth.truth),
        "slots": (0, slots.by_slots),
        "bench": (60, slots.beside_the_sources),
        "candidates": (60, candidates.candidates),
        "forms": (40, slots.by_form),
        "kernels": (10, kernels.kernels),
        "search": (60, partial(whole_search.whole_search, data_dir=data_dir, keep=keep)),
        "accuracy": (30, accuracy.beside_the_cpu),
        "formats": (40, formats.formats),
        "layout": (20, slots.by_layout),
        "steps": (20, slots.by_steps_a_graph),
        "processes": (40, processes.processes),
        "equal": (30, alternatives.equal_networks),
        "triton": (30, alternatives.between_convolutions),
        "to-the-end": (30, candidates.to_the_end),
    }


def main() -> int:
    options = _parser().parse_args()
    try:
        device = resolve_device(options.device)
        setting = _setting(options, device)
    except MnistSearchError as error:
        print(f"benchmarks.gpu: {error}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name, (needed, part) in parts(options.data_dir, options.keep).items():
        if not options.only or name in options.only:
            rows += rows_of(name, needed, part, setting)
            if options.out is not None:  # after each part: what is measured outlives a machine that is taken away
                options.out.write_text(_page(rows, setting))
    print(_page(rows, setting))
    return int(any(row.is_met is False and row.is_check for row in rows))


def rows_of(name: str, needed: float, part: Callable[[Setting], list[Row]], setting: Setting) -> list[Row]:
    """A part's rows; one that breaks leaves the others their turn."""
    if setting.seconds_left < needed:
        return [Row(name, "not run: no time was left")]
    setting.say(f"{name}: {setting.seconds_left:.0f} s left")
    try:
        return part(setting)
    except Exception as error:  # whatever it is, the table must be printed
        traceback.print_exc()
        return [
            Row(
                name,
                f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
                is_met=False,
                is_check=True,
            )
        ]


def _setting(options: argparse.Namespace, device: str) -> Setting:
    prepare_device(device)
    torch.set_num_threads(1)
    if options.trial:
        data = noise_data(512)
    elif options.data_dir is None:
        raise MnistSearchError("name a folder with MNIST by --data-dir, or try it on noise with --trial")
    else:
        data = split_data(load_idx_dataset("mnist", options.data_dir), "holdout")
    place = "cuda:0" if device == "cuda" else device
    return Setting(place, data, options.trial, options.seconds, partial(print, file=sys.stderr, flush=True))


def _page(rows: Sequence[Row], setting: Setting) -> str:
    return f"{_head(setting)}\n\n{markdown_table(_COLUMNS, [row.cells() for row in rows])}"


def _head(setting: Setting) -> str:
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    note = " A trial on noise: no number means anything." if setting.is_trial else ""
    return f"`python -m benchmarks.gpu`, {day}, {chip.name_of(setting.device)}.{note}"


def _folder(text: str) -> Path | None:
    """None of what `make gpu` gives where no folder was named. A search is run in a folder of its own: a whole path."""
    return Path(text).resolve() if text else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu with --trial")
    parser.add_argument("--data-dir", type=_folder, help="folder with MNIST in torchvision's layout, gzipped or not")
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    parser.add_argument("--keep", type=Path, help="folder in which the study of the part `search` is left")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which no part is begun")
    parser.add_argument("--only", nargs="*", choices=list(parts(None)), help="these parts alone")
    parser.add_argument("--trial", action="store_true", help="see that it runs, on very few images")
    return parser


if __name__ == "__main__":
    sys.exit(main())
