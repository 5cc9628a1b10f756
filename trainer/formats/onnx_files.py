"""`model.onnx` and `model.int8.onnx`: a network for ONNX runtimes. They need the extra packages of `[onnx]`."""

import contextlib
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from models.arch import INPUT_SHAPE
from trainer.formats.folded import FoldedNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
ONNX_INPUT, ONNX_OUTPUT = "images", "logits"
ONNX_EXTRA = "pip install -e '.[onnx]'"
"""What to install where `has_onnx` says no."""

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_EXAMPLE_BATCH = 2  # torch.export takes a batch of one for a constant
_CALIBRATION_BATCH = 100


def has_onnx() -> bool:
    """Whether the packages are there that write and run these files."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


class _OfFloats(nn.Module):
    """Images (B, 1, 28, 28) of 0..1 to logits: an ONNX input has one number format."""

    def __init__(self, network: FoldedNetwork) -> None:
        super().__init__()
        self.mean, self.std, self.steps = network.mean, network.std, network.module().steps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.steps((images - self.mean) / self.std)
        return logits.flatten(1)


def write_onnx(network: FoldedNetwork, path: Path) -> None:
    """Writes float32 ONNX of a fixed opset, from `images` (batch, 1, 28, 28) of 0..1 to `logits` (batch, 10).

    It has passed ONNX's checker.
    """
    import onnx

    with _quiet():
        program = torch.onnx.export(
            _OfFloats(network).eval(), (torch.zeros(_EXAMPLE_BATCH, *INPUT_SHAPE),), dynamo=True, opset_version=OPSET,
            dynamic_shapes=({0: Dim("batch", min=1)},), input_names=[ONNX_INPUT], output_names=[ONNX_OUTPUT],
            verbose=False,
        )  # fmt: skip
    assert program is not None
    model = _without_traces(program.model_proto)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def write_int8_onnx(float_file: Path, path: Path, calibration: torch.Tensor) -> None:
    """Writes the network of a float32 file with int8 weights a channel and 8-bit activations (static, QDQ).

    `calibration` are training images (N, 28, 28) uint8, which set the range of each activation. It has passed ONNX's
    checker. Input and output stay float32. Weights take 7 of the 8 bits: on x86 without VNNI onnxruntime adds pairs of
    products in 16 bits, which would overflow, and give other answers than on other processors.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(float_file, prepared)
        quantize_static(
            prepared, path, _Calibration(calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
        )  # fmt: skip
    model = _without_traces(onnx.load(path))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


class _Calibration:
    """What onnxruntime's CalibrationDataReader is: batches by input name, then None."""

    def __init__(self, images: torch.Tensor) -> None:
        self._batches = iter(images.split(_CALIBRATION_BATCH))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {ONNX_INPUT: (batch[:, None].float() / 255).numpy()}


def _without_traces(model: "ModelProto") -> "ModelProto":
    """The same without what torch notes of its making: it names folders of this machine, and is a third of the file."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
    del graph.value_info[:]  # runtimes infer the shapes again
    for node in graph.node:
        node.doc_string = node.name = ""
    return _with_short_names(model)


def _with_short_names(model: "ModelProto") -> "ModelProto":
    """The same with `t0`, `t1`, ... for all tensors but input and output: quantised they have names of a line each."""
    graph = model.graph
    kept = {one.name for one in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""}  # an input that is left out

    def short(name: str) -> str:
        return name if name in kept else names.setdefault(name, f"t{len(names) - 1}")

    for initializer in graph.initializer:
        initializer.name = short(initializer.name)
    for node in graph.node:
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the remarks of torch's exporter and of onnxruntime's tools, which no user can act on, from stderr."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
