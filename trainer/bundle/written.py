"""Writes the files of a bundle that hold the network, each in its form."""

from dataclasses import dataclass
from pathlib import Path

import torch

from trainer.bundle.forms import C_FILE, FLOAT32, FORMS, INT8, INT8_ONNX_FILE, ONNX_FILE, PT2_FILE, Form, missing
from trainer.c99.layout import lay_out
from trainer.c99.quantise import quantise
from trainer.c99.source import write_c
from trainer.c99.vectors import Vectors, one_of_each
from trainer.data.images import Images
from trainer.formats.onnx_files import write_int8_onnx, write_onnx
from trainer.formats.pt2 import write_pt2
from trainer.formats.tensors import write_tensors
from trainer.formats.trained import TrainedNetwork

_N_CALIBRATION = 2000


@dataclass(frozen=True)
class Written:
    """What was written, what was not and why, and what the C code needs of a device, by its numbers."""

    forms: tuple[Form, ...]
    left_out: dict[str, str]
    c_sizes: dict[str, dict[str, int]]


def write_forms(
    network: TrainedNetwork, name: str, learned: Images, test: Images, folder: Path, has_int8: bool
) -> Written:
    """Writes every form that can be run here, calibrated on some of the images that the network learned from."""
    wanted = [form for form in FORMS if has_int8 or form.numbers == FLOAT32]
    forms = tuple(form for form in wanted if missing(form) is None)
    left_out = {form.file: reason for form in wanted if (reason := missing(form)) is not None}
    left_out |= {} if has_int8 else {INT8_ONNX_FILE: "--no-int8", f"int8 in {C_FILE}": "--no-int8"}
    files = {form.file for form in forms}
    calibration = _spread_over(learned)
    write_pt2(network.folded, folder / PT2_FILE)
    write_tensors(name, network.candidate, network.weights, network.mean, network.std, folder)
    if ONNX_FILE in files:
        write_onnx(network.folded, folder / ONNX_FILE)
    if INT8_ONNX_FILE in files:
        write_int8_onnx(folder / ONNX_FILE, folder / INT8_ONNX_FILE, calibration)
    sizes = _write_c(network, calibration, test, folder, has_int8) if C_FILE in files else {}
    return Written(forms, left_out, sizes)


def _spread_over(images: Images) -> torch.Tensor:
    """Images (N, 28, 28) uint8 from everywhere among them."""
    return images.pixels[:: max(1, len(images) // _N_CALIBRATION)][:_N_CALIBRATION]


def _write_c(
    network: TrainedNetwork, calibration: torch.Tensor, test: Images, folder: Path, has_int8: bool
) -> dict[str, dict[str, int]]:
    """Writes both files; returns the bytes that each kind of numbers needs of a device."""
    folded = network.folded
    integer = quantise(folded, calibration) if has_int8 else None
    write_c(folded, integer, Vectors.of(folded, integer, one_of_each(test.pixels, test.labels))).save(folder)
    of = lay_out(folded)
    sizes = {
        FLOAT32: {"flash_bytes": of.f32_bytes + of.table_bytes, "scratch_bytes": 4 * of.f32_scratch},
        INT8: {"flash_bytes": of.int8_bytes + of.table_bytes, "scratch_bytes": 4 * of.int8_scratch},
    }
    return {numbers: size for numbers, size in sizes.items() if has_int8 or numbers == FLOAT32}
