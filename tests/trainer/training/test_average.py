"""The moving average of the weights."""

from dataclasses import replace

import pytest
import torch

from models.candidate import Candidate
from tests.helpers.trainings import FAST, WITH_BN, trained
from trainer.data.images import TrainingData
from trainer.training.train import Training


@pytest.mark.parametrize("decay", [0.3, 0.95])
def test_what_is_evaluated_is_the_average_of_the_weights(data: TrainingData, decay: float) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def keep(_number: int, _n_batches: int) -> None:
        state = training._network.state_dict()
        seen.append({name: tensor.double().clone() for name, tensor in state.items() if tensor.is_floating_point()})

    training = Training(Candidate(WITH_BN, replace(FAST, ema_decay=decay)), data, seed=0, on_batch=keep)
    list(training)
    average = seen[0]
    for n, state in enumerate(seen[1:], 1):  # n states are in the average so far
        keeps = min(decay, (1 + n) / (10 + n))
        average = {name: keeps * average[name] + (1 - keeps) * state[name] for name in average}
    assert len(seen) == 14  # two epochs of seven batches: the decay of .3 is reached, that of .95 not yet
    result = training.weights()
    for name, expected in average.items():
        torch.testing.assert_close(result[name].double(), expected, rtol=1e-4, atol=1e-6)
    # It is no longer the network of the last batch: neither its weights nor its batch statistics.
    assert not torch.allclose(result["1_conv.weight"].double(), seen[-1]["1_conv.weight"], rtol=1e-3)
    assert not torch.allclose(result["1_bn.running_var"].double(), seen[-1]["1_bn.running_var"], rtol=1e-3)


def test_averaging_does_not_steer_the_training(data: TrainingData) -> None:
    records, training = trained(Candidate(WITH_BN, FAST), data)
    averaged, other = trained(Candidate(WITH_BN, replace(FAST, ema_decay=0.9)), data)
    assert [r.train_loss for r in records] == [r.train_loss for r in averaged]
    assert [r.eval_loss for r in records] != [r.eval_loss for r in averaged]
    assert torch.equal(training.result.state_dict()["1_conv.weight"], other._network.state_dict()["1_conv.weight"])
