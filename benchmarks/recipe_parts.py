"""What parts of a recipe are worth for small separable networks, on real MNIST, judged by held-out training images.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.recipe_parts [--networks 954 3789] [--seeds 8] [--variants base ...]

All variants of a network are trained with the same seeds, so that differences are paired. Beside the average of the
recipe each training keeps others, and the weights themselves, and evaluates all after each epoch: what another decay
is worth is then measured within one training. In the last three epochs the batch statistics of each average are also
estimated anew, from 10,000 unchanged training images, in place of the average of the statistics. Writes
`results/recipe-parts.jsonl` as results come (and goes on from there), then the page.
"""

import argparse
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, write
from benchmarks._teachers import N_TEACHERS, TEACHER, Student, train_teachers
from benchmarks._trainings import SUSTAIN, measure
from models.candidate import Candidate
from models.recipe import Recipe
from models.spec.file import load_spec
from search.measures.objective import sustained_accuracy
from search.measures.statistics import deviation, difference
from trainer.fused.network import fuse
from trainer.training.average import WeightAverage, taken_shares
from trainer.training.evaluation import Evaluation
from trainer.training.records import EpochRecord
from trainer.training.train import Training

RESULTS = Path(__file__).parent / "results" / "recipe-parts.jsonl"
RECORDS = RESULTS.parent / "records"
DISTILLED = f"distilled from {N_TEACHERS} networks of {TEACHER.arch.params:,} parameters"
TEACHERS = Path(os.environ.get("TMPDIR", "/tmp")) / "mnist-search-teachers"
NETWORKS = {"954": RECORDS / "thousand-954.yaml", "3789": RECORDS / "separable-3789.yaml"}
EPOCHS = 8
DECAYS = (0.99, 0.998, 0.9995)
"""Beside that of the recipe, which is .995."""
OWN, ANEW = "decay 0.995", "statistics anew"
N_ESTIMATED = 10_000
BASE: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 64, "lr": 0.15, "dropout": 0.0, "rotation_degrees": 5.0}
MOVED: dict[str, Any] = {"translation_share": 0.04, "scale_share": 0.05, "label_smoothing": 0.03, "ema_decay": 0.995}
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "fading over the last 40 %": {"fade_share": 0.4},
    "shear of ±10°": {"shear_degrees": 10.0},
    "no augmentation": {"rotation_degrees": 0.0, "translation_share": 0.0, "scale_share": 0.0},
    "no label smoothing": {"label_smoothing": 0.0},
    "batch 32": {"batch_size": 32},
    "batch 32, rate .08": {"batch_size": 32, "lr": 0.08},
    "batch 128, rate .25": {"batch_size": 128, "lr": 0.25},
    "rate .3": {"lr": 0.3},
    DISTILLED: {},
}


class ManyAverages(Training):
    """A training that keeps averages of several decays; `found` is the accuracy of each by epoch."""

    def __init__(self, candidate: Candidate, data: Any, seed: int, device: str, dtype: torch.dtype) -> None:
        super().__init__(candidate, data, seed, device, dtype)
        self._data = data
        self._others = {decay: WeightAverage(self._network, self._weights) for decay in DECAYS}
        self.found: dict[str, list[float]] = {}
        step = self._step._optimizer.step

        def step_and_average(*args: Any, **kwargs: Any) -> None:
            step(*args, **kwargs)
            for taken, average in zip(self._shares[self._n_batches], self._others.values(), strict=True):
                average.update(torch.tensor([taken]))
            self._n_batches += 1

        self._step._optimizer.step = step_and_average  # type: ignore[assignment, method-assign]

    def start_epoch(self) -> None:
        of_epoch = (self._n_epochs_done + 1, self._batches_per_epoch)
        self._shares = list(zip(*(taken_shares(decay, *of_epoch) for decay in DECAYS), strict=True))
        self._n_batches = 0
        super().start_epoch()

    def end_epoch(self) -> EpochRecord:
        record = super().end_epoch()
        of = {f"decay {decay}": average.network for decay, average in self._others.items()}
        for name, network in {"no average": self._network, **of}.items():
            self._add(name, network)
        if record.epoch > EPOCHS - SUSTAIN:
            for name, network in {OWN: self.result, **of}.items():
                self._add(f"{name}, {ANEW}", _estimated(network, self._data))
        return record

    def _add(self, name: str, network: nn.Module) -> None:
        evaluation = Evaluation(fuse(network), self._data)
        evaluation()
        self.found.setdefault(name, []).append(evaluation.sums[1].item() / evaluation.n_images)


@torch.no_grad()
def _estimated(network: nn.Module, data: Any) -> nn.Module:
    """The same network with its batch statistics estimated from training images as they are."""
    network = deepcopy(network).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches alike
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    for pixels in data.train.pixels[:N_ESTIMATED].split(1000):
        network((pixels.unsqueeze(1).float() / 255 - data.mean) / data.std)
    return network


