"""How the kernels are compiled, and what is done without them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models.build import build
from tests.helpers.kernels import ARCH, needs_compiler
from trainer.fused import kernels
from trainer.fused.network import fuse
from trainer.fused.sampling import sample


@pytest.fixture
def looked_for_anew() -> Iterator[None]:
    """As in a process that has not looked for the kernels yet."""
    kernels.load_kernels.cache_clear()
    yield
    kernels.load_kernels.cache_clear()
    kernels.load_kernels()  # where it was, before a test has a cache of its own


@pytest.mark.usefixtures("looked_for_anew")
@pytest.mark.parametrize("change", [{kernels.SWITCH: "0"}, {"CC": "no-such-compiler", "PATH": "/nowhere"}])
def test_without_kernels_torch_does_it(change: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    assert kernels.load_kernels() is None
    network = build(ARCH, 0.1)
    assert fuse(network) is network
    network(torch.ones(2, 1, 28, 28)).sum().backward()
    pixels, index = torch.ones(3, 28, 28, dtype=torch.uint8), torch.tensor([1, 2])
    assert sample(pixels, index, torch.eye(2, 3).expand(2, 2, 3), 0, 1, 0).shape == (2, 1, 28, 28)


@needs_compiler
def test_compiles_into_the_cache_folder(tmp_path: Path) -> None:
    code = "from trainer.fused.kernels import load_kernels; assert load_kernels() is not None"
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[3]
    workers = [subprocess.Popen([sys.executable, "-c", code], env=env, cwd=root) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(list((tmp_path / "mnist-search").iterdir())) == 1
