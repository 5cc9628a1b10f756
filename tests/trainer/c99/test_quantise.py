"""What int8 loses is little, whatever the weights are, and sums stay in an int32."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.arch import ArchSpec
from models.build import build
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import AvgPool, Conv, Gap, MaxPool
from models.recipe import Recipe
from tests.helpers.c_programs import ARCHS, MEAN, STD, folded, some_pixels
from tests.helpers.integers import reference_logits
from trainer.c99.integer import IntegerConv, IntegerMean
from trainer.c99.quantise import _multiplier_and_shift, quantise
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData
from trainer.formats.folded import Affine, ConvStep, FoldedNetwork, fold
from trainer.training.train import Training

SMALL = ArchSpec(
    (Conv(8, 5, 2, padding=1, then=("relu", "bn")), MaxPool(), Conv(16, 3, then=("bn", "relu")), AvgPool(2),
     Conv(10, 2, then=()))
)  # fmt: skip


def float_logits(network: FoldedNetwork, pixels: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        logits: np.ndarray = network.module()(pixels.unsqueeze(1)).numpy()
    return logits


def test_a_trained_network_keeps_its_answers() -> None:
    data = TrainingData.of(load_digits().train, load_digits().test)
    training = Training(Candidate(SMALL, Recipe(epochs=3, batch_size=32)), data, seed=0)
    list(training)
    network = fold(SMALL, training.weights(), data.mean, data.std)
    integer = quantise(network, data.train.pixels[:300])
    theirs, ours = float_logits(network, data.evaluation.pixels), integer.logits(data.evaluation.pixels)
    assert (theirs.argmax(1) == data.evaluation.labels.numpy()).mean() > 0.9
    assert (theirs.argmax(1) == ours.argmax(1)).mean() >= 0.99
    off = ours * integer.logit_scale - theirs
    assert np.sqrt((off**2).mean()) < 0.02 * theirs.std()
    assert abs(off.mean()) < 0.005 * theirs.std()


@pytest.mark.parametrize("name", ARCHS)
def test_random_weights_keep_their_logits(name: str) -> None:
    network = folded(ARCHS[name])
    pixels = some_pixels()
    integer = quantise(network, pixels)
    theirs = float_logits(network, pixels)
    off = integer.logits(pixels) * integer.logit_scale - theirs
    assert np.abs(off).max() < 0.05 * np.ptp(theirs)


def changed(network: FoldedNetwork, place: int, **fields: object) -> FoldedNetwork:
    steps = list(network.steps)
    step = steps[place]
    assert isinstance(step, ConvStep)
    steps[place] = replace(step, **fields)  # type: ignore[arg-type]
    return replace(network, steps=tuple(steps))


SINGLE = ArchSpec((Conv(4, 3, bias=True, then=("relu",)), Gap(), Conv(10, 1, bias=True, then=())))


def single() -> FoldedNetwork:
    torch.manual_seed(0)
    return fold(SINGLE, build(SINGLE).state_dict(), MEAN, STD)


SIZES = (np.float32(10) ** np.arange(-8, 8, 4)).astype(np.float32)
EXTREMES: dict[str, dict[str, object]] = {
    "all-zero weights": {"weight": np.zeros((4, 1, 3, 3), np.float32)},
    "no output at all": {"weight": np.zeros((4, 1, 3, 3), np.float32), "bias": np.full(4, -1, np.float32)},
    "nothing but a bias": {"weight": np.full((4, 1, 3, 3), 1e-30, np.float32), "bias": np.full(4, 3, np.float32)},
    "a large bias": {"bias": np.array([1e6, -1e6, 0, 1], np.float32)},
    "channels of every size": {"weight": np.ones((4, 1, 3, 3), np.float32) * SIZES[:, None, None, None]},
    "a factor of zero": {"affine": Affine(np.zeros(4, np.float32), np.array([1, -2, 3, 0], np.float32))},
    "a steep slope": {"slope": -100.0},
    "a SiLU of large sums": {"slope": 1.0, "has_silu": True, "bias": np.array([1e4, -1e4, 0, 1], np.float32)},
    "an offset far away": {"affine": Affine(np.ones(4, np.float32), np.array([1e4, 0, 0, -1e4], np.float32))},
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_weights_overflow_nothing(name: str) -> None:
    """The oracle asserts that no sum leaves an int32."""
    network = changed(single(), 0, **EXTREMES[name])
    pixels = some_pixels()
    integer = quantise(network, pixels)
    ours, theirs = integer.logits(pixels), float_logits(network, pixels)
    assert np.array_equal(ours[:6], reference_logits(integer, pixels[:6].numpy()))
    assert np.abs(ours * integer.logit_scale - theirs).max() < 0.01 * np.abs(theirs).max()


def test_a_slope_that_has_no_room_is_refused() -> None:
    with pytest.raises(MnistSearchError, match=r"^a slope of 200 is too steep for int8: leave int8 out \(--no-int8\)$"):
        quantise(changed(single(), 0, slope=200.0), some_pixels())


def real_bias(conv: IntegerConv, scale: float) -> np.ndarray:
    """(O,) of a convolution whose output has this scale: the multiplier says what a step of the sum is worth."""
    by = conv.requantisation
    bias: np.ndarray = conv.bias * scale * by.multiplier / 2.0**by.shift
    return bias


def test_offsets_between_two_steps_are_not_lost() -> None:
    """An offset of .4 of a step of int8 is rounded away there, and comes back in the next convolution's bias."""
    network, pixels = single(), some_pixels()
    with torch.no_grad():
        outputs = network.module().steps[0](((pixels / 255 - MEAN) / STD).unsqueeze(1))
    offset = 0.4 * float(outputs.max()) / 255
    moved = changed(network, 0, affine=Affine(np.ones(4, np.float32), np.full(4, offset, np.float32)))
    before, after = (quantise(one, pixels) for one in (network, moved))
    last = network.steps[-1]
    assert isinstance(last, ConvStep)
    gained = real_bias(after.last_conv, after.logit_scale) - real_bias(before.last_conv, before.logit_scale)
    np.testing.assert_allclose(gained, last.weight.sum((1, 2, 3)) * offset, atol=0.02 * offset)


