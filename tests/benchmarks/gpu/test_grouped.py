"""Networks trained as one against the same networks trained one by one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.gpu.grouped import Grouped, fused, measure, measure_apart, split
from models.arch import ArchSpec
from models.build import build
from models.layers import AvgPool, Conv, Gap, MaxPool
from models.presets import PRESETS
from tests.helpers.recording import Recording
from tests.helpers.trainings import FAST
from trainer.fused.kernels import SWITCH, load_kernels

M, BATCH, STEPS = 3, 8, 3
WITH_GROUPS = ArchSpec(
    (Conv(4, 5, 2, bias=True), Conv(8, groups=2, then=("relu", "bn")), MaxPool(), Gap(), Conv(10, 1, then=()))
)
AVERAGED = ArchSpec((Conv(6, 5, then=("bn",)), AvgPool(4), Conv(8), Gap(), Conv(10, 1, bias=True, then=("relu",))))
DROPPED = ArchSpec((Conv(6, 5, then=("bn", "relu", "dropout")), Gap(), Conv(10, 1, then=())))
ARCHS = {"a-step5": PRESETS["a-step5"].candidate.arch, "groups": WITH_GROUPS, "averaged": AVERAGED}
# The rate is a number that float32 holds too, in which a rate on the device is told.
RECIPE = replace(FAST, batch_size=BATCH, lr=0.125, weight_decay=0.01, label_smoothing=0.1)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trains by torch's own operations, as a GPU does."""
    monkeypatch.setenv(SWITCH, "0")
    load_kernels.cache_clear()
    yield
    load_kernels.cache_clear()


def _networks(arch: ArchSpec, dtype: torch.dtype, dropout: float = 0.0) -> list[nn.Sequential]:
    torch.manual_seed(1)
    return [build(arch, dropout).to(dtype).train() for _ in range(M)]


def _batches(dtype: torch.dtype) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images (B, M, 28, 28) and labels (B, M) of each step."""
    return [(torch.randn(BATCH, M, 28, 28, dtype=dtype), torch.randint(10, (BATCH, M))) for _ in range(STEPS)]


def _train_alone(network: nn.Sequential, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Plain torch, nothing of ours in it. Returns the last step's loss."""
    optimizer = torch.optim.SGD(network.parameters(), RECIPE.lr, 0.9, weight_decay=0.01, nesterov=True)
    loss = torch.zeros(1)
    for images, labels in batches:
        loss = cross_entropy(network(images), labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def _train_together(training: Grouped, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for images, labels in batches:
        training.images.copy_(images)
        training.labels.copy_(labels)
        training.step()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("arch", ARCHS.values(), ids=ARCHS)
def test_steps_of_one_are_the_steps_of_each(arch: ArchSpec, dtype: torch.dtype) -> None:
    """Weights and running statistics. In float64 (by torch's operations) rounding is all that can differ."""
    networks, batches = _networks(arch, dtype), _batches(dtype)
    training = Grouped(networks, RECIPE)
    _train_together(training, batches)
    losses = [
        _train_alone(network, [(images[:, i : i + 1], labels[:, i]) for images, labels in batches])
        for i, network in enumerate(networks)
    ]
    rtol, atol = (1e-9, 1e-11) if dtype == torch.float64 else (1e-3, 1e-4)
    torch.testing.assert_close(training.losses, torch.tensor(losses, dtype=dtype), rtol=rtol, atol=atol)
    for network, ours in zip(networks, training.weights(), strict=True):
        theirs = network.state_dict()
        assert ours.keys() == theirs.keys()
        for name in theirs.keys() - {name for name in theirs if name.endswith("num_batches_tracked")}:
            torch.testing.assert_close(ours[name], theirs[name], rtol=rtol, atol=atol)


def test_what_is_split_is_what_was_fused() -> None:
    networks = _networks(WITH_GROUPS, torch.float32)
    for network, state in zip(networks, split(fused(networks), M), strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
        network.load_state_dict(state)


def test_equal_networks_with_equal_images_are_not_dropped_from_alike() -> None:
    network = build(DROPPED, 0.5)
    training = Grouped([network, network], replace(RECIPE, dropout=0.5))
    training.images.copy_(torch.randn(BATCH, 1, 28, 28))
    training.step()
    first, second = training.losses.tolist()
    assert first != second


@pytest.mark.usefixtures("without_kernels")
def test_a_step_can_be_captured() -> None:
    """It reads nothing back, and done again from what was written down it is the step, dropout drawn anew."""
    recipe = replace(RECIPE, dropout=0.25)
    trainings = [Grouped(_networks(ARCHS["a-step5"], torch.float32, 0.25), recipe) for _ in range(2)]
    batches = _batches(torch.float32)
    recording = Recording()
    for training in trainings:
        training.generator.manual_seed(2)
        _train_together(training, batches[:1])
    losses = trainings[0].losses
    with recording:
        trainings[0].step()
    trainings[1].step()
    for images, labels in batches[1:]:
        trainings[0].images.copy_(images)
        trainings[0].labels.copy_(labels)
        for training in trainings:
            training.rate.fill_(0.0625)
        recording.replay()
        _train_together(trainings[1], [(images, labels)])
    assert torch.equal(losses, trainings[1].losses)
    for ours, theirs in zip(trainings[0].weights(), trainings[1].weights(), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_modules_that_mix_channels_are_refused() -> None:
    with pytest.raises(TypeError, match="side by side"):
        fused([nn.Sequential(nn.Softmax(1)), nn.Sequential(nn.Softmax(1))])


def test_measures_on_a_cpu_too() -> None:
    assert measure(2, 4, "cpu") > 0
    assert measure_apart(2, 4, "cpu", torch.bfloat16, torch.contiguous_format) > 0
