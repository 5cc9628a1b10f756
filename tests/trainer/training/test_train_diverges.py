"""A training whose loss is not finite ends there."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, MaxPool
from models.recipe import Recipe
from models.schedules import Constant, OneCycle, Schedule
from tests.helpers.trainings import FAST, HEAD, WITH_BN
from trainer.data.images import TrainingData
from trainer.training.records import DivergedError, EpochRecord
from trainer.training.train import Training

UNBOUNDED = ArchSpec((Conv(4, then=()), MaxPool(), Conv(4, then=()), *HEAD))  # without ReLU nothing can die


@pytest.mark.parametrize(
    ("schedule", "first_epoch"), [(Constant(), 1), (OneCycle(0.9, start_divisor=1e6, end_divisor=1e6), 2)]
)
def test_too_high_a_rate_diverges(data: TrainingData, schedule: Schedule, first_epoch: int) -> None:
    recipe = Recipe(epochs=5, batch_size=64, lr=10, schedule=schedule)
    training = Training(Candidate(UNBOUNDED, recipe), data, seed=0)
    records: list[EpochRecord] = []
    with pytest.raises(DivergedError) as caught:
        records.extend(training)
    assert str(caught.value) == f"the loss was not finite in epoch {caught.value.epoch}"
    assert first_epoch <= caught.value.epoch == len(records) + 1 <= 5
    assert all(math.isfinite(value) for record in records for value in record.to_dict().values())


def spoil(name: str, value: float, epoch: int) -> Callable[[Training], Callable[[int, int], None]]:
    """Puts a value into the network after the first batch of an epoch."""

    def on_batch_of(training: Training) -> Callable[[int, int], None]:
        calls: list[int] = []

        def on_batch(number: int, _n_batches: int) -> None:
            calls.append(number)
            if calls.count(1) == epoch and number == 1:
                training.result.state_dict()[name].fill_(value)

        return on_batch

    return on_batch_of


@pytest.mark.parametrize(
    ("name", "value"), [("1_conv.weight", math.nan), ("1_conv.weight", math.inf), ("1_bn.running_var", math.nan)]
)
def test_an_epoch_that_is_not_finite_ends_the_training(data: TrainingData, name: str, value: float) -> None:
    """The last case trains on, since training does not look at running statistics, and fails in evaluation."""
    training = Training(Candidate(WITH_BN, replace(FAST, epochs=4)), data, seed=0)
    training._on_batch = spoil(name, value, epoch=3)(training)
    records: list[EpochRecord] = []
    with pytest.raises(DivergedError, match=r"^the loss was not finite in epoch 3$") as caught:
        records.extend(training)
    assert caught.value.epoch == 3
    assert [record.epoch for record in records] == [1, 2]