def test_a_black_border_is_black() -> None:
    """Beyond the border lies what stands for zero, and of pixels that is their mean, rounded."""
    integer = quantise(folded(ARCHS["odd"]), some_pixels())
    first = integer.steps[0]
    assert isinstance(first, IntegerConv)
    assert first.input_zero == round(255 * MEAN) - 128


def test_means_have_steps_of_their_own() -> None:
    integer = quantise(single(), some_pixels())
    mean = integer.steps[1]
    assert isinstance(mean, IntegerMean)
    factor = mean.requantisation.multiplier[0] / 2.0 ** mean.requantisation.shift[0]
    assert factor * 26**2 > 1.2  # finer than those of what they are the means of


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.5, 1e-6, -3e-9, 0.9999999999, 60000.0, 0.0])
def test_multipliers_are_precise(factor: float) -> None:
    multiplier, shift = _multiplier_and_shift(factor)
    assert abs(multiplier) < 2**31
    assert 1 <= shift <= 62
    assert multiplier / 2**shift == pytest.approx(factor, rel=2**-30, abs=0)


def test_a_factor_too_small_to_count_is_none() -> None:
    assert _multiplier_and_shift(2.0**-34) == (0, 1)


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (torch.zeros(0, 28, 28, dtype=torch.uint8), "(0, 28, 28) uint8"),
        (torch.zeros(2, 1, 28, 28), "(2, 1, 28, 28) float32"),
    ],
)
def test_images_of_another_kind_are_refused(pixels: torch.Tensor, got: str) -> None:
    text = f"quantisation needs images of shape (N, 28, 28) uint8, and got {got}"
    with pytest.raises(MnistSearchError, match=f"^{re.escape(text)}$"):
        quantise(single(), pixels)
