"""Which images a batch holds: each once an epoch, the last batch smaller, one image alone."""

from dataclasses import replace

import pytest
import torch

from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import OneCycle
from models.template import Template
from tests.helpers.trainings import FAST, PLAIN, WITH_BN, first
from trainer.data.images import Images, TrainingData
from trainer.training.train import Training


@pytest.mark.parametrize(("n_images", "n_batches"), [(64, 1), (65, 1), (66, 2), (128, 2), (129, 2), (130, 3), (2, 1)])
@pytest.mark.parametrize("head", ["gap-hidden", "gap-1x1"])
def test_a_last_batch_may_be_smaller(data: TrainingData, n_images: int, n_batches: int, head: str) -> None:
    """With the hidden layer batch norm sees a single value of each image, and could not train on one image alone."""
    arch = Template(stem=(4,), transition=4, body=(4,), head=head, hidden=4).arch()
    recipe = Recipe(epochs=2, batch_size=64, lr=0.01, schedule=OneCycle(end_divisor=1e4))
    called: list[tuple[int, int]] = []
    few = first(data, n_images)
    training = Training(Candidate(arch, recipe), few, 0, on_batch=lambda *batch: called.append(batch))
    records = list(training)
    assert called == [(number, n_batches) for _ in range(2) for number in range(1, n_batches + 1)]
    if n_batches > 1 or n_images > 64:
        assert records[-1].lr == pytest.approx(0.01 / 1e4, rel=1e-6)  # the schedule ends with the last batch


@pytest.mark.parametrize(("n_images", "sizes"), [(6, [2, 2, 2]), (7, [2, 2, 3]), (3, [3]), (2, [2])])
def test_a_batch_size_of_one_is_taken_for_two(data: TrainingData, n_images: int, sizes: list[int]) -> None:
    """On one image alone batch norm could not train after the GAP."""
    arch = Template(stem=(4,), transition=4, body=(4,), head="gap-hidden", hidden=4).arch()
    called: list[tuple[int, int]] = []
    recipe = Recipe(epochs=2, batch_size=1, lr=0.01)
    training = Training(Candidate(arch, recipe), first(data, n_images), 0, on_batch=lambda *batch: called.append(batch))
    assert training._batch_lengths() == sizes
    for record in training:
        assert record.train_accuracy == round(record.train_accuracy * n_images) / n_images
    assert called == [(number, len(sizes)) for _ in range(2) for number in range(1, len(sizes) + 1)]


def test_one_image_alone_trains(data: TrainingData) -> None:
    called: list[tuple[int, int]] = []
    training = Training(Candidate(WITH_BN, FAST), first(data, 1), 0, on_batch=lambda *batch: called.append(batch))
    assert len(list(training)) == 2
    assert called == [(1, 1), (1, 1)]


def test_every_image_is_seen_once_an_epoch(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    labels = torch.arange(129)  # stand for the numbers of the images
    few = TrainingData(Images(data.train.pixels[:129], labels), data.evaluation, data.mean, data.std)

    def note(logits: torch.Tensor, labels: torch.Tensor, reduction: str = "mean", **_: object) -> torch.Tensor:
        if reduction == "mean":  # a batch's; the sum is that of the epoch
            seen.append(labels)
        return logits.mean()

    training = Training(Candidate(PLAIN, replace(FAST, lr=1e-6)), few, 0)
    with monkeypatch.context() as patch:
        patch.setattr("trainer.training.step.cross_entropy", note)
        for _ in range(2):
            training.train_epoch()
    assert [len(batch) for batch in seen] == [64, 65, 64, 65]
    epochs = torch.cat(seen[:2]), torch.cat(seen[2:])
    assert all(sorted(epoch.tolist()) == list(range(129)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()  # shuffled anew
    assert epochs[0].tolist() != list(range(129))
