"""The constant tables of the C text: layers, and the values of each variant."""

from collections.abc import Iterator

import numpy as np

from models.arch import shape_text
from trainer.c99.integer import SILU_TABLE, IntegerAdd, IntegerConv, IntegerMean, IntegerNetwork, IntegerStep
from trainer.c99.layout import LayerPlace, Layout
from trainer.c99.literals import array, float_literal, float_literals, int_literals
from trainer.formats.folded import AddStep, ConvStep, FoldedNetwork, KeepStep, PoolStep, Step

_COLUMNS = (
    *("kind", "act", "in_channels", "in_side", "out_channels", "out_side"),
    *("kernel", "stride", "padding", "groups", "affine", "weight", "channel"),
)


def step_text(step: Step) -> str:
    """A step in a few words, such as `conv 3x3 of stride 2, ReLU`."""
    if isinstance(step, PoolStep):
        return f"{'mean' if step.is_mean else 'maximum'} of {step.kernel}x{step.kernel}"
    if not isinstance(step, ConvStep):
        return "keep" if isinstance(step, KeepStep) else "add what was kept"
    kernel = step.weight.shape[2]
    told = [f"conv {kernel}x{kernel}"]
    told += [f"stride {step.stride}"] * (step.stride != 1) + [f"padding {step.padding}"] * (step.padding != 0)
    told += [f"{step.groups} groups"] * (step.groups != 1)
    told += _activation_text(step) + ["affine"] * (step.affine is not None)
    return ", ".join(told)


def _activation_text(step: ConvStep) -> list[str]:
    if step.has_silu:
        return ["SiLU"]
    return {0.0: ["ReLU"], 1.0: []}.get(step.slope, [f"ReLU of slope {step.slope:.3g}"])


