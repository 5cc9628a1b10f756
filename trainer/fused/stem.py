"""The first convolution, over images of one channel, as an operation with a backward pass of its own."""

import ctypes
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from trainer.fused._library import DTYPES, pointer, run

_LARGEST_KERNEL = 7


class _Stem(ctypes.Structure):
    """`Stem` of stem.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "height", "width", "channels", "kernel", "stride", "padding")),
        *((name, ctypes.c_int64) for name in ("out_height", "out_width")),
        ("dtype", ctypes.c_int32),
    )


class Stem:
    """A convolution of one input channel, square, without bias, whose images need no gradient."""

    is_random = False

    def __init__(self, conv: nn.Conv2d, kernel: int, stride: int, padding: int) -> None:
        self._conv = conv
        self._kernel, self._stride, self._padding = kernel, stride, padding

    @classmethod
    def of(cls, module: nn.Module) -> "Stem | None":
        """What does the module's work, or None if the kernels cannot."""
        if type(module) is not nn.Conv2d or module.in_channels != 1 or module.bias is not None:
            return None
        pairs = module.kernel_size, module.stride, module.padding
        is_plain = module.padding_mode == "zeros" and module.dilation == (1, 1)
        if not is_plain or isinstance(module.padding, str) or any(len(set(pair)) > 1 for pair in pairs):
            return None
        kernel, stride, padding = (int(pair[0]) for pair in pairs)
        return cls(module, kernel, stride, padding) if kernel <= _LARGEST_KERNEL else None

    def accepts(self, x: torch.Tensor) -> bool:
        """Whether the kernels know how to treat x (B, 1, H, W)."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or x.requires_grad or x.ndim != 4 or not x.numel():
            return False
        return x.shape[1] == 1 and min(self._out_size(x)) > 0 and _dtype() in DTYPES

    def __call__(self, x: torch.Tensor, seed: int) -> torch.Tensor:
        """y (B, C, H', W') of x (B, 1, H, W), channels-last, in float32 or what autocast wants."""
        return _Convolved.apply(x, self._conv.weight, self._describe(x))  # type: ignore[no-any-return]

    def evaluate(self, x: torch.Tensor) -> torch.Tensor:
        """The same."""
        return self(x, 0)

    def _out_size(self, x: torch.Tensor) -> tuple[int, int]:
        height, width = ((n + 2 * self._padding - self._kernel) // self._stride + 1 for n in x.shape[2:])
        return height, width

    def _describe(self, x: torch.Tensor) -> _Stem:
        sizes = self._conv.out_channels, self._kernel, self._stride, self._padding
        return _Stem(x.shape[0], *x.shape[2:], *sizes, *self._out_size(x), DTYPES[_dtype()])


def _dtype() -> torch.dtype:
    """What a convolution's output is in, here and now."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, info: _Stem) -> torch.Tensor:
        x, taps = x.contiguous(), weight.reshape(weight.shape[0], -1).contiguous()
        shape = (info.batch, info.channels, info.out_height, info.out_width)
        y = torch.empty(shape, dtype=_dtype(), memory_format=torch.channels_last)
        run("stem_forward", info, *map(pointer, (x, taps, y)))
        ctx.save_for_backward(x, weight)
        ctx.info = info
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        g = g.contiguous(memory_format=torch.channels_last)
        taps = torch.empty(weight.shape, dtype=torch.float32)
        run("stem_backward", ctx.info, *map(pointer, (x, g, taps)))
        return None, taps, None
