"""The Triton block on a CPU, in a process of its own: whether Triton interprets is decided as it is imported.

TRITON_INTERPRET=1 python -m tests.helpers.interpreting CASES RESULTS
"""

import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks.gpu import triton_block
from tests.helpers.recording import Recording

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """What a block is given."""

    x: torch.Tensor
    upstream: torch.Tensor
    gamma: torch.Tensor
    beta: torch.Tensor
    pools: bool = False
    p: float | None = None
    seed: int = 0
    tile: int = 256
    """Values in a tile: small, so that there are many."""
    at_once: int = 2
    """Parts of a sum that are taken at once, so that they are not all of them."""


@dataclass(frozen=True)
class Result:
    """What came of it."""

    y: torch.Tensor
    dx: torch.Tensor
    dgamma: torch.Tensor
    dbeta: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor


def norm_of(case: Case) -> nn.BatchNorm2d:
    """With running statistics that are neither zero nor one."""
    norm = nn.BatchNorm2d(len(case.gamma))
    norm.load_state_dict({
        "weight": case.gamma, "bias": case.beta, "num_batches_tracked": torch.tensor(0),
        "running_mean": case.beta + 2, "running_var": case.gamma.abs() + 3,
    })  # fmt: skip
    return norm


def interpreted(cases: dict[str, Case], folder: Path) -> dict[str, Result]:
    """Of each case what Triton's interpreter gives."""
    torch.save({name: asdict(case) for name, case in cases.items()}, folder / "cases")
    command = [sys.executable, "-W", "error", "-m", "tests.helpers.interpreting"]
    subprocess.run(
        [*command, folder / "cases", folder / "results"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        check=True,
    )
    return {name: Result(*tensors) for name, tensors in torch.load(folder / "results").items()}


def _run(case: Case) -> tuple[torch.Tensor, ...]:
    triton_block._VALUES_IN_A_TILE, triton_block._PARTS_AT_ONCE = case.tile, case.at_once
    norm = norm_of(case)
    x = case.x.contiguous(memory_format=torch.channels_last).requires_grad_()
    dropout = None
    if case.p is not None:
        dropout = triton_block.Dropout(torch.tensor([case.seed]), torch.tensor([case.p]))
    with Recording():  # raises if a value is read back to the host
        y = triton_block.block(x, norm, dropout, case.pools)
        gradients = torch.autograd.grad(y, [x, norm.weight, norm.bias], case.upstream)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return y.detach(), *gradients, norm.running_mean, norm.running_var


def main(cases: str, results: str) -> None:
    torch.set_num_threads(1)
    torch.save({name: _run(Case(**fields)) for name, fields in torch.load(cases).items()}, results)


if __name__ == "__main__":
    main(*sys.argv[1:])
