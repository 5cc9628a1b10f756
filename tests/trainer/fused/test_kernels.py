"""How the kernels are compiled, and what is done without them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models.build import build
from tests.helpers.compilers import a_compiler
from tests.helpers.kernels import ARCH, needs_compiler
from trainer.fused import kernels
from trainer.fused.network import fuse
from trainer.fused.sampling import sample
from trainer.training.precision import FLOAT32
from trainer.training.provenance import opening_lines


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


@pytest.mark.usefixtures("looked_for_anew")
def test_with_a_compiler_that_does_not_work_a_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    fault = "the C compiler `false` does not work here (it fails, and prints nothing): name another in CC"
    assert (kernels.load_kernels(), kernels.kernels_fault()) == (None, fault)
    assert opening_lines("cpu", FLOAT32) == [
        "precision: float32 (asked for)",
        f"kernels: torch trains without them, more slowly: {fault}",
    ]
    assert (
        opening_lines("cuda", FLOAT32)
        == opening_lines("cpu", FLOAT32, "a cluster")
        == ["precision: float32 (asked for)"]
    )
    monkeypatch.setenv(kernels.SWITCH, "0")  # the user's own choice, which is not explained
    assert kernels.kernels_fault() is None


@needs_compiler
@pytest.mark.usefixtures("looked_for_anew")
def test_a_library_that_cannot_be_loaded_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # Compiles programs, and writes text in place of a library.
    script = 'case "$*" in *-shared*) while [ "$1" != -o ]; do shift; done; echo text > "$2";; *) exec cc "$@";; esac'
    compiler = a_compiler(tmp_path, script)
    monkeypatch.setenv("CC", str(compiler))
    assert kernels.load_kernels() is None
    assert kernels.kernels_fault() == f"`{compiler}` does not compile them, or they cannot be loaded"
    assert list(tmp_path.rglob("*.so")) == []


@needs_compiler
def test_with_a_compiler_that_works_nothing_is_explained() -> None:
    assert opening_lines("cpu", FLOAT32) == ["precision: float32 (asked for)"]


@needs_compiler
def test_compiles_into_the_cache_folder(tmp_path: Path) -> None:
    code = "from trainer.fused.kernels import load_kernels; assert load_kernels() is not None"
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[3]
    workers = [subprocess.Popen([sys.executable, "-c", code], env=env, cwd=root) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(list((tmp_path / "mnist-search").iterdir())) == 1
