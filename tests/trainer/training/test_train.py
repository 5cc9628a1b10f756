"""Training on a few hundred digits: it learns, and is exact in what it reports."""

import copy
import math
from dataclasses import asdict, replace

import pytest
import torch

from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import Constant, Step
from tests.helpers.trainings import (
    FAST,
    LEARNER,
    N_EVALUATION,
    N_TRAIN,
    PLAIN,
    WITH_BN,
    plain_logits,
    recipes,
    same_weights,
    timeless,
    trained,
)
from trainer.data.images import TrainingData
from trainer.formats.trained import restore
from trainer.training.train import Training


def test_what_a_feature_changes_is_the_training(data: TrainingData) -> None:
    """Each feature arrives: no two of the recipes come to the same weights."""
    results = [trained(Candidate(WITH_BN, recipe), data)[1] for recipe in recipes().values()]
    for i, one in enumerate(results):
        assert not any(same_weights(one, other) for other in results[:i])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adamw", "lr": 0.02},
        {"ema_decay": 0.9, "dropout": 0.05, "label_smoothing": 0.1, "rotation_degrees": 10.0},
    ],
    ids=["sgd", "adamw", "regularised"],
)
def test_it_learns(data: TrainingData, changes: dict[str, float]) -> None:
    recipe = replace(FAST, epochs=8, batch_size=32, **changes)  # type: ignore[arg-type]
    records, _ = trained(Candidate(LEARNER, recipe), data)
    assert records[-1].eval_accuracy > 0.8
    assert records[-1].train_accuracy > 0.8
    assert records[-1].eval_loss < records[0].eval_loss


def test_records_are_whole_and_finite(data: TrainingData) -> None:
    candidate = Candidate(WITH_BN, replace(FAST, epochs=4, schedule=Step(2, 0.1)))
    records, _ = trained(candidate, data)
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert [record.lr for record in records] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    for record in records:
        assert record.to_dict() == asdict(record)
        assert all(math.isfinite(value) for value in record.to_dict().values())
        assert record.seconds > 0
        for accuracy, n in ((record.train_accuracy, N_TRAIN), (record.eval_accuracy, N_EVALUATION)):
            assert 0 <= accuracy <= 1
            assert accuracy == round(accuracy * n) / n  # to the last bit: .85 of 200 images is .85


def cross_entropies(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each image, nats: of its label, and the mean over all ten classes."""
    surprise = logits.double().logsumexp(1, keepdim=True) - logits.double()
    return surprise.gather(1, labels[:, None])[:, 0], surprise.mean(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("batch_size", [64, 150, 1000])
def test_training_loss_and_accuracy_are_those_of_the_passes(
    data: TrainingData, smoothing: float, batch_size: int
) -> None:
    # A learning rate of next to nothing: the network stays what it was at first, which is looked at from outside.
    recipe = Recipe(
        epochs=1, batch_size=batch_size, lr=1e-12, label_smoothing=smoothing, schedule=Constant(), weight_decay=0
    )
    training = Training(Candidate(PLAIN, recipe), data, seed=3)
    network = copy.deepcopy(training.result)
    (record,) = training
    logits = plain_logits(network, data.train, data)
    of_label, of_all = cross_entropies(logits, data.train.labels)
    expected = ((1 - smoothing) * of_label + smoothing * of_all).mean().item()
    assert record.train_loss == pytest.approx(expected, rel=1e-5)
    assert record.train_accuracy == (logits.argmax(1) == data.train.labels).sum().item() / N_TRAIN


@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9}, {"label_smoothing": 0.2, "dropout": 0.2}])
def test_evaluation_is_that_of_the_weights_kept(data: TrainingData, changes: dict[str, float]) -> None:
    recipe = replace(FAST, **changes)  # type: ignore[arg-type]
    records, training = trained(Candidate(WITH_BN, recipe), data)
    logits = plain_logits(restore(WITH_BN, training.weights()), data.evaluation, data)
    of_label, _ = cross_entropies(logits, data.evaluation.labels)  # never smoothed
    assert records[-1].eval_loss == pytest.approx(of_label.mean().item(), rel=1e-5)
    n_correct = (logits.argmax(1) == data.evaluation.labels).sum().item()
    assert records[-1].eval_accuracy == n_correct / N_EVALUATION


def test_logits_do_not_depend_on_the_place_in_a_batch(data: TrainingData) -> None:
    _, training = trained(Candidate(WITH_BN, FAST), data)
    pixels = torch.cat([data.train.pixels] * 6)[:2100]  # two batches of a thousand and a rest
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    logits = training.logits(pixels)
    assert logits.shape == (2100, 10)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(training.logits(pixels[order]), logits[order], rtol=0, atol=1e-5)
    alone = torch.cat([training.logits(pixels[i : i + 1]) for i in (0, 999, 1000, 2099)])
    torch.testing.assert_close(alone, logits[[0, 999, 1000, 2099]], rtol=0, atol=1e-5)
    assert not training.logits(pixels).requires_grad


def test_looking_at_logits_does_not_change_the_training(data: TrainingData) -> None:
    candidate = Candidate(WITH_BN, replace(FAST, dropout=0.2))
    records, training = trained(candidate, data)
    watched = Training(candidate, data, 0)
    seen = []
    for record in watched:
        seen.append(record)
        watched.logits(data.evaluation.pixels)
    assert timeless(seen) == timeless(records)
    assert same_weights(watched, training)


def test_weights_are_a_copy(data: TrainingData) -> None:
    training = iter(source := Training(Candidate(WITH_BN, FAST), data, 0))
    next(training)
    kept = source.weights()
    before = {name: tensor.clone() for name, tensor in kept.items()}
    next(training)
    assert all(torch.equal(kept[name], before[name]) for name in kept)
    assert not torch.equal(source.weights()["1_bn.weight"], kept["1_bn.weight"])
