"""A folded network as C99: `model.c` and `model.h`, the same text for the same network, byte for byte."""

from dataclasses import dataclass
from pathlib import Path

from models.arch import shape_text
from models.errors import MnistSearchError
from trainer.c99.integer import IntegerNetwork
from trainer.c99.layout import Layout, lay_out
from trainer.c99.literals import float_literal
from trainer.c99.quantise import check_finite
from trainer.c99.tables import f32_text, int8_text, layers_text, step_text
from trainer.c99.vectors import Vectors, vectors_text
from trainer.formats.folded import ConvStep, FoldedNetwork

C_NAME, H_NAME = "model.c", "model.h"


@dataclass(frozen=True)
class CSource:
    """The two files' text."""

    model_c: str
    model_h: str

    def save(self, folder: Path) -> None:
        """Writes both into a folder that is there. Raises MnistSearchError where that cannot be done."""
        for name, text in ((C_NAME, self.model_c), (H_NAME, self.model_h)):
            try:
                (folder / name).write_text(text, encoding="ascii", newline="\n")
            except OSError as error:
                raise MnistSearchError(f"{folder / name} cannot be written: {error.strerror}") from None


def write_c(network: FoldedNetwork, integer: IntegerNetwork | None, vectors: Vectors) -> CSource:
    """C text of a network in float32 and, by `integer`, in int8; the program in it checks itself by `vectors`.

    Without `integer` it is in float32 alone, as it would be with MODEL_NO_INT8.

    Raises MnistSearchError for weights that are not finite, and for layers too large for the tables.
    """
    check_finite(network)
    layout = lay_out(network)
    parts = [
        _head(network, layout, integer is not None),
        '#include "model.h"',
        "#if defined(MODEL_NO_F32) && defined(MODEL_NO_INT8)\n#error nothing is left\n#endif",
        _part("layers.c"),
        layers_text(layout),
        _variant("F32", "float32", f32_text(network, layout), _part("float32.c")),
        *([] if integer is None else [_variant("INT8", "int8", int8_text(integer, layout), _part("int8.c"))]),
        _part("main.c").replace("@VECTORS@", vectors_text(vectors)),
    ]
    return CSource("\n\n".join(parts) + "\n", _header(network, integer, layout))


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="ascii").strip()


def _variant(macro: str, name: str, tables: str, kernels: str) -> str:
    rule = f"/* ---- {name} ".ljust(116, "-") + " */"
    return f"#ifndef MODEL_NO_{macro}\n\n{rule}\n\n{tables}\n\n{kernels}\n\n#endif"


def _header(network: FoldedNetwork, integer: IntegerNetwork | None, layout: Layout) -> str:
    filled = {
        "ONE_LINE": _one_line(network),
        "F32_SCRATCH": str(layout.f32_scratch),
        "F32_BYTES": f"{4 * layout.f32_scratch:,}",
        "INT8_SCRATCH": str(layout.int8_scratch),
        "INT8_BYTES": f"{4 * layout.int8_scratch:,}",
        "LOGIT_SCALE": float_literal(1.0 if integer is None else integer.logit_scale),
        "LEFT_OUT": "" if integer is not None else "\n#define MODEL_NO_INT8 /* left out of this file */\n",
    }
    text = _part("model.h")
    for name, value in filled.items():
        text = text.replace(f"@{name}@", value)
    return text + "\n"


def _one_line(network: FoldedNetwork) -> str:
    return f"a convolutional network of {network.n_weights:,} values"


def _head(network: FoldedNetwork, layout: Layout, has_int8: bool) -> str:
    name, number = ("int8", "int32_t") if has_int8 else ("f32", "float")
    lines = [
        f"A classifier of images of 28x28: {_one_line(network)}, in float32{' and in int8' if has_int8 else ''}.",
        "Written by mnist-search. Plain C99; needs no library, allocates nothing, keeps nothing between calls.",
        "",
        "Try it:      cc -std=c99 -O3 -DMODEL_MAIN model.c -o model && ./model",
        "Build it in: cc -std=c99 -O3 -c model.c      (-DMODEL_NO_F32 or -DMODEL_NO_INT8 leaves one variant out)",
        "",
        f"Use it:      static {number} scratch[MODEL_{name.upper()}_SCRATCH];",
        f"             {number} logits[MODEL_CLASSES];",
        f"             int answer = model_{name}(image, logits, scratch);",
        "",
        "An image is 28x28 bytes, row by row from the top left, light (255) on black (0), framed as those that it was",
        "trained on: a digit of MNIST fills 20x20 pixels, its centre of mass in the middle. No more is to be done.",
        "",
        *_sizes(network, layout, has_int8),
        "",
        *_layer_rows(network),
    ]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def _sizes(network: FoldedNetwork, layout: Layout, has_int8: bool) -> list[str]:
    """What each variant needs of a device."""
    rows = [
        ("", "float32", "int8"),
        ("weights, biases and scales in flash, bytes", *_counts(layout.f32_bytes, layout.int8_bytes)),
        ("table of layers in flash (one for both), bytes", *_counts(layout.table_bytes, layout.table_bytes)),
        ("scratch in RAM, bytes", *_counts(4 * layout.f32_scratch, 4 * layout.int8_scratch)),
        ("multiply-accumulates an image", *_counts(network.macs, network.macs)),
    ]
    return [f"{name:<46}  {f32:>11}  {int8 if has_int8 else '':>11}".rstrip() for name, f32, int8 in rows]


def _counts(*values: int) -> tuple[str, ...]:
    return tuple(f"{value:,}" for value in values)


def _layer_rows(network: FoldedNetwork) -> list[str]:
    rows = [("layer", "output", "MACs", "weights")]
    for number, step in enumerate(network.steps, 1):
        macs, weights = (f"{step.macs:,}", f"{step.weight.size:,}") if isinstance(step, ConvStep) else ("", "")
        rows.append((f"{number:>2}  {step_text(step)}", shape_text(step.output_shape), macs, weights))
    width = max(len(row[0]) for row in rows)
    return [f"{name:<{width}}  {shape:>10}  {macs:>11}  {weights:>9}".rstrip() for name, shape, macs, weights in rows]
