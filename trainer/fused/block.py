"""Batch norm, ReLU, dropout and a 2x2 max-pool as one operation with a backward pass of its own."""

import ctypes
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from trainer.fused.kernels import load_kernels

# The steps of `block.c`; "pre" is before batch norm, "post" after it.
_PRE_RELU, _PRE_DROP, _NORM, _POST_RELU, _POST_DROP, _POOL, _FROZEN = (1 << i for i in range(7))
_DTYPES = {torch.float32: 0, torch.bfloat16: 1}
_RANDOM_STEPS = 1 << 16


class _Block(ctypes.Structure):
    """`Block` of block.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "height", "width", "channels")),
        ("dtype", ctypes.c_int32),
        ("steps", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
        ("threshold", ctypes.c_uint32),
        ("keep_scale", ctypes.c_float),
        ("momentum", ctypes.c_float),
        ("eps", ctypes.c_float),
    )


class Block:
    """The steps of a run of modules (each of bn, relu, dropout at most once, then maybe a 2x2 max-pool).

    The dropout probability is rounded to a multiple of 1/65536, and survivors are scaled by the inverse of what is
    then exactly the share kept.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self.norm = next((m for m in modules if isinstance(m, nn.BatchNorm2d)), None)
        self.dropout = next((m for m in modules if isinstance(m, nn.Dropout)), None)
        self.pools = isinstance(modules[-1], nn.MaxPool2d)
        self._steps = _steps(modules)

    @property
    def is_random(self) -> bool:
        """Whether a seed is used."""
        return self.dropout is not None and self.dropout.p > 0

    def accepts(self, x: torch.Tensor) -> bool:
        """Whether the kernels know how to treat x (B, C, H, W)."""
        if x.device.type != "cpu" or x.dtype not in _DTYPES or x.ndim != 4 or not x.numel():
            return False
        B, C, H, W = x.shape
        # torch refuses to normalise single values: let it say so itself.
        return (self.norm is None or (self.norm.num_features == C and B * H * W > 1)) and (
            not self.pools or min(H, W) >= 2
        )

    def __call__(self, x: torch.Tensor, seed: int) -> torch.Tensor:
        """y of x (B, C, H, W) in training, in x's dtype and channels-last."""
        return self._apply(x, self._describe(x, seed, self.dropout.p if self.dropout is not None else 0.0))

    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        """y of x (B, C, H, W) in evaluation: nothing is dropped, batch norm uses its running statistics."""
        info = self._describe(x, 0, 0.0)
        info.steps |= _FROZEN
        return self._apply(x, info)

    def _apply(self, x: torch.Tensor, info: _Block) -> torch.Tensor:
        gamma, beta = (self.norm.weight, self.norm.bias) if self.norm is not None else (None, None)
        return _Fused.apply(x, gamma, beta, self, info)  # type: ignore[no-any-return]

    def _describe(self, x: torch.Tensor, seed: int, dropout: float) -> _Block:
        B, C, H, W = x.shape
        threshold = round(dropout * _RANDOM_STEPS)
        steps = self._steps if threshold else self._steps & ~(_PRE_DROP | _POST_DROP)
        scale = _RANDOM_STEPS / (_RANDOM_STEPS - threshold) if threshold < _RANDOM_STEPS else 0.0
        momentum, eps = (self.norm.momentum, self.norm.eps) if self.norm is not None else (0.0, 0.0)
        return _Block(B, H, W, C, _DTYPES[x.dtype], steps, seed, threshold, scale, momentum, eps)


def _steps(modules: list[nn.Module]) -> int:
    steps, normed = 0, not any(isinstance(m, nn.BatchNorm2d) for m in modules)
    for module in modules:
        match module:
            case nn.BatchNorm2d():
                steps, normed = steps | _NORM, True
            case nn.ReLU():
                steps |= _POST_RELU if normed else _PRE_RELU
            case nn.Dropout():
                steps |= _POST_DROP if normed else _PRE_DROP
            case nn.MaxPool2d():
                steps |= _POOL
            case _:
                raise TypeError(f"no kernel for {module!r}")
    return steps


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gamma: torch.Tensor | None, beta: torch.Tensor | None, block: Block, info: _Block
    ) -> torch.Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        B, C, H, W = x.shape
        shape = (B, C, H // 2, W // 2) if block.pools else (B, C, H, W)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        place = torch.empty(y.numel() if block.pools else 0, dtype=torch.uint8)
        pointers: list[int | None] = [None] * 7
        statistics = None
        norm = block.norm
        if norm is not None:
            statistics = torch.empty(2, C)
            tracked = (norm.running_mean, norm.running_var, norm.num_batches_tracked)
            pointers = [_pointer(t) for t in (gamma, beta, statistics, statistics[1], *tracked)]
        _run("block_forward", ctypes.byref(info), _pointer(x), _pointer(y), _pointer(place), *pointers)
        ctx.save_for_backward(x, y, place, gamma, beta, statistics)
        ctx.info = info
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, place, gamma, beta, statistics = ctx.saved_tensors
        g = g.contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        dgamma = dbeta = None
        pointers: list[int | None] = [None] * 4
        if statistics is not None:
            dgamma = None if gamma is None else torch.empty_like(gamma)
            dbeta = torch.empty_like(beta)
            pointers = [_pointer(t) for t in (gamma, beta, statistics, statistics[1])]
        out = (_pointer(t) for t in (dx, dgamma, dbeta))
        _run("block_backward", ctypes.byref(ctx.info), *map(_pointer, (x, y, g, place)), *pointers, *out)
        return dx, dgamma, dbeta, None, None


def _pointer(tensor: torch.Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


_ADDRESSES = {"block_forward": 10, "block_backward": 11}


def _run(name: str, info: Any, *pointers: int | None) -> None:
    kernels = load_kernels()
    assert kernels is not None, "a fused block is only made where the kernels are"
    function = getattr(kernels, name)
    if function.argtypes is None:
        function.argtypes = [ctypes.c_void_p] * (1 + _ADDRESSES[name])
    if function(info, *pointers):
        raise MemoryError(f"no memory for {name}")
