"""A training repeats itself bit for bit, in this process and in another, in either number format."""

import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from models.candidate import Candidate
from models.recipe import Recipe
from tests.helpers.trainings import FAST, LEARNER, WITH_BN, plain_logits, recipes, same_weights, timeless, trained
from trainer.data.images import TrainingData
from trainer.formats.trained import restore


@pytest.mark.parametrize("recipe", recipes().values(), ids=recipes())
def test_a_seed_gives_the_same_bits(data: TrainingData, recipe: Recipe) -> None:
    candidate = Candidate(WITH_BN, recipe)
    torch.manual_seed(1)
    records, training = trained(candidate, data, seed=5)
    torch.manual_seed(2)  # what was drawn before has no say
    torch.rand(10)
    again, other = trained(candidate, data, seed=5)
    assert timeless(records) == timeless(again)
    assert same_weights(training, other)
    differs, another = trained(candidate, data, seed=6)
    assert timeless(records) != timeless(differs)
    assert not same_weights(training, another)


IN_ANOTHER_PROCESS = """
import pickle, sys
import torch
torch.set_num_threads(1)
from models.candidate import Candidate
from tests.helpers.trainings import WITH_BN, recipes, trained
data = pickle.load(sys.stdin.buffer)
records, training = trained(Candidate(WITH_BN, recipes()["all"]), data, seed=5)
print([(r.train_loss, r.eval_loss, r.eval_accuracy) for r in records])
print({name: tensor.tolist() for name, tensor in training.weights().items()})
"""


def test_another_process_gives_the_same_bits(data: TrainingData) -> None:
    records, training = trained(Candidate(WITH_BN, recipes()["all"]), data, seed=5)
    lines = [
        str([(r.train_loss, r.eval_loss, r.eval_accuracy) for r in records]),
        str({name: tensor.tolist() for name, tensor in training.weights().items()}),
    ]
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS]
    other = subprocess.run(command, input=pickle.dumps(data), capture_output=True, check=True)
    assert other.stdout.decode().splitlines() == lines


needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16"
)


@needs_bfloat16
def test_bfloat16_trains_and_is_measured_in_float32(data: TrainingData) -> None:
    candidate = Candidate(LEARNER, replace(FAST, epochs=8, batch_size=32))
    records, training = trained(candidate, data, dtype=torch.bfloat16)
    assert records[-1].eval_accuracy > 0.8
    assert timeless(records) != timeless(trained(candidate, data)[0])  # it is in use
    weights = training.weights()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32, torch.int64}
    logits = training.logits(data.evaluation.pixels)
    assert logits.dtype == torch.float32
    expected = plain_logits(restore(LEARNER, weights), data.evaluation, data)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


@needs_bfloat16
def test_bfloat16_gives_the_same_bits(data: TrainingData) -> None:
    candidate = Candidate(WITH_BN, recipes()["all"])
    (records, training), (again, other) = (trained(candidate, data, dtype=torch.bfloat16) for _ in range(2))
    assert timeless(records) == timeless(again)
    assert same_weights(training, other)
