"""One training of an experiment on real MNIST: on one thread, as a worker of a search does it."""

import time
from collections.abc import Callable
from functools import cache

import torch

from benchmarks._jobs import data_folder
from models.candidate import Candidate
from models.presets import PRESETS
from search.measures.objective import sustained_accuracy
from trainer.data.images import TrainingData, load_idx_dataset
from trainer.data.split import split_data
from trainer.hardware.device import prepare_device
from trainer.training.precision import choose_precision
from trainer.training.train import Training

SUSTAIN = 3


@cache
def holdout() -> TrainingData:
    """50,000 training images, and 10,000 other training images to judge by."""
    prepare_device("cpu")
    torch.set_num_threads(1)
    return split_data(load_idx_dataset("mnist", data_folder()), "holdout")


@cache
def _dtype() -> torch.dtype:
    """One format for all trainings of an experiment, as in a study."""
    return choose_precision("auto", "cpu", PRESETS["a-step5"].candidate).dtype


def measure(
    candidate: Candidate, seed: int, kind: Callable[..., Training] = Training, dtype: torch.dtype | None = None
) -> dict[str, object]:
    """Accuracies by epoch, the sustained one, and the core-seconds of a training on the search's split.

    In this machine's fastest number format, or in the one that is named.
    """
    data = holdout()
    start = time.process_time()
    records = list(kind(candidate, data, seed, "cpu", dtype or _dtype()))
    accuracies = [record.eval_accuracy for record in records]
    return {
        "accuracies": accuracies,
        "sustained_accuracy": sustained_accuracy(accuracies, SUSTAIN),
        "train_accuracy": records[-1].train_accuracy,
        "core_seconds": time.process_time() - start,
    }
