"""What follows a convolution as one operation for a GPU, in Triton: batch norm, ReLU, dropout, maybe a 2x2 max-pool.

The counterpart of `trainer/fused/block.c`, with a backward pass of its own that computes again what it needs: three
launches forward and three backward. Triton is imported at first use: it is not everywhere, and whether it interprets
its kernels, as it can on a CPU (TRITON_INTERPRET=1), is decided as it is imported.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm, max_pool2d, relu

from benchmarks.gpu._replays import captured, seconds_of
from trainer.training.runner import Work

_VALUES_IN_A_TILE = 1024
"""Each place of a tile stands for four values: eight places for each thread of four warps."""
_PARTS_AT_ONCE = 1024
_REPETITIONS = 20
_TIMES = 50


class Dropout(NamedTuple):
    """What dropout goes by, on the device of what is dropped from."""

    seed: torch.Tensor
    """(1,) int64: all that is random follows from it. It must not change between forward and backward."""
    p: torch.Tensor
    """The share that is dropped (1,), float32."""


def block(x: torch.Tensor, norm: nn.BatchNorm2d, dropout: Dropout | None, pools: bool) -> torch.Tensor:
    """pool(dropout(relu(norm(x)))) in training, for x (B, C, H, W) in float32 or bfloat16, on a GPU.

    Returns (B, C, H, W), or pooled (B, C, H // 2, W // 2), channels-last and in x's dtype. Updates the running
    statistics, and does not count the batch. Reads nothing back to the host.
    """
    return _Block.apply(x, norm.weight, norm.bias, norm, dropout, pools)  # type: ignore[no-any-return]


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        gamma: torch.Tensor,
        beta: torch.Tensor,
        norm: nn.BatchNorm2d,
        dropout: Dropout | None,
        pools: bool,
    ) -> torch.Tensor:
        from benchmarks.gpu import _triton_kernels as kernels

        x = x.contiguous(memory_format=torch.channels_last)
        tiles = _Tiles.of(x, pools)
        B, C, H, W = x.shape
        shape = (B, C, H // 2, W // 2) if pools else (B, C, H, W)
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        n_pixels, pixels = B * H * W, 4 * tiles.rows
        n_programs = -(-n_pixels // pixels)
        parts, statistics = _floats(x, 2, C, n_programs), _floats(x, 2, C)
        kernels.measure_tiles[(n_programs,)](x, parts, n_pixels, n_programs, C, tiles.columns, pixels)
        running = (norm.running_mean, norm.running_var)
        sizes = (n_pixels, n_programs, norm.momentum, norm.eps, C, pixels, _PARTS_AT_ONCE)
        kernels.finish_statistics[(C,)](parts, statistics, *running, *sizes)
        seed, p = dropout or (statistics, statistics)  # with nothing to drop they are not read
        how = (B, H, W, C, tiles.columns, tiles.rows, pools, dropout is not None)
        kernels.write_y[(tiles.n,)](x, y, gamma, beta, statistics, seed, p, *how)
        ctx.save_for_backward(x, gamma, beta, statistics, seed, p)
        ctx.pools, ctx.drops = pools, dropout is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from benchmarks.gpu import _triton_kernels as kernels

        x, gamma, beta, statistics, seed, p = ctx.saved_tensors
        g = g.contiguous(memory_format=torch.channels_last)
        tiles = _Tiles.of(x, ctx.pools)
        B, C, H, W = x.shape
        parts, sums = _floats(x, 2, C, tiles.n), _floats(x, 2, C)
        dx = torch.empty_like(x)
        how = (C, tiles.columns, tiles.rows, ctx.pools, ctx.drops)
        kernels.sum_gradient_tiles[(tiles.n,)](x, g, parts, gamma, beta, statistics, seed, p, B, H, W, tiles.n, *how)
        kernels.finish_sums[(2 * C,)](parts, sums, tiles.n, _PARTS_AT_ONCE)
        kernels.write_dx[(tiles.n,)](x, g, dx, gamma, beta, statistics, sums, seed, p, B, H, W, *how)
        dbeta, dgamma = sums
        return dx, dgamma, dbeta, None, None, None


class _Tiles(NamedTuple):
    """How values are cut into tiles. The factors of dropout go by it: it must be the same forward and backward."""

    n: int
    rows: int
    columns: int

    @classmethod
    def of(cls, x: torch.Tensor, pools: bool) -> "_Tiles":
        B, C, H, W = x.shape
        columns = 1 << (C - 1).bit_length()
        rows = max(1, _VALUES_IN_A_TILE // columns)
        n_rows = B * -(-H // 2) * -(-W // 2) if pools else -(-B * H * W // 4)
        return cls(-(-n_rows // rows), rows, columns)


def _floats(like: torch.Tensor, *shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float32, device=like.device)


def plain_block(
    x: torch.Tensor, norm: nn.BatchNorm2d, keep: torch.Tensor, generator: torch.Generator, pools: bool
) -> torch.Tensor:
    """The same by torch's own operations, those that the product gives a GPU. `keep` is the share that is kept (1,)."""
    y = batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, True, norm.momentum or 0.0, norm.eps)
    y = relu(y)
    y = y * torch.empty_like(y).bernoulli_(keep, generator=generator).div_(keep)
    return max_pool2d(y, 2) if pools else y


def measure(
    shape: tuple[int, int, int, int],
    device: str,
    pool: bool,
    dtype: torch.dtype = torch.float32,
    dropout: float = 0.025,
) -> dict[str, float]:
    """Microseconds, forward and backward, of what follows a convolution whose output has this shape (B, C, H, W).

    Of `triton`, and of `torch` and its own operations. Each is captured as a graph of twenty repetitions, all on the
    same values: they lie in the second-level cache, as what a convolution has just written does. Seeds of dropout are
    drawn for all repetitions at once, as they would be for the blocks of a network.
    """
    is_gpu = device.startswith("cuda")
    n, times = (_REPETITIONS, _TIMES) if is_gpu else (1, 1)
    norm = nn.BatchNorm2d(shape[1], device=device)
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(shape, device=device).to(dtype).to(memory_format=torch.channels_last).requires_grad_()
    upstream = torch.randn_like(max_pool2d(x, 2) if pool else x)
    seeds = torch.zeros(n, 1, dtype=torch.int64, device=device)
    p = torch.full((1,), dropout, device=device)
    keep = 1 - p

    def go_back(y: torch.Tensor) -> None:
        torch.autograd.grad(y, [x, norm.weight, norm.bias], upstream)

    def by_triton() -> None:
        seeds.random_(generator=generator)
        for seed in seeds:
            go_back(block(x, norm, Dropout(seed, p), pool))

    def by_torch() -> None:
        for _ in range(n):
            go_back(plain_block(x, norm, keep, generator, pool))

    works: dict[str, Work] = {"triton": by_triton, "torch": by_torch}
    return {
        name: seconds_of([captured(work, [generator], device)], times, device) / n * 1e6 for name, work in works.items()
    }
