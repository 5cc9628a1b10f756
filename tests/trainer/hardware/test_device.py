"""What a process is set up to, as far as a machine without a GPU can tell."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import trainer.hardware.device
from trainer.hardware.device import prepare_device


@pytest.fixture
def loose_gpu() -> Iterator[None]:
    """Torch set to what is fast and inexact, whatever a new version may begin with."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = False, True, True
    yield
    cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.mark.usefixtures("loose_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_is_exact_and_repeats_itself(device: str) -> None:
    prepare_device(device)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.usefixtures("loose_gpu")
def test_a_network_can_still_be_exported() -> None:
    """It reads the same settings, and raises where they were made in two ways."""
    prepare_device("cuda")
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    torch.export.export(network, (torch.rand(2, 1, 5, 5),))


@pytest.mark.usefixtures("loose_gpu")
@pytest.mark.parametrize(("device", "n_calls"), [("cpu", 1), ("cuda:0", 0), ("mps", 0)])
def test_a_cpu_alone_keeps_its_freed_memory(device: str, n_calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    monkeypatch.setattr(trainer.hardware.device, "keep_freed_memory", lambda: calls.append(None))
    prepare_device(device)
    assert len(calls) == n_calls
