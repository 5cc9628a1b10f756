"""ArchSpec: a frozen description of a network, which counts itself without being built."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.errors import InvalidArchitectureError
from models.layers import Conv, Layer, Shape, Skip
from models.reach import fault_at_the_end, reach_fault

INPUT_SHAPE: Shape = (1, 28, 28)
N_CLASSES = 10
OUTPUT_SHAPE: Shape = (N_CLASSES, 1, 1)
MOST_LAYERS = 1_000
MOST_PARAMS = 100_000_000
"""As float32 with gradient and momentum 1.2 GB; the largest network of the sources has 6 million."""
MOST_ACTIVATIONS = 4_000_000
"""Of one image, in and out of one layer; the largest network of the sources has 88,000."""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One row of the layer table: a layer at its place. Shapes are (C, H, W) of one image."""

    layer: Layer
    kernel: int
    stride: int
    padding: int
    input_shape: Shape
    output_shape: Shape
    params: int
    macs: int
    receptive_field: int
    """Side, in input pixels, of the square that one output value of this layer can see (without the borders' cut)."""
    held: int
    """Values that are held beside input and output, since a later skip adds them."""


@dataclass(frozen=True)
class ArchSpec:
    """Layers from an input of 1x28x28 to 10 logits (an output of 10x1x1).

    Raises InvalidArchitectureError, which holds every fault found, when the layers cannot be built.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        faults = find_faults(self.layers)
        if faults:
            raise InvalidArchitectureError(faults)

    @cached_property
    def facts(self) -> tuple[LayerFacts, ...]:
        """A row for each layer, in order."""
        return tuple(_trace(self.layers))

    @cached_property
    def params(self) -> int:
        """Trainable parameters: convolution weights and biases, BatchNorm weights and biases."""
        return sum(row.params for row in self.facts)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the convolutions for one image (half of what is called FLOPs elsewhere)."""
        return sum(row.macs for row in self.facts)

    @property
    def receptive_field(self) -> int:
        """The receptive field of a logit, in input pixels."""
        return self.facts[-1].receptive_field

    @property
    def peak_activations(self) -> int:
        """The most values held at once for one image: a layer's input and output together.

        What follows a convolution in place (normalisation, activation) needs no memory of its own at inference, nor
        does a skip; but what it adds is held until then.
        """
        return max(_values_at_once(row) for row in self.facts)


def find_faults(layers: Iterable[Layer]) -> list[str]:
    """Every fault of a list of layers, each naming its layer by number (from 1) and text; empty when it builds."""
    layers = list(layers)
    if len(layers) > MOST_LAYERS:
        return [f"{len(layers):,} layers: there may be {MOST_LAYERS:,}"]
    faults = [f"layer {i} ({x.text()}): {fault}" for i, x in enumerate(layers, 1) for fault in x.faults()]
    if faults:
        return faults  # shapes cannot be followed through impossible values
    shapes, n_params = [INPUT_SHAPE], 0
    for i, layer in enumerate(layers, 1):
        misfit = layer.misfit(shapes[-1]) or reach_fault(layers[:i], shapes)
        if misfit:
            return [f"layer {i} ({layer.text()}): {misfit}"]
        shape, output = shapes[-1], layer.output_shape(shapes[-1])
        n_params += layer.params(shape)
        if n_params > MOST_PARAMS or _size(shape) + _size(output) > MOST_ACTIVATIONS:
            # By the shapes alone: to build it would take the memory that it is refused for.
            return [
                f"layer {i} ({layer.text()}): too large to be trained here: a network may have {MOST_PARAMS:,} "
                f"parameters, and {MOST_ACTIVATIONS:,} values of an image in and out of a layer"
            ]
        shapes.append(output)
    shape = shapes[-1]
    if not any(isinstance(layer, Conv) for layer in layers):
        return ["no layer is a convolution: there is nothing to train"]
    if shape != OUTPUT_SHAPE:
        return [
            f"the head is missing: the last output is {shape_text(shape)}, it must be 10x1x1 "
            "(say gap, then conv 10 of kernel 1)"
        ]
    late = fault_at_the_end(layers)
    return [late] if late else []


def shape_text(shape: Shape) -> str:
    """A shape as `CxHxW`."""
    return "x".join(map(str, shape))


def _trace(layers: Iterable[Layer]) -> Iterable[LayerFacts]:
    # Receptive field by the recurrence r += (k - 1) * j, j *= s, where j ("jump") is the distance in input pixels
    # between two neighbouring outputs. Source: Araujo et al., Computing Receptive Fields of CNNs, Distill 2019.
    # A skip sees less than what it goes around, and changes nothing of it.
    layers = list(layers)
    shapes, field, jump = [INPUT_SHAPE], 1, 1
    for i, layer in enumerate(layers):
        shape = shapes[-1]
        kernel, stride, padding = layer.window(shape)
        field += (kernel - 1) * jump
        jump *= stride
        shapes.append(layer.output_shape(shape))
        counts = layer.params(shape), layer.macs(shape), field, _held(layers, shapes, i)
        yield LayerFacts(layer, kernel, stride, padding, shape, shapes[-1], *counts)


def _held(layers: Sequence[Layer], shapes: Sequence[Shape], i: int) -> int:
    """What layer i (from 0) does not see and a skip behind it, or itself, adds: skips do not go around each other."""
    starts = [j - skip.back for j, skip in enumerate(layers) if isinstance(skip, Skip) and j - skip.back < i <= j]
    return sum(_size(shapes[start]) for start in starts)


def _values_at_once(row: LayerFacts) -> int:
    in_place = isinstance(row.layer, Skip)
    return _size(row.input_shape) + (0 if in_place else _size(row.output_shape)) + row.held


def _size(shape: Shape) -> int:
    C, H, W = shape
    return C * H * W
