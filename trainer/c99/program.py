"""A written `model.c`, compiled and run on this machine: its logits, its time, and what it says of itself."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models.errors import MnistSearchError, WorkFailedError
from trainer.fused.compiler import compiler_fault, find_compiler, first_error

Variant = Literal["f32", "int8"]

_OPTIMISATION = "-O3"
PLAIN = ("-std=c99", _OPTIMISATION)
STRICT = (*PLAIN, "-Wall", "-Wextra", "-Werror", "-pedantic")
"""Where a warning is a fault. Not for an export: other compilers have other warnings."""
_COMPILE_SECONDS = 120
_NUMBERS: dict[Variant, type[np.generic]] = {"f32": np.float32, "int8": np.int32}


class NoCompilerError(MnistSearchError):
    """There is no C compiler on this machine that works."""


class ProgramFailedError(WorkFailedError):
    """The C text does not compile, or its program did not do what it is for."""

    keeps_what_is_done = False


@dataclass(frozen=True)
class Program:
    """An executable made from `source`, which error texts name."""

    source: Path
    executable: Path
    run_seconds: float
    compiled_by: str = "a C compiler"
    """The compiler, its version and what it was told."""

    def check(self) -> str:
        """What the program says of its own test vectors. Raises ProgramFailedError if one of them comes out wrong."""
        return self._run()

    def logits(self, variant: Variant, pixels: np.ndarray) -> np.ndarray:
        """Of images (N, 28, 28) uint8, (N, 10): float32, or int32 in steps of MODEL_INT8_LOGIT_SCALE."""
        with _idx_file(pixels) as path:
            text = self._run(variant, str(path))
        values = np.array(text.split(), dtype=np.str_).astype(_NUMBERS[variant])
        if values.size != 10 * len(pixels):
            raise ProgramFailedError(f"{self.source} gave {values.size:,} logits for {len(pixels):,} images")
        return values.reshape(len(pixels), 10)

    def nanoseconds(self, variant: Variant) -> float:
        """Of processor time an image takes, the shortest of several rounds over the test vectors."""
        return float(self._run("time", variant).split()[0])

    def _run(self, *arguments: str) -> str:
        """What it writes. Raises ProgramFailedError if it fails, crashes or does not end."""
        try:
            done = subprocess.run(
                [str(self.executable), *arguments],
                capture_output=True,
                text=True,
                timeout=self.run_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProgramFailedError(f"{self.source}: its program did not end in {self.run_seconds:g} s") from None
        if done.returncode < 0:
            raise ProgramFailedError(f"{self.source}: its program crashed (signal {-done.returncode})")
        if done.returncode:
            raise ProgramFailedError(f"{self.source}: {_last_line(done.stderr or done.stdout)}")
        return done.stdout


@contextmanager
def compiled(source: Path, flags: tuple[str, ...] = PLAIN, run_seconds: float = 600) -> Iterator[Program]:
    """The program of a `model.c`, for as long as the block lasts; `run_seconds` is what one run may take.

    Raises NoCompilerError, and ProgramFailedError if it does not compile.
    """
    fault, compiler = compiler_fault(), find_compiler()
    if fault is not None or compiler is None:
        raise NoCompilerError(fault)
    with tempfile.TemporaryDirectory() as folder:
        executable = Path(folder) / "model"
        _compile([*compiler, *flags, "-DMODEL_MAIN", str(source), "-o", str(executable)], source)
        yield Program(source, executable, run_seconds, f"{_version(compiler)} {_OPTIMISATION}")


def _compile(command: list[str], source: Path) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_COMPILE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramFailedError(f"{source} is not compiled after {_COMPILE_SECONDS} s") from None
    if done.returncode:
        raise ProgramFailedError(f"{source} does not compile: {first_error(done.stderr)}")


def _version(compiler: list[str]) -> str:
    """The first line of what a compiler says of itself, without what is in brackets."""
    done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return re.sub(r" *\(.*?\)", "", (done.stdout.splitlines() or [compiler[0]])[0])


def _last_line(text: str) -> str:
    return (text.splitlines() or ["its program says nothing"])[-1]


@contextmanager
def _idx_file(pixels: np.ndarray) -> Iterator[Path]:
    """A file of these images, as trainer/data/idx.py reads it."""
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28):
        raise MnistSearchError(f"images must be (N, 28, 28) uint8, and are {pixels.shape} {pixels.dtype}")
    head = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in pixels.shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.idx"
        path.write_bytes(head + pixels.tobytes())
        yield path
