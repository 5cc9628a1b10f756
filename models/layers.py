"""The layers an architecture is made of, each with its own closed forms.

Notation: a shape is (C, H, W) of one image, without the batch. k, s, p are kernel, stride and padding, the same in
both directions. Every count here is exact integer arithmetic on shapes; no tensor is allocated.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

from models.later import added_later

Shape = tuple[int, int, int]

NORMS = ("bn", "bn-bias")
"""BatchNorm, and BatchNorm with a bias and no weight: that of the next convolution does its work."""
ACTIVATIONS = ("relu", "leaky-relu", "prelu", "silu")
"""Below 0 nothing; a tenth of it; a slope that is learnt, one a layer, times it; or everywhere x * sigmoid(x)."""
FOLLOWERS = (*NORMS, *ACTIVATIONS, "dropout")
LEAKY_SLOPE = 0.1


def _slide(size: int, kernel: int, stride: int, padding: int) -> int:
    """Output length of a window sliding along `size` pixels (floor mode, as torch)."""
    return (size + 2 * padding - kernel) // stride + 1


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of an architecture. `kind` is its name in a spec file; the first field may stand alone there."""

    kind: ClassVar[str]

    def faults(self) -> list[str]:
        """What is wrong with the values themselves, whatever comes before."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name in _MINIMUM}
        return [fault for name, value in numbers.items() if (fault := _number_fault(name, value)) is not None]

    def misfit(self, shape: Shape) -> str | None:
        """Why this layer cannot follow an output of `shape`, or None."""
        C, H, W = shape
        kernel, _stride, padding = self.window(shape)
        if min(H, W) + 2 * padding < kernel:
            return f"a {kernel}x{kernel} window does not fit on {C}x{H}x{W}" + (
                f" with padding {padding}" if padding else ""
            )
        return None

    def window(self, shape: Shape) -> tuple[int, int, int]:
        """Kernel, stride and padding on an input of `shape`."""
        return 1, 1, 0

    def output_shape(self, shape: Shape) -> Shape:
        C, H, W = shape
        kernel, stride, padding = self.window(shape)
        return C, _slide(H, kernel, stride, padding), _slide(W, kernel, stride, padding)

    def params(self, shape: Shape) -> int:
        """Trainable parameters. BatchNorm's weight and bias count; its running statistics do not."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates for one image. Only convolutions count, and not their bias, as is usual."""
        return 0

    def text(self) -> str:
        """The layer in a few characters, for tables."""
        return self.kind


_MINIMUM = {"out": 1, "kernel": 1, "stride": 1, "padding": 0, "groups": 1, "back": 1, "shares": 0}
_MAXIMUM = 1_000_000
"""No network that fits anywhere has a larger number, and torch and C take no number of any size."""


def _number_fault(name: str, value: object) -> str | None:
    if type(value) is not int or value < _MINIMUM[name]:
        return f"{name} is {value!r}: it must be a whole number of at least {_MINIMUM[name]}"
    return f"{name} is {value}: it may be {_MAXIMUM:,} at most" if value > _MAXIMUM else None


@dataclass(frozen=True, slots=True)
class Conv(Layer):
    """A convolution, and what follows it in place: a normalisation, an activation and `dropout`, in any order."""

    kind: ClassVar[str] = "conv"
    out: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = False
    groups: int = 1
    then: tuple[str, ...] = ("bn", "relu")
    shares: int = added_later(0)
    """How many layers back the convolution stands whose weights and bias this one has too; 0: it has its own."""

    def faults(self) -> list[str]:
        faults = Layer.faults(self)
        if not isinstance(self.bias, bool):
            faults.append(f"bias is {self.bias!r}: it must be true or false")
        return faults + _follower_faults(self.then)

    def misfit(self, shape: Shape) -> str | None:
        if shape[0] % self.groups or self.out % self.groups:
            return f"groups {self.groups} must divide its {shape[0]} input and {self.out} output channels"
        return Layer.misfit(self, shape)

    def window(self, shape: Shape) -> tuple[int, int, int]:
        return self.kernel, self.stride, self.padding

    def output_shape(self, shape: Shape) -> Shape:
        _, H, W = Layer.output_shape(self, shape)
        return self.out, H, W

    def params(self, shape: Shape) -> int:
        own = 0 if self.shares else (shape[0] // self.groups) * self.kernel**2 + self.bias
        return self.out * (own + sum(_PARAMS_A_CHANNEL.get(op, 0) for op in self.then)) + ("prelu" in self.then)

    def macs(self, shape: Shape) -> int:
        C, _, _ = shape
        _, H_out, W_out = self.output_shape(shape)
        return self.out * H_out * W_out * (C // self.groups) * self.kernel**2

    def text(self) -> str:
        return f"conv {self.kernel}x{self.kernel}"


_PARAMS_A_CHANNEL = {"bn": 2, "bn-bias": 1}


def _follower_faults(then: object) -> list[str]:
    known = ", ".join(FOLLOWERS)
    if not isinstance(then, tuple):
        return [f"then is {then!r}: it must be a list of {known}"]
    unknown = [op for op in then if op not in FOLLOWERS]
    if unknown:
        return [f"then has {unknown[0]!r}: it may hold {known}"]
    if len(set(then)) < len(then):
        return [f"then repeats a step: {', '.join(then)}"]
    alike = [[op for op in then if op in kind] for kind in (NORMS, ACTIVATIONS)]
    return [f"then has {' and '.join(ops)}: it may hold one of them" for ops in alike if len(ops) > 1]


@dataclass(frozen=True, slots=True)
class MaxPool(Layer):
    """The maximum of each k x k square, without overlap."""

    kind: ClassVar[str] = "maxpool"
    kernel: int = 2

    def window(self, shape: Shape) -> tuple[int, int, int]:
        return self.kernel, self.kernel, 0

    def text(self) -> str:
        return f"maxpool {self.kernel}x{self.kernel}"


@dataclass(frozen=True, slots=True)
class AvgPool(Layer):
    """The mean of each k x k square, without overlap."""

    kind: ClassVar[str] = "avgpool"
    kernel: int = 2

    def window(self, shape: Shape) -> tuple[int, int, int]:
        return self.kernel, self.kernel, 0

    def text(self) -> str:
        return f"avgpool {self.kernel}x{self.kernel}"


@dataclass(frozen=True, slots=True)
class Gap(Layer):
    """Global average pooling: the mean of each whole map."""

    kind: ClassVar[str] = "gap"

    def window(self, shape: Shape) -> tuple[int, int, int]:
        # The maps are square (28x28 in, and every layer treats both directions alike); its stride is never used.
        return shape[1], shape[1], 0


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """A place where activations are dropped; how many is the recipe's `dropout`."""

    kind: ClassVar[str] = "dropout"


@dataclass(frozen=True, slots=True)
class Skip(Layer):
    """Adds what came into the `back` layers before to what comes out of them, without a parameter.

    Of maps that were larger the middle is added, and of channels those that are on both sides, from the first on.
    """

    kind: ClassVar[str] = "skip"
    back: int = 2

    def text(self) -> str:
        return f"skip {self.back}"


LAYERS: dict[str, type[Layer]] = {cls.kind: cls for cls in (Conv, MaxPool, AvgPool, Gap, Dropout, Skip)}
