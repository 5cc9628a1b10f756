"""Is the search worth it? TPE beside random draws, both with pruning, at equal cost on real MNIST.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.sampler_worth [--ranges now] [--seeds 3] [--minutes 6] [--keep DIR]

For each set of ranges and each seed two studies run side by side, a worker of one thread each, for the same time: one
draws by TPE, one at random. So that a study has some forty candidates in minutes on a slow machine, there are only
MNIST's first 12,000 training images: 10,000 to learn from, 2,000 held out to judge by; no test image. The databases lie
under `--keep`; what they hold goes to `results/sampler-worth.jsonl` as it comes, a study a line with its trials
(and a second run goes on from there), then to the page.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import optuna
from scipy.stats import mannwhitneyu

from benchmarks._jobs import data_folder
from benchmarks._report import machine_line, write
from search.facts.study_facts import trial_facts
from search.measures.statistics import difference
from search.space.space import Space
from trainer.data.images import load_idx_dataset

RESULTS = Path(__file__).parent / "results" / "sampler-worth.jsonl"
N_IMAGES = 12_000
EPOCHS, SUSTAIN = 5, 2
TARGET = 0.95
MAX_PARAMS = 1000
SAMPLERS = ("tpe", "random")
BEFORE = {
    "stem_depth": "1:3",
    "stem_kernel": "3, 5",
    "transition_place": "before-pool, after-pool",
    "second_pool": "false, true",
    "n_expansions": "0:2",
    "order": "bn-relu, relu-bn",
    "head": "gap-1x1, conv-gap, gap-hidden, conv",
    "dropout_place": "blocks, pools",
    "pool_place": "after-stem",
    "convolution": "full",
    "skips": "false",
    "body_repeats": "1",
    "lr": "0.02:0.4:log",
    "batch_size": "64, 128, 256",
    "weight_decay": "1e-05:0.001:log",
    "schedule": "onecycle, cosine, step, multistep, plateau",
    "warmup_share": "0.1:0.3",
    "dropout": "0.0:0.1",
    "rotation_degrees": "0.0:15.0",
    "translation_share": "0.0:0.1",
    "scale_share": "0.0:0.1",
    "label_smoothing": "0.0:0.1",
    "ema_decay": "0.99, 0.995, 0.998",
    "warmup_epochs": "0:2",
}
"""The default ranges before this was measured, where they were others: 28 values a candidate on average; now 17."""
RANGES: dict[str, dict[str, str]] = {"before": BEFORE, "now": {}}

_SHOWN = 0.02
"""Importances below it are left out."""
PROGRAM = (sys.executable, "-c", "from search.cli import main; main()")

Row = dict[str, Any]


def write_first_images(folder: Path) -> None:
    """MNIST with its first training images alone, as torchvision lays it out."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    mnist = load_idx_dataset("mnist", data_folder())
    for name, images, n in (("train", mnist.train, N_IMAGES), ("t10k", mnist.test, len(mnist.test))):
        _write_idx(raw / f"{name}-images-idx3-ubyte", images.pixels[:n].numpy())
        _write_idx(raw / f"{name}-labels-idx1-ubyte", images.labels[:n].numpy())


def _write_idx(path: Path, array: np.ndarray) -> None:
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes())


def run_pair(ranges: str, seed: int, minutes: float, folder: Path) -> list[Row]:
    """What a study of each sampler came to, side by side."""
    processes = {sampler: _start(ranges, seed, sampler, minutes, folder) for sampler in SAMPLERS}
    for sampler, process in processes.items():
        if process.wait() != 0:
            raise RuntimeError(f"a study of {sampler} draws ended with {process.returncode}")
    return [_row(ranges, seed, sampler, folder) for sampler in SAMPLERS]


def _name(ranges: str, seed: int, sampler: str) -> str:
    return f"{ranges}-{sampler}-{seed}"


def storage_url(name: str, folder: Path) -> str:
    """A database of its own for each study."""
    return f"sqlite:///{(folder / name).absolute()}.db"


