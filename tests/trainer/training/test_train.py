"""Training on a few hundred digits: reproducible, exact in what it reports, and it learns."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from models.schedules import Constant, OneCycle, Schedule, Step
from models.template import Template
from trainer.bundle.freeze import restore
from trainer.data.digits import load_digits
from trainer.data.images import Images, TrainingData
from trainer.training.average import WeightAverage
from trainer.training.records import DivergedError, EpochRecord
from trainer.training.train import Training

N_TRAIN, N_EVALUATION = 400, 200

HEAD = (Gap(), Conv(10, 1, then=()))
WITH_BN = ArchSpec((Conv(6, then=("bn", "relu", "dropout")), MaxPool(), Conv(12), MaxPool(), *HEAD))
# No batch norm and no dropout: an image's logits do not depend on the others of its batch, even in training.
LEARNER = ArchSpec((Conv(6, 5, 2, then=("bn", "relu", "dropout")), MaxPool(), Conv(10, 6, then=())))
UNBOUNDED = ArchSpec((Conv(4, then=()), MaxPool(), Conv(4, then=()), *HEAD))  # without ReLU nothing can die
PLAIN = ArchSpec((Conv(6, then=("relu",)), MaxPool(), Conv(8, bias=True, then=("relu",)), *HEAD))

FAST = Recipe(epochs=2, batch_size=64, lr=0.1)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """400 digits to learn from and 200 to be judged by."""
    train = load_digits().train
    return TrainingData.of(train.select(np.arange(N_TRAIN)), train.select(np.arange(N_TRAIN, N_TRAIN + N_EVALUATION)))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a worker process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
        "jitter": {"brightness": 0.3, "contrast": 0.3},
        "smoothing": {"label_smoothing": 0.1},
        "average": {"ema_decay": 0.9},
        "adamw": {"optimizer": "adamw", "lr": 0.01},
    }
    together = {name: value for fields in each.values() for name, value in fields.items()}
    return {name: replace(FAST, **fields) for name, fields in {**each, "all": together}.items()}


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
import torch
torch.set_num_threads(1)
import numpy as np
from models.candidate import Candidate
from tests.trainer.training.test_train import FAST, N_TRAIN, WITH_BN, recipes, trained
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData
train = load_digits().train
data = TrainingData.of(train.select(np.arange(N_TRAIN)), train.select(np.arange(N_TRAIN, N_TRAIN + 200)))
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
    other = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], capture_output=True, text=True, check=True)
    assert other.stdout.splitlines() == lines


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


def plain_logits(network: nn.Module, images: Images, data: TrainingData) -> torch.Tensor:
    """Of a network in evaluation mode, all images at once."""
    pixels = images.pixels.numpy().astype(np.float32)[:, None] / np.float32(255)
    with torch.no_grad():
        logits: torch.Tensor = network.eval()((torch.from_numpy(pixels) - data.mean) / data.std)
    return logits


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


def test_averaging_reads_nothing_back_from_the_device() -> None:
    """A GPU need not be waited for: on the meta device there is nothing to be read, and torch refuses to try."""
    with torch.device("meta"):
        network = build(WITH_BN)
    average = WeightAverage(network, 0.9)
    for _ in range(3):
        average.update(network)
    assert {tensor.device.type for tensor in average.network.state_dict().values()} == {"meta"}


def test_averaging_does_not_steer_the_training(data: TrainingData) -> None:
    records, training = trained(Candidate(WITH_BN, FAST), data)
    averaged, other = trained(Candidate(WITH_BN, replace(FAST, ema_decay=0.9)), data)
    assert [r.train_loss for r in records] == [r.train_loss for r in averaged]
    assert [r.eval_loss for r in records] != [r.eval_loss for r in averaged]
    assert torch.equal(training.result.state_dict()["1_conv.weight"], other._network.state_dict()["1_conv.weight"])


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
    assert [len(labels) for _, labels in training._batches()] == sizes
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

    def note(logits: torch.Tensor, labels: torch.Tensor, **_: object) -> torch.Tensor:
        seen.append(labels)
        return logits.mean()

    training = Training(Candidate(PLAIN, replace(FAST, lr=1e-6)), few, 0)
    with monkeypatch.context() as patch:
        patch.setattr("trainer.training.train.cross_entropy", note)
        for _ in range(2):
            training.train_epoch()
    assert [len(batch) for batch in seen] == [64, 65, 64, 65]
    epochs = torch.cat(seen[:2]), torch.cat(seen[2:])
    assert all(sorted(epoch.tolist()) == list(range(129)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()  # shuffled anew
    assert epochs[0].tolist() != list(range(129))


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
