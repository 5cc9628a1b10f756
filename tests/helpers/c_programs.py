"""Networks written as C, with all that they were written from, and ways to compile them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from models.arch import ArchSpec
from models.layers import AvgPool, Conv, MaxPool
from models.presets import PRESETS
from tests.helpers.networks import ODD, WIDER, initialised
from trainer.c99.integer import IntegerNetwork
from trainer.c99.quantise import quantise
from trainer.c99.source import CSource, write_c
from trainer.c99.vectors import Vectors
from trainer.data.digits import load_digits
from trainer.formats.folded import FoldedNetwork, fold
from trainer.fused.compiler import compiler_fault, find_compiler

needs_compiler = pytest.mark.skipif(compiler_fault() is not None, reason="no C compiler here that works")

TAIL = ArchSpec(
    (
        Conv(5, 3, padding=3, then=("relu",)),  # 28 -> 32: a row longer than an image's
        AvgPool(2),
        MaxPool(2),  # -> 8
        Conv(10, 3, stride=2, padding=2, bias=True, then=("relu", "bn")),  # -> 5
        MaxPool(2),  # -> 2
        AvgPool(2),
    )
)
"""Ends in pools of both kinds, behind a convolution whose factors are of either sign."""

ARCHS = {"odd": ODD, "tail": TAIL, "wider": WIDER, "preset": PRESETS["d-model2"].arch}
MEAN, STD = 0.1307, 0.3081

STRICT = ("-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
SANITISED = (*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True, eq=False)
class Written:
    """A network and its C text, which lies in `folder`."""

    folder: Path
    network: FoldedNetwork
    integer: IntegerNetwork
    vectors: Vectors
    text: CSource

    @property
    def path(self) -> Path:
        return self.folder / "model.c"


def folded(arch: ArchSpec) -> FoldedNetwork:
    """With random weights, larger than torch's first ones: those let all images end in nearly the same logits."""
    weights = initialised(arch).state_dict()
    louder = {name: tensor * 3 if name.endswith("conv.weight") else tensor for name, tensor in weights.items()}
    return fold(arch, louder, MEAN, STD)


def some_pixels(n: int = 60) -> torch.Tensor:
    """Digits, and the images at which a sum would overflow first: white, black, noise; (n, 28, 28) uint8."""
    pixels = load_digits().train.pixels[:n].clone()
    pixels[0], pixels[1] = 255, 0
    pixels[2] = torch.randint(0, 256, (28, 28), generator=torch.Generator().manual_seed(0))
    return pixels


def write(network: FoldedNetwork, folder: Path) -> Written:
    integer = quantise(network, some_pixels())
    vectors = Vectors.of(network, integer, some_pixels(10))
    text = write_c(network, integer, vectors)
    text.save(folder)
    return Written(folder, network, integer, vectors, text)


def run(*command: "str | Path") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)


def build(*arguments: "str | Path", flags: tuple[str, ...] = STRICT) -> None:
    """By the compiler that the product would take."""
    compiler = find_compiler()
    assert compiler is not None
    done = run(*compiler, *flags, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
