"""What each part of a recipe is worth: one change at a time, on real MNIST, judged by held-out training images.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.ablation [--workers 2] [--seeds 5] [--epochs 6]

The network is that of preset a-step5 (7,752 parameters). Every variant is trained with the same seeds. Writes
`benchmarks/results/ablation.jsonl` as results come (and goes on from there), then `benchmarks/results/ablation.md`.
"""

import argparse
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import nn, optim

import trainer.training.train
from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, write
from benchmarks._trainings import measure
from models.build import build
from models.candidate import Candidate
from models.presets import PRESETS
from models.recipe import Recipe
from models.schedules import Cosine, OneCycle
from search.measures.statistics import deviation, difference
from trainer.training.optim import make_optimizer
from trainer.training.runner import Work
from trainer.training.train import Training

RESULTS = Path(__file__).parent / "results" / "ablation.jsonl"
BASE = Recipe(lr=0.1, schedule=OneCycle(), weight_decay=1e-4, dropout=0.025, rotation_degrees=7.0)

CHANGES: dict[str, dict[str, Any]] = {
    "base": {},
    "moving average, decay .998": {"ema_decay": 0.998},
    "label smoothing .05": {"label_smoothing": 0.05},
    "translation and scale .05": {"translation_share": 0.05, "scale_share": 0.05},
    "no augmentation at all": {"rotation_degrees": 0.0},
    "cosine, no warm-up": {"schedule": Cosine()},
    "warm-up over .15, not .3": {"schedule": OneCycle(warmup_share=0.15)},
    "peak rate .03": {"lr": 0.03},
    "peak rate .3": {"lr": 0.3},
    "weight decay 5e-4": {"weight_decay": 5e-4},
}
"""Variants that a recipe can express."""


def _spare_norms(network: nn.Module, recipe: Recipe, *how: Any) -> optim.Optimizer:
    """The recipe's optimiser, its weight decay kept off BatchNorm and biases."""
    optimizer = make_optimizer(network, recipe, *how)
    [group] = optimizer.param_groups
    kernels = [p for p in group["params"] if p.ndim > 1]
    others = [p for p in group["params"] if p.ndim <= 1]
    group["params"] = kernels
    optimizer.add_param_group({"params": others, "weight_decay": 0.0})
    return optimizer


def _build_kaiming(*arguments: Any) -> nn.Sequential:
    """The network with He's initialisation of what leaves a layer, not torch's default."""
    network = build(*arguments)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class HalfEarly(Training):
    """Sees a random half of the images in each epoch of the first third of the training."""

    def _works_of_an_epoch(self, evaluates: bool) -> Iterator[Work]:
        works, n = list(super()._works_of_an_epoch(evaluates)), self._batches_per_epoch
        is_early = self._n_epochs_done < self._recipe.epochs // 3
        # The schedule is that of whole epochs: the rates of the batches left out are passed over.
        yield from works[: n // 2] + works[n:] if is_early else works


PATCHES: dict[str, AbstractContextManager[object]] = {
    "weight decay 5e-4, not on BatchNorm": patch.object(trainer.training.train, "make_optimizer", _spare_norms),
    "He initialisation": patch.object(trainer.training.train, "build", _build_kaiming),
    "half the images in early epochs": nullcontext(),
}
"""Variants that are tried here only."""
_PATCHED_CHANGES = {"weight decay 5e-4, not on BatchNorm": {"weight_decay": 5e-4}}

VARIANTS = [*CHANGES, *PATCHES]


def train(job: Job) -> dict[str, Any]:
    """One training of a variant."""
    name = job["variant"]
    changes = CHANGES.get(name) or _PATCHED_CHANGES.get(name, {})
    recipe = replace(BASE, epochs=job["epochs"], **changes)
    kind = HalfEarly if name.startswith("half the images") else Training
    with PATCHES.get(name, nullcontext()):
        return measure(Candidate(PRESETS["a-step5"].arch, recipe), job["seed"], kind)


def rows(results: list[Job]) -> list[list[str]]:
    """A row for each variant, in the order of `VARIANTS`."""
    by_name = {name: [r for r in results if r["variant"] == name] for name in VARIANTS}
    base = _by_seed(by_name["base"], "sustained_accuracy")
    cost = sum(_by_seed(by_name["base"], "core_seconds")) / len(base)
    return [_row(name, of, base, cost) for name, of in by_name.items() if of]


def _row(name: str, results: list[Job], base: list[float], base_cost: float) -> list[str]:
    values = _by_seed(results, "sustained_accuracy")
    scatter = [max(r["accuracies"][-3:]) - min(r["accuracies"][-3:]) for r in results]
    gap = difference(values, base, paired=True)
    inside = gap.interval
    cells = [name, str(len(values)), f"{100 * sum(values) / len(values):.3f}", f"{100 * (deviation(values) or 0):.3f}"]
    if name == "base" or inside is None:
        cells += ["", "", ""]
    else:
        verdict = ("better" if gap.mean > 0 else "worse") if gap.is_told_apart else "cannot be told apart"
        cells += [f"{100 * gap.mean:+.3f}", f"{100 * inside.low:+.3f} to {100 * inside.high:+.3f}", verdict]
    core = sum(r["core_seconds"] for r in results) / len(results)
    return [*cells, f"{100 * sum(scatter) / len(scatter):.3f}", f"{core / base_cost:.2f}"]


def _by_seed(results: list[Job], key: str) -> list[float]:
    return [r[key] for r in sorted(results, key=lambda r: r["seed"])]


COLUMNS = (
    "variant", "n", "sustained %", "sd", "minus base", "95 % interval", "verdict", "spread of the last 3", "core-s",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    jobs = [
        {"variant": name, "seed": seed, "epochs": options.epochs} for seed in range(options.seeds) for name in VARIANTS
    ]
    results = run_jobs(jobs, train, RESULTS, options.workers)
    text = (
        "# What each part of a recipe is worth\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.ablation --seeds {options.seeds} --epochs {options.epochs}`, "
        f"{machine_line()}.\n"
        "The network of preset a-step5 (7,752 parameters); 50,000 training images, judged by the other 10,000 (no\n"
        "test image); the base: SGD .1 under OneCycle, batch 128, weight decay 1e-4, dropout .025, rotation of ±7°.\n"
        "Each variant changes what its name says, with the same seeds. Sustained: the mean of the last three epochs,\n"
        "in %; the difference in points with its paired 95 % interval (no correction for the number of comparisons);\n"
        "the spread of the last three epochs is their largest minus their smallest, mean over seeds; core-seconds\n"
        "relative to base.\n"
    )
    write(RESULTS.with_suffix(".md"), text, COLUMNS, rows(results))


if __name__ == "__main__":
    main()