def layers_text(layout: Layout) -> str:
    """The sizes that the kernels are compiled with, and the table of layers."""
    names = {
        "N_LAYERS": len(layout.places),
        "LAST_CONV": layout.last_conv,
        "WIDEST_ROW": layout.widest_row,
        "N_KEPT": layout.n_kept,
    }
    enum = ", ".join(f"{name} = {value}" for name, value in names.items())
    cells = [_COLUMNS, *(_cells(place) for place in layout.places)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[0] = len("MEAN_POOL")
    head, *rows = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines = [f"    /*{' '.join(head)[1:]} */", *(f"    {{{','.join(row)}}}," for row in rows)]
    table = "\n".join(["static const Layer layers[N_LAYERS] = {", *lines, "};"])
    has = {"HAS_SLOPES": layout.has_slopes, "HAS_SILU": layout.has_silu, "HAS_SKIPS": layout.n_adds > 0}
    defines = "\n".join(f"#define {name} {int(value)}" for name, value in has.items())
    return f"{defines}\n\nenum {{ {enum} }};\n\n{table}"


def _cells(place: LayerPlace) -> tuple[str, ...]:
    step = place.step
    seen = step.kept_shape if isinstance(step, AddStep) else step.input_shape
    (in_channels, in_side, _), (out_channels, out_side, _) = seen, step.output_shape
    shapes = (in_channels, in_side, out_channels, out_side)
    match step:
        case ConvStep():
            kind, window = "CONV", (step.weight.shape[2], step.stride, step.padding, step.groups)
        case PoolStep():
            kind, window = "MEAN_POOL" if step.is_mean else "MAX_POOL", (step.kernel, step.kernel, 0, 1)
        case _:
            kind, window = "KEEP" if isinstance(step, KeepStep) else "ADD", (1, 1, 0, 1)
    affine = "NO_AFFINE" if place.affine is None else str(place.affine)
    return (kind, place.activation, *map(str, (*shapes, *window)), affine, str(place.weight), str(place.channel))


def f32_text(network: FoldedNetwork, layout: Layout) -> str:
    """The values of the float32 variant. Pixels are normalised by one factor and one offset."""
    convs = [(_title(number, step), step) for number, step in enumerate(network.steps, 1) if isinstance(step, ConvStep)]
    affine = [(title, step.affine) for title, step in convs if step.affine is not None]
    none = [("no layer has one", ["0.0f"])]
    return "\n\n".join(
        [
            f"#define F32_PIXEL_FACTOR {float_literal(1 / (255 * network.std))}\n"
            f"#define F32_PIXEL_OFFSET {float_literal(-network.mean / network.std)}",
            array(f"float f32_weight[{layout.n_weights}]", [(title, float_literals(s.weight)) for title, s in convs]),
            array(f"float f32_bias[{layout.n_channels}]", [(title, float_literals(s.bias)) for title, s in convs]),
            array(
                f"float f32_factor[{max(1, layout.n_affine)}]",
                [(title, float_literals(one.factor)) for title, one in affine] or none,
            ),
            array(
                f"float f32_offset[{max(1, layout.n_affine)}]",
                [(title, float_literals(one.offset)) for title, one in affine] or none,
            ),
            *([array("float f32_slope[N_LAYERS]", [("below 0", float_literals(_slopes(layout)))])] * layout.has_slopes),
        ]
    )


def _slopes(layout: Layout) -> np.ndarray:
    """Of each layer, float32."""
    steps = [place.step for place in layout.places]
    return np.array([step.slope if isinstance(step, ConvStep) else 1 for step in steps], np.float32)


def int8_text(network: IntegerNetwork, layout: Layout) -> str:
    """The values of the int8 variant."""
    numbered = list(enumerate(network.steps, 1))
    convs = [(_title(n, step.step), step) for n, step in numbered if isinstance(step, IntegerConv)]
    means = [(_title(n, step.step), step) for n, step in numbered if isinstance(step, IntegerMean)]
    entries = [(title, step.bias, step.requantisation) for title, step in convs]
    entries += [(title, step.bias, step.requantisation) for title, step in means]
    zeros = np.array([_zero(step) for step in network.steps] + [0] * len(network.tail))
    adds = [(_title(n, step.step), step) for n, step in numbered if isinstance(step, IntegerAdd)]
    befores = [(f"{title}, before SiLU", step.before) for title, step in convs if step.before is not None]
    entries += [(title, np.zeros(len(by.shift), np.int32), by) for title, by in befores]
    entries += [(title, step.bias, step.requantisation) for title, step in adds]
    columns = [
        ("int32_t int8_bias", [(title, int_literals(bias)) for title, bias, _ in entries]),
        ("int32_t int8_multiplier", [(title, int_literals(by.multiplier)) for title, _, by in entries]),
        ("uint8_t int8_shift", [(title, int_literals(by.shift)) for title, _, by in entries]),
        ("int32_t int8_offset", [(title, int_literals(by.offset)) for title, _, by in entries]),
    ]
    weights = array(f"int8_t int8_weight[{layout.n_weights}]", [(title, int_literals(s.weight)) for title, s in convs])
    zero_text = array("int8_t int8_zero[N_LAYERS]", [("what stands for 0 in the input of each", int_literals(zeros))])
    return "\n\n".join(
        [
            weights,
            zero_text,
            *(array(f"{name}[{layout.n_entries}]", sections) for name, sections in columns),
            *_activation_tables(network, layout),
        ]
    )


def _activation_tables(network: IntegerNetwork, layout: Layout) -> Iterator[str]:
    """What int8 needs for activations other than ReLU."""
    if layout.has_slopes:
        slopes = [step.slope if isinstance(step, IntegerConv) else 0 for step in network.steps] + [0] * len(
            network.tail
        )
        yield array("int32_t int8_slope[N_LAYERS]", [("below 0, times 2^24", int_literals(np.array(slopes)))])
    if layout.has_silu:
        before = int_literals(np.array([place.before for place in layout.places]))
        yield array("uint16_t int8_before[N_LAYERS]", [("where the entries before a SiLU begin", before)])
        yield f"enum {{ SILU_ENTRIES = {len(SILU_TABLE)} }};"
        table = int_literals(SILU_TABLE)
        yield array("int32_t int8_silu_table[SILU_ENTRIES]", [("of 0, 1/16, ..., in steps of 2^-16", table)])


def _title(number: int, step: Step) -> str:
    return f"{number}: {step_text(step)}, {shape_text(step.output_shape)}"


def _zero(step: IntegerStep) -> int:
    return step.input_zero if isinstance(step, IntegerConv) else 0
