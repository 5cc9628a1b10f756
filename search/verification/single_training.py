"""One training outside a study, for `train`: it informs and decides nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from models.candidate import Candidate
from search.measures.curves import curve_facts
from trainer.data.images import Dataset
from trainer.data.split import split_data
from trainer.training.precision import FLOAT32, Precision
from trainer.training.records import EpochRecord
from trainer.training.train import Training

OVERFITTING_GAP = 0.003
"""Training accuracy this far above the evaluation accuracy is called overfitting: three times the noise of 10,000
images at 99.4 %, rounded up."""


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
            **curve_facts(self.records, self.target, self.sustain),
        }


def analysis(facts: dict[str, Any]) -> str:
    """What the gap between training and evaluation says, in a sentence.

    Training accuracy is that of the training passes, with augmentation and dropout, so it may well be the lower one.
    """
    gap = f"{100 * facts['gap']:+.2f} points"
    if facts["gap"] > OVERFITTING_GAP:
        return f"overfitting: training is above evaluation by {gap}; augment more"
    if facts["sustained_accuracy"] < facts["target"] and facts["train_accuracy"] < facts["target"]:
        return f"underfitting: training too is below the target; the gap is {gap}"
    return f"neither over- nor underfitting: training minus evaluation is {gap}"
