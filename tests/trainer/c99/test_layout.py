"""Where things lie, and that nothing is too large for its field."""

from dataclasses import replace
from math import prod

import pytest

from models.errors import MnistSearchError
from models.layers import Dropout, Skip
from tests.helpers.c_programs import ARCHS, folded
from trainer.c99.layout import lay_out
from trainer.formats.folded import ConvStep, PoolStep


@pytest.mark.parametrize("name", ARCHS)
def test_values_lie_one_behind_the_other(name: str) -> None:
    layout = lay_out(folded(ARCHS[name]))
    convs = [(place, place.step) for place in layout.places if isinstance(place.step, ConvStep)]
    weight = channel = affine = 0
    for place, step in convs:
        assert (place.weight, place.channel) == (weight, channel)
        assert place.affine == (affine if step.affine else None)
        weight, channel = weight + step.weight.size, channel + len(step.bias)
        affine += len(step.bias) if step.affine else 0
    assert (layout.n_weights, layout.n_channels, layout.n_affine) == (weight, channel, affine)
    means = [place.channel for place in layout.places[: layout.last_conv] if getattr(place.step, "is_mean", False)]
    assert means == list(range(channel, channel + layout.n_means))


@pytest.mark.parametrize("name", ARCHS)
def test_scratch_is_the_most_that_is_held_at_once(name: str) -> None:
    """float32: ArchSpec counts it, and the last output is the caller's. int8: the same, and one map of int32. What a
    skip adds is a copy of its own."""
    arch = ARCHS[name]
    layout = lay_out(folded(arch))
    kept = max(
        (prod(arch.facts[i - x.back].input_shape) for i, x in enumerate(arch.layers) if isinstance(x, Skip)), default=0
    )
    rows = [row for row in arch.facts if not isinstance(row.layer, (Skip, Dropout))]
    assert layout.f32_scratch == kept + max(
        prod(row.input_shape) + prod(row.output_shape) * (row is not rows[-1]) for row in rows
    )
    last = layout.places[layout.last_conv].step
    tail = 4 * prod(last.output_shape[1:]) if layout.last_conv < len(layout.places) - 1 else 0
    steps = [place.step for place in layout.places[: layout.last_conv]]
    moved = [step for step in steps if isinstance(step, (ConvStep, PoolStep))]  # the others are done in place
    before = [prod(step.input_shape) + prod(step.output_shape) for step in moved]
    n_bytes = layout.int8_scratch * 4 - -(-kept // 4) * 4
    assert n_bytes - max(*before, prod(last.input_shape) + tail) in range(4)


def test_what_does_not_fit_its_field_is_refused() -> None:
    network = folded(ARCHS["odd"])
    first = network.steps[0]
    assert isinstance(first, ConvStep)
    wide = replace(network, steps=(replace(first, padding=70_000), *network.steps[1:]))
    with pytest.raises(MnistSearchError, match=r"^step 1 has a value of 70,000: C tables hold up to 65,534$"):
        lay_out(wide)