def start_study(name: str, folder: Path, seed: int, minutes: float, more: Iterable[str]) -> subprocess.Popen[bytes]:
    """`mnist-search run` on MNIST's first images, a worker of one thread for some minutes, with more options."""
    command = [
        *(*PROGRAM, "run", "--study", name, "--storage", storage_url(name, folder), "--seed", str(seed)),
        *("--data-dir", str(folder / "data"), "--dataset", "mnist", "--trials", "100000"),
        *("--timeout", str(60 * minutes), "--max-params", str(MAX_PARAMS), "--target", str(TARGET)),
        *("--epochs", str(EPOCHS), "--sustain", str(SUSTAIN)),
        *("--workers", "1", "--slots", "1", "--device", "cpu", "--precision", "float32"),
        *more,
    ]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})


def _start(ranges: str, seed: int, sampler: str, minutes: float, folder: Path) -> subprocess.Popen[bytes]:
    given = [part for key, value in RANGES[ranges].items() for part in ("--set", f"{key}={value}")]
    more = ("--sampler", sampler, "--pruner", "median", *given)
    return start_study(_name(ranges, seed, sampler), folder, seed, minutes, more)


def _row(ranges: str, seed: int, sampler: str, folder: Path) -> Row:
    name = _name(ranges, seed, sampler)
    told = subprocess.run(
        [*PROGRAM, "status", "--json", "--study", name, "--storage", storage_url(name, folder)],
        check=True,
        capture_output=True,
    )
    facts = json.loads(told.stdout)
    study = optuna.load_study(study_name=name, storage=storage_url(name, folder))
    kept = ("trained", "pruned", "rejected", "core_seconds", "core_seconds_to_target", "epochs_trained", "epochs_saved")
    return {
        **{"ranges": ranges, "seed": seed, "sampler": sampler},
        **{key: facts[key] for key in kept},
        "best": facts["best"] and facts["best"]["sustained_accuracy"],
        "smallest": facts["smallest"] and facts["smallest"]["params"],
        "trials": [short for trial in study.trials if (short := _short(trial))["outcome"] != "rejected"],
    }


def _short(trial: optuna.trial.FrozenTrial) -> Row:
    facts = trial_facts(trial)
    return {key: facts[key] for key in ("outcome", "params", "macs", "sustained_accuracy")} | {"drawn": trial.params}


def table(rows: Iterable[Row]) -> list[list[str]]:
    """A line for each study, and under each set of ranges what TPE has before random."""
    found = list(rows)
    lines = []
    for ranges in RANGES:
        of = {sampler: [r for r in found if (r["ranges"], r["sampler"]) == (ranges, sampler)] for sampler in SAMPLERS}
        lines += [_line(row) for sampler in SAMPLERS for row in sorted(of[sampler], key=lambda r: int(r["seed"]))]
        if all(len(rows) > 1 for rows in of.values()):
            lines.append(_gap(f"{ranges}: TPE less random", *(of[sampler] for sampler in SAMPLERS)))
    now, before = ([r for r in found if r["ranges"] == ranges] for ranges in ("now", "before"))
    if len(now) > 1 and len(before) > 1:
        lines.append(_gap("now less before, all studies", now, before))
    return lines


def _line(row: Row) -> list[str]:
    accuracies = sorted((t["sustained_accuracy"] for t in row["trials"] if t["sustained_accuracy"]), reverse=True)
    reached = row["core_seconds_to_target"]
    return [
        f"{row['ranges']}, {row['sampler']}, seed {row['seed']}",
        str(row["trained"]),
        str(row["pruned"]),
        f"{row['core_seconds'] / 60:.1f}",
        f"{100 * row['best']:.2f}" if row["best"] else "-",
        f"{100 * mean(accuracies[:5]):.2f}" if len(accuracies) >= 5 else "-",
        f"{reached / 60:.1f}" if reached is not None else "not reached",
        f"{row['smallest']:,}" if row["smallest"] else "-",
    ]


