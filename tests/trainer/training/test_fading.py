"""Augmentation and dropout that fall to nothing at the end of a training."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.candidate import Candidate
from models.recipe import Recipe, strength
from tests.helpers.trainings import FAST, WITH_BN
from trainer.data.images import TrainingData
from trainer.fused.network import FusedNetwork, has_kernels
from trainer.training.plan import draw_plan
from trainer.training.train import Training


@pytest.mark.parametrize(
    ("epochs", "share", "expected"),
    [
        (4, 0.0, [1, 1, 1, 1]),
        (4, 0.5, [1, 1, 0.5, 0]),
        (4, 1.0, [0.75, 0.5, 0.25, 0]),
        (5, 0.1, [1, 1, 1, 1, 0]),  # half an epoch is the last one
        (1, 0.5, [0]),
    ],
)
def test_what_is_left_of_it_in_each_epoch(epochs: int, share: float, expected: list[float]) -> None:
    recipe = Recipe(epochs=epochs, fade_share=share)
    assert [strength(recipe, epoch) for epoch in range(1, epochs + 1)] == pytest.approx(expected)


def test_the_last_epoch_shows_the_images_as_they_are() -> None:
    recipe = Recipe(epochs=4, rotation_degrees=20, translation_share=0.1, brightness=0.2, fade_share=0.5)
    plans = {epoch: draw_plan(recipe, 50, 0, epoch, [0.1], [1.0]).changes for epoch in (2, 4)}
    unchanged = torch.eye(2, 3).expand(50, 2, 3)
    assert plans[2].theta is not None
    assert not torch.allclose(plans[2].theta, unchanged, atol=0.01)
    assert plans[4].theta is not None
    torch.testing.assert_close(plans[4].theta, unchanged)
    assert plans[4].brightness is not None
    assert plans[4].brightness.eq(1).all()


def test_dropout_of_each_epoch(data: TrainingData) -> None:
    recipe = replace(FAST, epochs=4, dropout=0.4, fade_share=0.75)
    training = Training(Candidate(WITH_BN, recipe), data, 0)
    network = training._step.network
    assert isinstance(network, FusedNetwork)
    assert network._noise.keep is not None
    kept = [network._noise.keep.item() for _ in training]
    assert kept == pytest.approx([0.6, 1 - 0.4 * 2 / 3, 1 - 0.4 / 3, 1])


@pytest.mark.skipif(not has_kernels(), reason="no compiler")
def test_the_kernels_go_by_it(data: TrainingData) -> None:
    training = Training(Candidate(WITH_BN, replace(FAST, epochs=4, dropout=0.4, fade_share=0.75)), data, 0)
    [dropout] = [module for module in training._network if isinstance(module, nn.Dropout)]
    assert [dropout.p for _ in training] == pytest.approx([0.4, 0.4 * 2 / 3, 0.4 / 3, 0])


@pytest.mark.parametrize("fused", [True, False])
def test_an_epoch_without_any_is_one_of_a_recipe_without(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, fused: bool
) -> None:
    if not fused:
        monkeypatch.setattr("trainer.fused.network.load_kernels", lambda: None)
    faded = Training(Candidate(WITH_BN, replace(FAST, epochs=1, dropout=0.4, fade_share=1.0)), data, 0)
    plain = Training(Candidate(WITH_BN, replace(FAST, epochs=1)), data, 0)
    for record, other in zip(faded, plain, strict=True):
        assert record.train_loss == other.train_loss
        assert record.eval_loss == other.eval_loss
