"""Small trainings for tests: networks, recipes, and how two trainings are compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool, Skip
from models.recipe import Recipe
from trainer.data.images import Images, TrainingData
from trainer.training.records import EpochRecord
from trainer.training.train import Training

N_TRAIN, N_EVALUATION = 400, 200
HEAD = (Gap(), Conv(10, 1, then=()))
WITH_BN = ArchSpec((Conv(6, then=("bn", "relu", "dropout")), MaxPool(), Conv(12), MaxPool(), *HEAD))
# No batch norm and no dropout: an image's logits do not depend on the others of its batch, even in training.
LEARNER = ArchSpec((Conv(6, 5, 2, then=("bn", "relu", "dropout")), MaxPool(), Conv(10, 6, then=())))
PLAIN = ArchSpec((Conv(6, then=("relu",)), MaxPool(), Conv(8, bias=True, then=("relu",)), *HEAD))
WIDER = ArchSpec(
    (Conv(6, then=("bn-bias", "relu", "dropout")), MaxPool(), Conv(12, then=("bn", "prelu")), MaxPool(),
     Conv(12, 1, then=("silu",)), Skip(1),
     Conv(12, padding=1), Conv(12, padding=1, shares=1), Conv(12, 5, groups=12, then=()), Conv(10, 1, then=()))
)  # fmt: skip
"""What the template got later."""
FAST = Recipe(epochs=2, batch_size=64, lr=0.1)


def first(data: TrainingData, n: int) -> TrainingData:
    """The same data with the first n training images only."""
    return TrainingData.of(data.train.select(np.arange(n)), data.evaluation)


def trained(
    candidate: Candidate, data: TrainingData, seed: int = 0, **how: torch.dtype
) -> tuple[list[EpochRecord], Training]:
    training = Training(candidate, data, seed, **how)  # type: ignore[arg-type]
    return list(training), training


def timeless(records: list[EpochRecord]) -> list[EpochRecord]:
    return [replace(record, seconds=0.0, core_seconds=0.0) for record in records]


def same_weights(first: Training, second: Training) -> bool:
    ours, theirs = first.weights(), second.weights()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def recipes() -> dict[str, Recipe]:
    """Each feature of a recipe in turn, then all of them."""
    each: dict[str, dict[str, Any]] = {
        "plain": {},
        "dropout": {"dropout": 0.3},
        "rotation": {"rotation_degrees": 15.0, "translation_share": 0.1, "scale_share": 0.1, "fill": 30},
        "fading": {"rotation_degrees": 15.0, "shear_degrees": 10.0, "dropout": 0.3, "fade_share": 0.6},
        "jitter": {"brightness": 0.3, "contrast": 0.3},
        "smoothing": {"label_smoothing": 0.1},
        "average": {"ema_decay": 0.9},
        "statistics": {"ema_decay": 0.9, "statistics_images": 70},
        "adamw": {"optimizer": "adamw", "lr": 0.01},
    }
    together = {name: value for fields in each.values() for name, value in fields.items()}
    return {name: replace(FAST, **fields) for name, fields in {**each, "all": together}.items()}


def plain_logits(network: nn.Module, images: Images, data: TrainingData) -> torch.Tensor:
    """Of a network in evaluation mode, all images at once."""
    pixels = images.pixels.numpy().astype(np.float32)[:, None] / np.float32(255)
    with torch.no_grad():
        logits: torch.Tensor = network.eval()((torch.from_numpy(pixels) - data.mean) / data.std)
    return logits