def _gap(name: str, these: list[Row], others: list[Row]) -> list[str]:
    gap = difference([r["best"] for r in these], [r["best"] for r in others])
    inside = f" (95 % {100 * gap.interval.low:+.2f} to {100 * gap.interval.high:+.2f})" if gap.interval else ""
    return [f"**{name}**", "", "", "", f"{100 * gap.mean:+.2f}{inside}", "", "", ""]


def importances(rows: list[Row]) -> list[list[str]]:
    """What decided on accuracy among the ranges of before (PED-ANOVA over the random draws of all studies)."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, pooled = Space.of(BEFORE, MAX_PARAMS), optuna.create_study(direction="maximize")
    for trial in (t for r in rows if (r["ranges"], r["sampler"]) == ("before", "random") for t in r["trials"]):
        if trial["outcome"] == "trained":
            drawn = optuna.trial.FixedTrial(trial["drawn"])
            space.sample(drawn, EPOCHS)  # which tells the distribution of each value
            accuracy, distributions = trial["sustained_accuracy"], drawn.distributions
            pooled.add_trial(
                optuna.trial.create_trial(value=accuracy, params=drawn.params, distributions=distributions)
            )
    if not pooled.trials:
        return []
    found = optuna.importance.get_param_importances(
        pooled, evaluator=optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    )
    return [[name, f"{share:.2f}"] for name, share in found.items() if share >= _SHOWN]


def _sizes(rows: list[Row]) -> str:
    """The smallest networks at the target, and how likely they would lie so if the ranges made no difference.

    By Mann and Whitney's ranks: a study that never reached the target stands behind all that did.
    """
    of = {ranges: [r["smallest"] or math.inf for r in rows if r["ranges"] == ranges] for ranges in RANGES}
    told = "; ".join(f"{ranges} {', '.join(map(_size, sorted(sizes)))}" for ranges, sizes in of.items())
    p = mannwhitneyu(*of.values()).pvalue if all(of.values()) else math.nan
    return f"Smallest at the target, all studies: {told} (two-sided p = {p:.3f} by ranks)."


def _size(params: float) -> str:
    return f"{params:,}" if params < math.inf else "none"


def _listed(found: list[list[str]]) -> str:
    return ", ".join(f"`{name}` {share}" for name, share in found)


COLUMNS = (
    *("study", "trained", "pruned", "core-minutes", "best sustained %", "mean of its best five"),
    *("core-minutes to target", "smallest at target"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranges", nargs="*", choices=list(RANGES), default=list(RANGES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--keep", type=Path, default=Path("sampler-worth"))
    options = parser.parse_args()
    write_first_images(options.keep / "data")
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    done = {(row["ranges"], row["seed"]) for row in rows}
    with RESULTS.open("a") as file:
        for seed in range(options.seeds):
            for ranges in options.ranges:
                if (ranges, seed) not in done:
                    for row in run_pair(ranges, seed, options.minutes, options.keep):
                        rows.append(row)
                        print(json.dumps(row), file=file, flush=True)
    text = (
        "# Is the search worth it?\n\n"
        "`MNIST_SEARCH_DATA=DIR python -m benchmarks.sampler_worth "
        f"--seeds {options.seeds} --minutes {options.minutes:g}`, {machine_line()}, float32.\n"
        f"Fewer than {MAX_PARAMS:,} parameters, {EPOCHS} epochs of which the last {SUSTAIN} count, "
        f"target {TARGET:.0%}, median pruning.\nMNIST's first {N_IMAGES:,} training images, "
        "a sixth of them held out to judge by.\n"
    )
    found = importances(rows)
    if found:
        text += "\nWhat decided among the ranges of before, of the values that all candidates have: "
        text += f"{_listed(found)}; the others less.\n"
    text += f"\n{_sizes(rows)}\n"
    write(RESULTS.with_suffix(".md"), text, COLUMNS, table(rows))


if __name__ == "__main__":
    main()
