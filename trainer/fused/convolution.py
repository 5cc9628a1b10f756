"""Convolutions of small maps in float32, each as one operation with a backward pass of its own."""

import ctypes
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from models.sharing import SharedConv
from trainer.fused.kernels import load_kernels

# Where oneDNN was measured to be slower, on an EPYC with AVX2: where all channels meet, at most so many pairs of them,
# by the kernel's side; a single channel becomes few; a depthwise map is small, or its channels fill no whole vectors.
_MOST_PAIRS = {1: 48 * 48, 3: 24 * 24}
_MOST_OF_ONE = 15
_MOST_CHANNELS = 64
_WHOLE, _LARGE_MAP = 8, 400


class _Convolution(ctypes.Structure):
    """`Convolution` of convolution.h, field by field."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("batch", "height", "width", "channels_in", "channels_out", "kernel", "padding", "is_by_channel")
    )


class Convolution:
    """A convolution by the kernels: depthwise, of a single channel, pointwise, or 3x3 between all channels."""

    is_random = False

    def __init__(self, module: nn.Module) -> None:
        """Of a module that `is_covered`."""
        applied = _applied(module)
        assert applied is not None, "no other module is done here"
        self._module, _, (self.padding, _) = applied
        self.kernel = self._module.kernel_size[0]
        self.is_by_channel = self._module.groups > 1 or self._module.in_channels == 1

    def accepts(self, x: torch.Tensor) -> bool:
        """Whether the kernels know how to treat x (B, C, H, W)."""
        weight = self._module.weight
        if not (_is_plain(x) and _is_plain(weight)) or x.ndim != 4 or torch.is_autocast_enabled("cpu"):
            return False
        if torch.get_num_threads() > 1:  # among which torch shares its own out
            return False
        B, C, H, W = x.shape
        H_out, W_out = self.size_out(H), self.size_out(W)
        if self._module.in_channels != C or min(B, H, W, H_out, W_out) < 1:
            return False
        if not self.is_by_channel:
            return True
        is_whole = C > 1 and C % _WHOLE == 0
        return (
            min(W, W_out) * len(weight) >= _lanes()
            and not (is_whole and H * W > _LARGE_MAP)
            and not self._lacks_gradient(x)
        )

    def __call__(self, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """y (B, C_out, H_out, W_out) of x (B, C, H, W), channels-last. Nothing in it is random."""
        return _Convolve.apply(x, self._module.weight, self._module.bias, self)  # type: ignore[no-any-return]

    evaluate = __call__

    def size_out(self, size: int) -> int:
        """The height or width of y for x's."""
        return size + 2 * self.padding - self.kernel + 1

    def _lacks_gradient(self, x: torch.Tensor) -> bool:
        """A first convolution's input is images, whose gradient nobody wants: none is worked out."""
        return self._module.groups < self._module.out_channels and x.requires_grad and torch.is_grad_enabled()


def is_covered(module: nn.Module) -> bool:
    """Whether `Convolution` can do what a module does, in float32 on a CPU."""
    applied = _applied(module)
    if applied is None:
        return False
    conv, stride, padding = applied
    (height, width), C_in, C_out = conv.kernel_size, conv.in_channels, conv.out_channels
    is_square = height == width and padding[0] == padding[1]
    if not is_square or stride != (1, 1) or conv.dilation != (1, 1) or max(C_in, C_out) > _MOST_CHANNELS:
        return False
    if C_in == 1:
        return C_out <= _MOST_OF_ONE
    return conv.groups == C_in == C_out or (conv.groups == 1 and C_in * C_out <= _MOST_PAIRS.get(height, 0))


_Pair = tuple[int, int]


def _applied(module: nn.Module) -> tuple[nn.Conv2d, _Pair, _Pair] | None:
    """The convolution whose weights a module applies, and its own stride and padding; None of another module."""
    if type(module) is SharedConv:
        return module.owner, (module.stride, module.stride), (module.padding, module.padding)
    if type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str):
        return module, module.stride, module.padding  # type: ignore[return-value]
    return None


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.dtype is torch.float32 and tensor.device.type == "cpu"


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, convolution: Convolution
    ) -> torch.Tensor:
        x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
        (B, C, H, W), C_out = x.shape, len(weight)
        size_out = convolution.size_out
        y = torch.empty((B, C_out, size_out(H), size_out(W)), memory_format=torch.channels_last)
        kernel, padding = convolution.kernel, convolution.padding
        info = _Convolution(B, H, W, C, C_out, kernel, padding, convolution.is_by_channel)
        _run("convolution_forward", info, x, weight, bias, y)
        ctx.save_for_backward(x, weight)
        ctx.info = info
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        g = g.contiguous(memory_format=torch.channels_last)
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        dx = torch.empty_like(x) if wants_x else None
        dweight = torch.empty_like(weight) if wants_weight else None
        dbias = torch.empty(g.shape[1]) if wants_bias else None
        _run("convolution_backward", ctx.info, x, weight, g, dx, dweight, dbias)
        return dx, dweight, dbias, None


_ADDRESSES = {"convolution_forward": 4, "convolution_backward": 6}


def _run(name: str, info: _Convolution, *tensors: torch.Tensor | None) -> None:
    function = getattr(_kernels(), name)
    if function.argtypes is None:
        function.argtypes = [ctypes.c_void_p] * (1 + _ADDRESSES[name])
    if function(ctypes.byref(info), *(None if tensor is None else tensor.data_ptr() for tensor in tensors)):
        raise MemoryError(f"no memory for {name}")


def _lanes() -> int:
    """How many values a vector has: no row of values of a convolution by channel may be shorter."""
    return int(_kernels().convolution_lanes())


def _kernels() -> ctypes.CDLL:
    kernels = load_kernels()
    assert kernels is not None, "a convolution is only made where the kernels are"
    return kernels
