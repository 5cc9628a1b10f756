"""A network that trains through the fused kernels."""

import torch
from torch import nn
from torch.nn.functional import batch_norm

from trainer.fused.block import Block
from trainer.fused.convolution import Convolution, is_covered
from trainer.fused.kernels import load_kernels
from trainer.fused.masks import Masks, Noise
from trainer.fused.slope import sloped, takes

_Stage = tuple[list[nn.Module], Block | Convolution | None]
"""Modules in a row, and what does the same as all of them where it accepts the input."""


def fuse(network: nn.Module, noise: Noise | None = None) -> nn.Module:
    """A module that trains and evaluates as `network` does, faster on a CPU; it shares its parameters and buffers.

    Runs of batch norm, ReLU and dropout (each at most once, in any order) with a 2x2 max-pool behind are one operation
    each, and small convolutions in float32 have kernels of their own; everything else, and evaluation where gradients
    are wanted, goes through the modules of `network`. Batches that batch norm was shown are counted in the fused
    operations alone. Returns `network` itself where the kernels cannot be had and no noise is given.
    """
    if not isinstance(network, nn.Sequential) or (load_kernels() is None and noise is None):
        return network
    return FusedNetwork(network, noise or Noise())


def has_kernels() -> bool:
    """Whether `fuse` makes a difference on a CPU of this machine."""
    return load_kernels() is not None


class FusedNetwork(nn.Module):
    """`inner`, with its runs of small steps fused."""

    def __init__(self, inner: nn.Sequential, noise: Noise) -> None:
        super().__init__()
        self.inner = inner
        self._noise = noise
        self._stages = _stages(list(inner))
        self._masks = Masks(list(inner), noise) if noise.keep is not None else None
        # On a GPU torch's batch norm has no gradient where there is a bias and no weight (2.11: "tensor does not have a
        # device"): a weight of ones changes no bit.
        self._ones = {id(m): _ones_for(m) for m in inner if isinstance(m, nn.BatchNorm2d) and not _has_weight(m)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return self._train(x)
        if x.device.type != "cpu" or torch.is_grad_enabled():
            return self.inner(x)  # type: ignore[no-any-return]
        return self._evaluate(x)

    def set_dropout(self, p: float) -> None:
        """From the next pass on. Where the noise says what is kept, the modules keep theirs: it may be captured."""
        if self._noise.keep is not None:
            self._noise.keep.fill_(1 - p)
        for _, fused in self._stages:
            if isinstance(fused, Block) and fused.dropout is not None:
                fused.dropout.p = p

    def _evaluate(self, x: torch.Tensor) -> torch.Tensor:
        for modules, fused in self._stages:
            if fused is not None and fused.accepts(x):
                x = fused.evaluate(x)
            else:
                for module in modules:
                    x = module(x)
        return x

    def _train(self, x: torch.Tensor) -> torch.Tensor:
        if self._masks is not None:
            self._masks.begin(x.shape[1:])
        for modules, fused in self._stages:
            if fused is not None and fused.accepts(x):
                x = fused(x, self._draw_seed() if fused.is_random else 0)
            else:
                for module in modules:
                    x = self._through(module, x)
        return x

    def _through(self, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if type(module) is nn.Dropout:
            return self._dropped(module, x)
        if load_kernels() is not None and takes(module, x):
            return sloped(x, module.weight)
        if type(module) is nn.BatchNorm2d and _is_follower(module):
            # As the module does, but for counting batches: on a GPU that would be a kernel for each layer and batch.
            statistics, weight = (module.running_mean, module.running_var), self._ones.get(id(module), module.weight)
            return batch_norm(x, *statistics, weight, module.bias, True, module.momentum or 0.0, module.eps)
        return module(x)  # type: ignore[no-any-return]

    def _dropped(self, module: nn.Dropout, x: torch.Tensor) -> torch.Tensor:
        if not module.p:
            return x
        if self._masks is not None:
            return x * self._masks.of(module, x)
        keep = 1 - module.p
        return x * torch.empty_like(x).bernoulli_(keep, generator=self._noise.generator).div_(keep)

    def _draw_seed(self) -> int:
        """A seed of 62 bits for the kernels."""
        return int(torch.randint(1 << 62, (1,), generator=self._noise.generator))


def _stages(modules: list[nn.Module]) -> list[_Stage]:
    """The modules in order, cut into runs that a block can do and single ones."""
    if load_kernels() is None:
        return [(modules, None)]
    stages: list[_Stage] = []
    while modules:
        n = _run_length(modules)
        stages.append((modules[:n], Block(modules[:n])) if n else (modules[:1], _convolution(modules[0])))
        modules = modules[max(n, 1) :]
    return stages


def _convolution(module: nn.Module) -> Convolution | None:
    return Convolution(module) if is_covered(module) else None


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


def _has_weight(norm: nn.BatchNorm2d) -> bool:
    return norm.weight is not None


def _ones_for(norm: nn.BatchNorm2d) -> torch.Tensor:
    assert isinstance(norm.running_mean, torch.Tensor)
    return torch.ones_like(norm.running_mean)


def _is_follower(module: nn.Module) -> bool:
    if type(module) is nn.BatchNorm2d:
        return module.affine and module.track_running_stats and module.momentum is not None
    return type(module) in (nn.ReLU, nn.Dropout)