def candidate_of(network: str, variant: str) -> Candidate:
    """What is trained."""
    spec = load_spec(NETWORKS[network])
    recipe = replace(Recipe(weight_decay=5e-5, schedule=spec.recipe.schedule), **BASE, **MOVED)
    return Candidate(spec.arch, replace(recipe, **VARIANTS[variant]))


def train(job: Job) -> dict[str, Any]:
    """One training of a variant."""
    if job["variant"] == DISTILLED:
        return {**measure(candidate_of(job["network"], "base"), job["seed"], partial(Student, TEACHERS), torch.float32)}
    kept: list[ManyAverages] = []

    def make(*args: Any) -> ManyAverages:
        kept.append(ManyAverages(*args))
        return kept[0]

    result = measure(candidate_of(job["network"], job["variant"]), job["seed"], make, torch.float32)
    within = {name: sustained_accuracy(values[-SUSTAIN:], SUSTAIN) for name, values in kept[0].found.items()}
    return {**result, "within": within}


def rows(results: list[Job]) -> Iterator[list[str]]:
    """A row for each network and variant, and for what was measured within the base's trainings."""
    for network in NETWORKS:
        of = {
            variant: {r["seed"]: r for r in results if (r["network"], r["variant"]) == (network, variant)}
            for variant in VARIANTS
        }
        base = {seed: r["sustained_accuracy"] for seed, r in of["base"].items()}
        for variant, found in of.items():
            if found:
                yield _row(network, variant, {s: r["sustained_accuracy"] for s, r in found.items()}, base)
            if found and variant != "base":
                yield _row(network, f"{variant}, last epoch alone", _last(found), _last(of["base"]))
            if variant not in ("base", DISTILLED) and found:
                anew = {s: r["within"][f"{OWN}, {ANEW}"] for s, r in found.items()}
                yield _row(network, f"{variant}, {ANEW}", anew, base)
        for name in next(iter(of["base"].values()), {"within": {}})["within"]:
            yield _row(network, f"base, {name}", {s: r["within"][name] for s, r in of["base"].items()}, base)


def _last(found: dict[int, Job]) -> dict[int, float]:
    return {seed: r["accuracies"][-1] for seed, r in found.items()}


def _row(network: str, variant: str, found: dict[int, float], base: dict[int, float]) -> list[str]:
    seeds = sorted(found.keys() & base.keys())
    values, others = [found[s] for s in seeds], [base[s] for s in seeds]
    cells = [
        f"{network}: {variant}",
        str(len(seeds)),
        f"{100 * sum(values) / len(values):.3f}",
        f"{100 * (deviation(values) or 0):.3f}",
    ]
    gap = difference(values, others, paired=True)
    if variant == "base" or gap.interval is None:
        return [*cells, "", "", ""]
    verdict = ("better" if gap.mean > 0 else "worse") if gap.is_told_apart else "cannot be told apart"
    return [
        *cells,
        f"{100 * gap.mean:+.3f}",
        f"{100 * gap.interval.low:+.3f} to {100 * gap.interval.high:+.3f}",
        verdict,
    ]


COLUMNS = ("network: variant", "n", "sustained %", "sd", "minus base", "95 % interval", "verdict")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    options = parser.parse_args()
    jobs = [
        {"network": network, "variant": variant, "seed": seed}
        for network in options.networks
        for seed in range(options.seeds)
        for variant in options.variants
    ]
    taught = train_teachers(TEACHERS, options.workers) if DISTILLED in options.variants else []
    results = run_jobs(jobs, train, RESULTS, options.workers)
    text = (
        "# What parts of a recipe are worth for small separable networks\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.recipe_parts --networks {' '.join(options.networks)} "
        f"--seeds {options.seeds} --variants {' '.join(map(repr, options.variants))}`,\n{machine_line()}, float32.\n"
        "50,000 training images, judged by the other 10,000 (no test image). "
        f"The base: {EPOCHS} epochs, batch 64, SGD .15 under OneCycle,\n"
        "weight decay 5e-5, rotation of ±5°, moves of 4 %, scale of 5 %, label smoothing .03, moving average .995. "
        "Sustained: the mean\nof the last three epochs, in %; the difference in points with its paired 95 % interval "
        "(no correction for the number of comparisons).\n"
    )
    for teacher in taught:
        sustained = 100 * sustained_accuracy(teacher["accuracies"], SUSTAIN)
        text += f"A teacher came to {sustained:.2f} %.\n"
    write(RESULTS.with_suffix(".md"), text, COLUMNS, list(rows(results)))


if __name__ == "__main__":
    main()
