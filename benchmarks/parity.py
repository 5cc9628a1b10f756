"""Whether the fast way of training costs accuracy: the same candidate by the sources' way and by ours, over seeds.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.parity [--workers 2] [--seeds 5] [--our-seeds 5]

The sources' way is torchvision's MNIST with RandomRotation, ToTensor and Normalize through a DataLoader, float32, SGD
and StepLR; its images are loaded in the training process itself, which changes what it costs and not what it learns.
Ours is a worker's: data in memory, bilinear rotation a batch at a time, fused kernels, in float32 and in bfloat16.
Writes `benchmarks/results/parity.jsonl` as results come (and goes on from there), then `parity.md` beside it.
"""

import argparse
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import StepLR

from benchmarks._jobs import Job, data_folder, run_jobs
from benchmarks._report import machine_line, write
from benchmarks._trainings import SUSTAIN, measure
from models.build import build
from models.candidate import Candidate
from models.presets import PRESETS
from models.recipe import Recipe
from models.schedules import Step
from search.measures.objective import sustained_accuracy
from search.measures.statistics import deviation, difference
from trainer.data.images import load_idx_dataset
from trainer.data.split import HOLDOUT_SHARE, SPLIT_SEED, holdout_index

RESULTS = Path(__file__).parent / "results" / "parity.jsonl"
RECIPE = Recipe(
    epochs=5, batch_size=128, lr=0.05, nesterov=False, weight_decay=0.0, schedule=Step(2, 0.1), dropout=0.025,
    rotation_degrees=7.0, fill=1,
)  # fmt: skip
CANDIDATE = Candidate(PRESETS["a-step5"].arch, RECIPE)
SOURCES = "the sources'"
OURS = {"ours, float32": torch.float32, "ours, bfloat16": torch.bfloat16}


@cache
def _sources_data() -> tuple[torch.utils.data.Dataset[Any], torch.utils.data.Dataset[Any]]:
    """Training images with their transforms, and the held-out ones: the same split as the search's."""
    from torchvision import datasets, transforms

    plain = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    turn = transforms.RandomRotation((-RECIPE.rotation_degrees, RECIPE.rotation_degrees), fill=(RECIPE.fill,))
    folder = str(data_folder())
    augmented = datasets.MNIST(folder, train=True, transform=transforms.Compose([turn, *plain]))
    still = datasets.MNIST(folder, train=True, transform=transforms.Compose(plain))
    labels = load_idx_dataset("mnist", data_folder()).train.labels.numpy()
    kept, held_out = holdout_index(labels, HOLDOUT_SHARE, SPLIT_SEED)
    return torch.utils.data.Subset(augmented, kept.tolist()), torch.utils.data.Subset(still, held_out.tolist())


def train_as_the_sources(seed: int) -> dict[str, Any]:
    """One training by the sources' way."""
    torch.set_num_threads(1)
    start = time.process_time()
    torch.manual_seed(seed)
    train, held_out = _sources_data()
    loader = torch.utils.data.DataLoader(train, RECIPE.batch_size, shuffle=True)
    network = build(CANDIDATE.arch, RECIPE.dropout)
    optimizer = optim.SGD(network.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum)
    assert isinstance(RECIPE.schedule, Step)
    scheduler = StepLR(optimizer, step_size=RECIPE.schedule.every, gamma=RECIPE.schedule.gamma)
    accuracies = []
    for _ in range(RECIPE.epochs):
        network.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()
        scheduler.step()
        accuracies.append(_accuracy(network, held_out))
    return {
        "accuracies": accuracies,
        "sustained_accuracy": sustained_accuracy(accuracies, SUSTAIN),
        "core_seconds": time.process_time() - start,
    }


@torch.no_grad()
def _accuracy(network: nn.Module, images: torch.utils.data.Dataset[Any]) -> float:
    network.eval()
    batches = torch.utils.data.DataLoader(images, 1000)
    n_right = [int((network(x).argmax(1) == labels).sum()) for x, labels in batches]
    return sum(n_right) / (len(batches.dataset))  # type: ignore[arg-type]


def train(job: Job) -> dict[str, Any]:
    """One training by either way."""
    if job["way"] == SOURCES:
        return train_as_the_sources(job["seed"])
    return measure(CANDIDATE, job["seed"], dtype=OURS[job["way"]])


def rows(results: list[Job]) -> list[list[str]]:
    """A row for each way."""
    return [_row(way, [r for r in results if r["way"] == way]) for way in (SOURCES, *OURS)]


def _row(way: str, results: list[Job]) -> list[str]:
    values = [r["sustained_accuracy"] for r in results]
    cost = sum(r["core_seconds"] for r in results) / len(results)
    mean = sum(values) / len(values)
    return [way, str(len(values)), f"{100 * mean:.3f}", f"{100 * (deviation(values) or 0):.3f}", f"{cost:.0f}"]


def verdict(results: list[Job]) -> str:
    """The differences of the means, by Welch's t test."""
    values = {way: [r["sustained_accuracy"] for r in results if r["way"] == way] for way in (SOURCES, *OURS)}
    pairs = [(way, SOURCES) for way in OURS] + [tuple(reversed(list(OURS)))]
    return "\n".join(_difference(above, below, values) for above, below in pairs) + "\n"


def _difference(above: str, below: str, values: dict[str, list[float]]) -> str:
    found = difference(values[above], values[below])
    assert found.interval is not None
    inside = f"{100 * found.interval.low:+.3f} to {100 * found.interval.high:+.3f}"
    apart = "they are told apart" if found.is_told_apart else "they cannot be told apart"
    return f"- {above} minus {below}: {100 * found.mean:+.3f} points, 95 % interval (Welch) {inside}: {apart}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--our-seeds", type=int, default=5)
    options = parser.parse_args()
    jobs = [{"way": SOURCES, "seed": seed} for seed in range(options.seeds)]
    jobs += [{"way": way, "seed": seed} for seed in range(options.our_seeds) for way in OURS]
    results = run_jobs(jobs, train, RESULTS, options.workers)
    text = (
        "# The same accuracy by both ways of training\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.parity`, {machine_line()}.\n"
        f"The network of preset a-step5 (7,752 parameters), {RECIPE.epochs} epochs of SGD .05 with a StepLR(2, .1), "
        "batch\n128, dropout .025, rotation of ±7°; 50,000 training images, judged by the other 10,000. Mean of the "
        "last three\nepochs, in %.\n\n" + verdict(results)
    )
    columns = ("way", "n seeds", "sustained %", "deviation, points", "core-seconds a training")
    write(RESULTS.with_suffix(".md"), text, columns, rows(results))


if __name__ == "__main__":
    main()
