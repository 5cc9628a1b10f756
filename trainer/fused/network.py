"""A network that trains through the fused kernels."""

import torch
from torch import nn

from trainer.fused.block import Block
from trainer.fused.kernels import load_kernels


def fuse(network: nn.Module) -> nn.Module:
    """A module that trains and evaluates as `network` does, faster on a CPU; it shares its parameters and buffers.

    Runs of batch norm, ReLU and dropout (each at most once, in any order) with a 2x2 max-pool behind are one operation
    each; everything else, and evaluation where gradients are wanted, goes through the modules of `network`. Returns
    `network` itself where the kernels cannot be had.
    """
    return FusedNetwork(network) if isinstance(network, nn.Sequential) and load_kernels() is not None else network


def has_kernels() -> bool:
    """Whether `fuse` makes a difference on a CPU of this machine."""
    return load_kernels() is not None


class FusedNetwork(nn.Module):
    """`inner`, with its runs of small steps fused."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.inner = inner
        self._stages = _stages(list(inner))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu" or (not self.training and torch.is_grad_enabled()):
            return self.inner(x)  # type: ignore[no-any-return]
        return self._train(x) if self.training else self._evaluate(x)

    def _evaluate(self, x: torch.Tensor) -> torch.Tensor:
        for modules, block in self._stages:
            if block is not None and block.accepts(x):
                x = block.evaluate(x)
            else:
                for module in modules:
                    x = module(x)
        return x

    def _train(self, x: torch.Tensor) -> torch.Tensor:
        seeds = iter(_draw_seeds(sum(block is not None and block.is_random for _, block in self._stages)))
        for modules, block in self._stages:
            if block is not None and block.accepts(x):
                x = block(x, next(seeds) if block.is_random else 0)
            else:
                for module in modules:
                    x = module(x)
        return x


def _draw_seeds(n: int) -> list[int]:
    """n seeds of 62 bits from torch's global generator, so that torch.manual_seed governs dropout as it always does."""
    return torch.randint(1 << 62, (n,)).tolist() if n else []


def _stages(modules: list[nn.Module]) -> list[tuple[list[nn.Module], Block | None]]:
    """The modules in order, cut into runs that a block can do and single ones that it cannot."""
    stages: list[tuple[list[nn.Module], Block | None]] = []
    while modules:
        n = _run_length(modules)
        stages.append((modules[:n], Block(modules[:n])) if n else (modules[:1], None))
        modules = modules[max(n, 1) :]
    return stages


def _run_length(modules: list[nn.Module]) -> int:
    """How many modules, from the first on, make up one block."""
    seen: set[type] = set()
    for i, module in enumerate(modules):
        if _is_pool(module):
            return i + 1
        if type(module) in seen or not _is_follower(module):
            return i
        seen.add(type(module))
    return len(modules)


def _is_pool(module: nn.Module) -> bool:
    return type(module) is nn.MaxPool2d and (
        (module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode) == (2, 2, 0, 1, False)
    )


def _is_follower(module: nn.Module) -> bool:
    if type(module) is nn.BatchNorm2d:
        return module.affine and module.track_running_stats and module.momentum is not None
    return type(module) in (nn.ReLU, nn.Dropout)
