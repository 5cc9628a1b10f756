"""Where everything of a network lies in its C tables, and how many bytes that takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from models.errors import MnistSearchError
from models.layers import Shape
from trainer.c99.integer import SILU_TABLE
from trainer.formats.folded import AddStep, ConvStep, FoldedNetwork, PoolStep, Step

LARGEST_FIELD = 0xFFFF - 1
"""Of the table's 16-bit fields; the next one says NO_AFFINE."""
_LAYER_BYTES = 28  # sizeof(Layer): 2 x 1, 9 x 2 and 2 x 4 bytes, none between
_FLOAT_BYTES = _INT32_BYTES = 4


@dataclass(frozen=True)
class LayerPlace:
    """A row of the table of layers: a step, and where its values begin."""

    step: Step
    weight: int
    channel: int
    affine: int | None
    before: int
    """Where in int8 the entries begin that come before a SiLU."""

    @property
    def activation(self) -> str:
        """One of the enum in layers.c."""
        if not isinstance(self.step, ConvStep):
            return "LINEAR"
        if self.step.has_silu:
            return "SILU"
        return {0.0: "RELU", 1.0: "LINEAR"}.get(self.step.slope, "LEAKY")


@dataclass(frozen=True)
class Layout:
    """Numbers of what the tables hold, by element.

    What there is one of for each output channel lies in the order of the convolutions; behind all of them, in int8
    alone, one value for each mean pool that is not in the tail, one for each output channel of a SiLU, and two for each
    step that adds what was kept.
    """

    places: tuple[LayerPlace, ...]
    last_conv: int
    """Place of the last convolution among the layers, from 0; what follows is the tail."""
    n_weights: int
    n_channels: int
    n_means: int
    n_before: int
    n_adds: int
    n_kept: int
    """Values of the largest tensor that is kept; it begins the scratch."""
    n_affine: int
    f32_scratch: int
    """In floats."""
    int8_scratch: int
    """In int32."""

    @property
    def table_bytes(self) -> int:
        """Of the table of layers, which both variants have."""
        return _LAYER_BYTES * len(self.places)

    @property
    def f32_bytes(self) -> int:
        """Weights, biases, factors and offsets; an array that would be empty has one element."""
        slopes = len(self.places) * self.has_slopes
        return _FLOAT_BYTES * (self.n_weights + self.n_channels + 2 * max(1, self.n_affine) + slopes)

    @property
    def int8_bytes(self) -> int:
        """Weights, the zero of each layer, and a bias, multiplier, offset and shift for each entry; what activations
        need beside them."""
        n_layers = len(self.places)
        silu = self.has_silu * (_INT32_BYTES * len(SILU_TABLE) + 2 * n_layers)
        slopes = self.has_slopes * _INT32_BYTES * n_layers
        return self.n_weights + n_layers + (3 * _INT32_BYTES + 1) * self.n_entries + silu + slopes

    @property
    def n_entries(self) -> int:
        """Of the int8 tables of biases, multipliers, shifts and offsets."""
        return self.n_channels + self.n_means + self.n_before + 2 * self.n_adds

    @property
    def has_slopes(self) -> bool:
        """Whether an activation has a slope that is neither 0 nor 1."""
        return any(place.activation == "LEAKY" for place in self.places)

    @property
    def has_silu(self) -> bool:
        """Whether an activation is x * sigmoid(x)."""
        return any(place.activation == "SILU" for place in self.places)

    @property
    def widest_row(self) -> int:
        """The longest row of outputs of a convolution."""
        return max(place.step.output_shape[2] for place in self.places if isinstance(place.step, ConvStep))


def lay_out(network: FoldedNetwork) -> Layout:
    """Raises MnistSearchError for a layer that is too large for the table's fields of 16 bits."""
    steps = network.steps
    n_kept = max((prod(step.kept_shape) for step in steps if isinstance(step, AddStep)), default=0)
    convs = [step for step in steps if isinstance(step, ConvStep)]
    last_conv = max(i for i, step in enumerate(steps) if isinstance(step, ConvStep))
    layout = Layout(
        places=tuple(_places(steps, last_conv)),
        last_conv=last_conv,
        n_weights=sum(step.weight.size for step in convs),
        n_channels=sum(len(step.bias) for step in convs),
        n_means=sum(_is_mean(step) for step in steps[:last_conv]),
        n_before=sum(len(step.bias) for step in convs if step.has_silu),
        n_adds=sum(isinstance(step, AddStep) for step in steps),
        n_kept=n_kept,
        n_affine=sum(len(step.bias) for step in convs if step.affine is not None),
        f32_scratch=n_kept + max(_f32_values(steps)),
        int8_scratch=_int32s(n_kept) + _int32s(max(_int8_bytes(steps, last_conv))),
    )
    _check_fields(layout)
    return layout


def _int32s(n_bytes: int) -> int:
    return -(-n_bytes // _INT32_BYTES)


def _is_mean(step: Step) -> bool:
    return isinstance(step, PoolStep) and step.is_mean


def _places(steps: Sequence[Step], last_conv: int) -> Iterator[LayerPlace]:
    weight = channel = affine = 0
    mean = sum(len(step.bias) for step in steps if isinstance(step, ConvStep))
    before = mean + sum(_is_mean(step) for step in steps[:last_conv])
    add = before + sum(len(step.bias) for step in steps if isinstance(step, ConvStep) and step.has_silu)
    for i, step in enumerate(steps):
        if isinstance(step, ConvStep):
            yield LayerPlace(step, weight, channel, None if step.affine is None else affine, before * step.has_silu)
            weight, channel = weight + step.weight.size, channel + len(step.bias)
            affine += 0 if step.affine is None else len(step.bias)
            before += len(step.bias) * step.has_silu
        elif isinstance(step, AddStep):
            yield LayerPlace(step, 0, add, None, 0)
            add += 2
        else:
            yield LayerPlace(step, 0, mean if _is_mean(step) and i < last_conv else 0, None, 0)
            mean += _is_mean(step)


def _has_output(step: Step) -> bool:
    """Whether it is not done in place."""
    return isinstance(step, (ConvStep, PoolStep))


def _f32_values(steps: Sequence[Step]) -> Iterator[int]:
    """For each layer what is in the scratch at once: input and output. The last output is the caller's logits."""
    for step in filter(_has_output, steps):
        yield prod(step.input_shape) + (0 if step is steps[-1] else prod(step.output_shape))


def _int8_bytes(steps: Sequence[Step], last_conv: int) -> Iterator[int]:
    """The same in bytes; pools behind the last convolution work on one map of int32."""
    for step in filter(_has_output, steps[:last_conv]):
        yield prod(step.input_shape) + prod(step.output_shape)
    has_tail = last_conv < len(steps) - 1
    yield prod(steps[last_conv].input_shape) + has_tail * _INT32_BYTES * prod(steps[last_conv].output_shape[1:])


def _check_fields(layout: Layout) -> None:
    for number, place in enumerate(layout.places, 1):
        largest = max(_fields(place.step), default=0)
        entries = layout.n_entries * layout.has_silu
        if max(largest, layout.n_affine, entries) > LARGEST_FIELD:
            value = max(largest, layout.n_affine, entries)
            raise MnistSearchError(f"step {number} has a value of {value:,}: C tables hold up to {LARGEST_FIELD:,}")


def _fields(step: Step) -> tuple[int, ...]:
    shapes: tuple[Shape, Shape] = (step.input_shape, step.output_shape)
    window = (step.stride, step.padding, step.groups, step.weight.shape[2]) if isinstance(step, ConvStep) else ()
    return (*shapes[0], *shapes[1], *window)
