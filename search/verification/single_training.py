"""One training outside a study, for `train`: it informs and decides nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from models.candidate import Candidate
from search.measures.curves import curve_facts
from search.measures.statistics import share_difference, wilson_interval
from search.measures.words import percent
from trainer.data.images import Dataset
from trainer.data.split import split_data
from trainer.training.precision import FLOAT32, Precision
from trainer.training.records import EpochRecord
from trainer.training.train import Training

OVERFITTING_GAP = 0.003
"""A smaller gap is not worth advice, even where enough images show it."""
GUESSING = 0.12
"""Accuracy of a network that has learnt nothing: the most frequent digit is 11.35 % of MNIST's test images."""


@dataclass
class SingleTraining:
    """A training and what it came to: iterate over its epochs, then read `facts` and `weights`."""

    candidate: Candidate
    dataset: Dataset
    split: str
    target: float
    sustain: int
    seed: int = 0
    device: str = "cpu"
    precision: Precision = FLOAT32
    on_batch: Callable[[int, int], None] | None = None
    """Called after each batch with its number in the epoch, from 1, and the batches of an epoch."""
    records: list[EpochRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = split_data(self.dataset, self.split)
        self._training = Training(
            self.candidate, self.data, self.seed, self.device, self.precision.dtype, self.on_batch
        )

    def __iter__(self) -> Iterator[EpochRecord]:
        for record in self._training:
            self.records.append(record)
            yield record

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The state dict of the trained network, on the CPU."""
        return self._training.weights()

    def facts(self) -> dict[str, Any]:
        """What the training came to, as plain data."""
        return {
            "candidate": self.candidate.id,
            "dataset": self.dataset.name,
            "split": self.split,
            "seed": self.seed,
            "device": self.device,
            "dtype": self.precision.name,
            "precision": str(self.precision),
            "torch": torch.__version__,
            "params": self.candidate.arch.params,
            "macs": self.candidate.arch.macs,
            "receptive_field": self.candidate.arch.receptive_field,
            "n_train": len(self.data.train),
            "n_evaluation": len(self.data.evaluation),
            **curve_facts(self.records, self.target, self.sustain),
        }


def analysis(facts: dict[str, Any]) -> str:
    """Return what the gap between training and evaluation accuracy shows, in a sentence.

    A gap within the noise of the two sets of images shows nothing. Training accuracy is measured with augmentation and
    dropout, so it may well be the lower one.

    Args:
        facts: `gap` and `train_accuracy` of the last epoch, `sustained_accuracy`, `target`, and the numbers of images,
            `n_train` and `n_evaluation`.
    """
    gap, train = f"{100 * facts['gap']:+.2f} points", facts["train_accuracy"]
    n_train, n_evaluation = facts["n_train"], facts["n_evaluation"]
    n_trained_right, n_right = round(n_train * train), round(n_evaluation * (train - facts["gap"]))
    trained = wilson_interval(n_trained_right, n_train)
    if trained.low <= GUESSING:
        return f"nothing learnt yet: {percent(train)} in training is guessing; train longer, or at another rate"
    if facts["sustained_accuracy"] < facts["target"] and trained.high < facts["target"]:
        return f"underfitting: training too is below the target; the gap is {gap}"
    noise = share_difference(n_trained_right, n_train, n_right, n_evaluation)
    if facts["gap"] > OVERFITTING_GAP and noise.is_told_apart:
        return f"overfitting: training is above evaluation by {gap}; augment more"
    within = "" if noise.is_told_apart else f", within the noise of {n_evaluation:,} images"
    return f"neither over- nor underfitting: training minus evaluation is {gap}{within}"
