"""ArchSpec's closed forms against networks that were really built, for hundreds of random architectures."""

from dataclasses import replace

import torch
from hypothesis import HealthCheck, assume, given, settings
from torch import nn

from models.arch import ArchSpec, LayerFacts
from models.build import build, count_params
from models.layers import AvgPool, Gap, Layer, MaxPool, Skip
from models.template import Template
from tests.helpers.oracles import built_rows, fvcore_counts
from tests.helpers.strategies import architectures, free_architectures, templates

# The same examples in every run; a slow machine is no failure.
exact = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LARGEST_FIELD = 120  # pixels; the networks of the gradient test run on images some times as large


@settings(exact, max_examples=120)
@given(templates())
def test_template_counts_are_fvcores(template: Template) -> None:
    arch = template.arch()
    assert (arch.params, arch.macs) == fvcore_counts(build(arch))


@settings(exact, max_examples=200)
@given(free_architectures())
def test_free_architecture_counts_are_fvcores(arch: ArchSpec) -> None:
    module = build(arch)
    assert arch.params == count_params(module)
    assert (arch.params, arch.macs) == fvcore_counts(module)


@settings(exact, max_examples=180)
@given(architectures())
def test_every_row_is_as_built(arch: ArchSpec) -> None:
    rows = [(row.input_shape, row.output_shape, row.params, row.macs) for row in arch.facts]
    assert rows == built_rows(arch)


@settings(exact, max_examples=30)
@given(architectures())
def test_peak_activations_are_the_largest_input_and_output_together(arch: ArchSpec) -> None:
    rows = built_rows(arch)
    sizes = [torch.Size(row.input_shape).numel() + torch.Size(row.output_shape).numel() for row in rows]
    for i, layer in enumerate(arch.layers):
        if isinstance(layer, Skip):  # adds in place what was held since the layers that it goes around
            sizes[i] = torch.Size(rows[i].input_shape).numel()
            for j in range(i - layer.back + 1, i + 1):
                sizes[j] += torch.Size(rows[i - layer.back].input_shape).numel()
    assert arch.peak_activations == max(sizes)


@settings(exact, max_examples=20)
@given(architectures())
def test_logits_are_a_batch_of_ten(arch: ArchSpec) -> None:
    assert build(arch)(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@settings(exact, max_examples=60)
@given(architectures(max_width=3))
def test_receptive_fields_are_the_reach_of_gradients(arch: ArchSpec) -> None:
    assume(arch.receptive_field <= LARGEST_FIELD and _jump(arch.facts) <= LARGEST_FIELD // 4)
    module = _transparent(arch)
    # So large that the central output of no layer sees a border: what strides drop moves it by under two jumps.
    side = arch.receptive_field + 6 * _jump(arch.facts)
    image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    reached = [_reach(output, image) for output in _layer_outputs(module, image)]
    assert reached == [row.receptive_field for row in arch.facts]


def _jump(rows: tuple[LayerFacts, ...]) -> int:
    """Distance in input pixels between two neighbouring outputs of the last row."""
    jump = 1
    for row in rows:
        jump *= row.stride
    return jump


def _transparent(arch: ArchSpec) -> nn.Sequential:
    """The network with positive weights, and means for maxima: every input in reach has a gradient."""
    layers = tuple(_as_mean(row) for row in arch.facts)
    module = build(replace(arch, layers=layers)).double().eval()
    for name, parameter in module.named_parameters():
        if name.endswith("conv.weight"):
            nn.init.uniform_(parameter, 0.5, 1.0)
        elif name.endswith("conv.bias"):
            nn.init.zeros_(parameter)  # a negative bias could close a ReLU
    return module


def _as_mean(row: LayerFacts) -> Layer:
    """GAP gets the size it has on 28x28, so that the network may run on larger images."""
    return AvgPool(row.kernel) if isinstance(row.layer, (MaxPool, Gap)) else row.layer


def _layer_outputs(module: nn.Sequential, image: torch.Tensor) -> list[torch.Tensor]:
    """The output of each layer, (1, C, H, W), after all that follows its convolution in place."""
    outputs: dict[str, torch.Tensor] = {}
    for name, child in module.named_children():
        if name != "flatten":
            image = child(image)
            outputs[name.split("_")[0]] = image
    return list(outputs.values())


def _reach(output: torch.Tensor, image: torch.Tensor) -> int:
    """Side of the square of pixels that have a gradient of the central output; fails when it is no square."""
    _, _, H, W = output.shape
    centre = output[0, :, H // 2, W // 2].sum()
    (gradient,) = torch.autograd.grad(centre, image, retain_graph=True)
    _, _, rows, columns = gradient.nonzero(as_tuple=True)
    height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
    assert height == width
    return height
