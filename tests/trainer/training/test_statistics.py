"""Batch statistics that are estimated anew for what is evaluated."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from models.build import build
from models.candidate import Candidate
from tests.helpers.trainings import FAST, WITH_BN
from trainer.data.images import TrainingData
from trainer.training.statistics import StatisticsEstimate
from trainer.training.train import Training


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("n_images", [40, 1000, 10**6])
def test_they_are_those_of_the_images_as_they_are(data: TrainingData, n_images: int) -> None:
    torch.manual_seed(0)
    network = build(WITH_BN, dropout=0.5)
    momenta = [norm.momentum for norm in _norms(network)]
    StatisticsEstimate(network, data, n_images)()
    assert [norm.momentum for norm in _norms(network)] == momenta
    pixels = data.train.pixels[:n_images].unsqueeze(1).float() / 255
    seen: list[torch.Tensor] = []
    first = _norms(network)[0]
    first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        network.eval()((pixels - data.mean) / data.std)
    torch.testing.assert_close(first.running_mean, seen[0].mean((0, 2, 3)), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(first.running_var, seen[0].var((0, 2, 3)), atol=1e-4, rtol=1e-2)


def test_they_say_nothing_of_what_was_there_before(data: TrainingData) -> None:
    network = build(WITH_BN, dropout=0.0)
    other = deepcopy(network)
    for buffer in other.buffers():
        if buffer.is_floating_point():
            buffer.fill_(7.0)
    for one in (network, other):
        StatisticsEstimate(one, data, 100)()
    assert all(torch.equal(one, changed) for one, changed in zip(network.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_training_itself_does_not_see_them(data: TrainingData, decay: float) -> None:
    plain = replace(FAST, epochs=3, dropout=0.3, ema_decay=decay)
    estimated = replace(plain, statistics_images=100)
    records, others = (list(Training(Candidate(WITH_BN, recipe), data, 0)) for recipe in (plain, estimated))
    assert [record.train_loss for record in records] == [record.train_loss for record in others]
    assert all(record.eval_loss != other.eval_loss for record, other in zip(records, others, strict=True))


def test_what_is_kept_is_what_was_evaluated(data: TrainingData) -> None:
    recipe = replace(FAST, epochs=2, ema_decay=0.9, statistics_images=100)
    training = Training(Candidate(WITH_BN, recipe), data, 0)
    *_, last = training
    network = build(WITH_BN, dropout=0.0)
    network.load_state_dict(training.weights())
    pixels = data.evaluation.pixels.unsqueeze(1).float() / 255
    with torch.no_grad():
        answers = network.eval()((pixels - data.mean) / data.std).argmax(1)
    assert (answers == data.evaluation.labels).float().mean().item() == pytest.approx(last.eval_accuracy)
