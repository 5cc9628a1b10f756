"""The forms in which a bundle holds a network, and running them as whoever gets the bundle would."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.errors import WorkFailedError
from trainer.alone.clean import FileRun, run_files
from trainer.c99.program import Program, Variant, compiled
from trainer.formats.onnx_files import ONNX_EXTRA, has_onnx
from trainer.formats.tensors import WEIGHTS_FILE
from trainer.fused.compiler import compiler_fault

FLOAT32, INT8 = "float32", "int8"
PT2_FILE, ONNX_FILE, INT8_ONNX_FILE, C_FILE, H_FILE = (
    "model.pt2", "model.onnx", "model.int8.onnx", "model.c", "model.h",
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """A network in a file, in one kind of numbers."""

    file: str
    numbers: str
    """float32, whose answers must be those of the trained network; or int8, which may lose a few."""
    run_by: str
    """torch, onnxruntime, or c: each a clean process of its own."""

    @property
    def text(self) -> str:
        """As people read it: `model.c in int8`."""
        return f"{self.file} in {self.numbers}"


FORMS = (
    Form(PT2_FILE, FLOAT32, "torch"),
    Form(WEIGHTS_FILE, FLOAT32, "torch"),
    Form(ONNX_FILE, FLOAT32, "onnxruntime"),
    Form(INT8_ONNX_FILE, INT8, "onnxruntime"),
    Form(C_FILE, FLOAT32, "c"),
    Form(C_FILE, INT8, "c"),
)


def missing(form: Form) -> str | None:
    """Return why a form cannot be run here: the command that installs what is missing, or a fault; None if it can."""
    if form.run_by == "onnxruntime" and not has_onnx():
        return ONNX_EXTRA
    return compiler_fault() if form.run_by == "c" else None


def run_forms(
    folder: Path,
    forms: Sequence[Form],
    images: torch.Tensor,
    seconds: float = 0.0,
) -> dict[Form, FileRun]:
    """Each form run on images (N, 28, 28) uint8 from its file in `folder`; timed if `seconds` is not 0.

    Raises WorkFailedError that names the file if one cannot be run.
    """
    runs: dict[Form, FileRun] = {}
    for by in ("torch", "onnxruntime"):
        of_it = [form for form in forms if form.run_by == by]
        if of_it:
            found = run_files([_kind(form, folder) for form in of_it], images.numpy(), seconds)
            runs |= zip(of_it, found, strict=True)
    of_c = [form for form in forms if form.run_by == "c"]
    if of_c:
        with compiled(folder / C_FILE) as program:
            program.check()
            runs |= {form: _run_program(program, form, images.numpy(), seconds > 0) for form in of_c}
    return runs


def _kind(form: Form, folder: Path) -> tuple[str, Path]:
    """What `trainer.alone` is to do with a form: the kind, and its path."""
    if form.file == WEIGHTS_FILE:
        return "tensors", folder  # which has the program that loads them
    return ("onnx" if form.run_by == "onnxruntime" else "pt2"), folder / form.file


def _run_program(program: Program, form: Form, images: np.ndarray, is_timed: bool) -> FileRun:
    variant: Variant = "f32" if form.numbers == FLOAT32 else "int8"
    logits = program.logits(variant, images).astype(np.float32)
    if form.numbers == INT8:
        logits *= _logit_scale(program.source.with_name(H_FILE))
    seconds = program.nanoseconds(variant) / 1e9 if is_timed else None
    return FileRun(logits, program.compiled_by, seconds, None if seconds is None else 1 / seconds)


def _logit_scale(header: Path) -> np.float32:
    """In what steps the integer logits of a header's program are."""
    found = re.search(r"#define MODEL_INT8_LOGIT_SCALE ([^\sf]+)", header.read_text(encoding="ascii", errors="replace"))
    if found is None:
        raise WorkFailedError(f"{header} does not say MODEL_INT8_LOGIT_SCALE")
    return np.float32(found[1])
