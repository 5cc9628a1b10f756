"""The sources' networks, layer by layer as reported; several presets may share one."""

from typing import Any

from models.arch import ArchSpec
from models.layers import AvgPool, Conv, Dropout, Gap, MaxPool

# What follows a convolution, in each source's order.
ALONE: tuple[str, ...] = ()
RELU = ("relu",)
BN_RELU = ("bn", "relu")
BN_RELU_DROPOUT = ("bn", "relu", "dropout")
BN_DROPOUT_RELU = ("bn", "dropout", "relu")
RELU_BN = ("relu", "bn")
RELU_BN_DROPOUT = ("relu", "bn", "dropout")


def _convs(then: tuple[str, ...], *widths: int, **fields: Any) -> tuple[Conv, ...]:
    """A convolution for each width, alike in all else; 3x3 and without bias unless `fields` say otherwise."""
    return tuple(Conv(width, then=then, **fields) for width in widths)


A_STEP1 = ArchSpec(
    (
        *_convs(RELU, 32, 64, padding=1, bias=True),
        MaxPool(2),
        *_convs(RELU, 128, 256, padding=1, bias=True),
        MaxPool(2),
        *_convs(RELU, 512, 1024, bias=True),
        *_convs(ALONE, 10, bias=True),
    )
)
_A_TRUNK = (
    *_convs(BN_RELU, 10, 10),
    *_convs(BN_RELU_DROPOUT, 20),
    MaxPool(2),
    *_convs(BN_RELU, 10, kernel=1),
    *_convs(BN_RELU_DROPOUT, 10),
    *_convs(BN_RELU, 10),
    *_convs(BN_RELU_DROPOUT, 10, kernel=1),
)
A_STEP2 = ArchSpec((*_A_TRUNK, *_convs(ALONE, 10, kernel=7)))
A_STEP3 = ArchSpec((*_A_TRUNK, AvgPool(7)))
A_STEP4 = ArchSpec(
    (
        *_convs(BN_RELU_DROPOUT, 8, 16),
        MaxPool(2),
        *_convs(BN_RELU_DROPOUT, 8, kernel=1),
        *_convs(BN_RELU_DROPOUT, 12, 16, 20),
        AvgPool(6),
        *_convs(BN_RELU_DROPOUT, 24, kernel=1),
        *_convs(RELU, 10, kernel=1),
    )
)


def _b_arch(then: tuple[str, ...], after_pool: tuple[Dropout, ...]) -> ArchSpec:
    return ArchSpec(
        (
            *_convs(then, 96, kernel=5, padding=2, bias=True),
            *_convs(then, 16, kernel=1, bias=True),
            MaxPool(2),
            *after_pool,
            *_convs(then, 16, bias=True),
            *_convs(then, 8, kernel=1, bias=True),
            MaxPool(2),
            *after_pool,
            *_convs(then, 16, bias=True),
            *_convs(ALONE, 10, bias=True),
            Gap(),
        )
    )


B_STEP2 = _b_arch(RELU, ())
B_STEP3 = _b_arch(BN_RELU, (Dropout(),))

C_FINAL = ArchSpec(
    (
        *_convs(RELU_BN, 10, 16),
        *_convs(BN_RELU, 10, kernel=1),
        MaxPool(2),
        *_convs(RELU_BN, 10),
        *_convs(BN_RELU, 32, kernel=1),
        *_convs(RELU_BN, 10, kernel=1),
        *_convs(RELU_BN, 10),
        *_convs(BN_RELU, 32, kernel=1),
        *_convs(RELU_BN, 10, kernel=1),
        *_convs(RELU_BN, 14, 16),
        AvgPool(4),
        *_convs(ALONE, 10, kernel=1),
    )
)


def _d_arch(*body: int) -> ArchSpec:
    """D's network: the widths of the convolutions after the pool, of which the last is padded."""
    return ArchSpec(
        (
            *_convs(RELU_BN_DROPOUT, 10, 12),
            *_convs(ALONE, 10, kernel=1),
            MaxPool(2),
            *_convs(RELU_BN_DROPOUT, *body[:-1]),
            *_convs(RELU_BN_DROPOUT, body[-1], padding=1),
            AvgPool(6),
            *_convs(ALONE, 10, kernel=1),
        )
    )


D_MODEL1 = _d_arch(10, 16, 16, 14)
D_MODEL2 = _d_arch(10, 16, 16, 12)
D_MODEL4 = _d_arch(10, 14, 16, 14)

E_MODEL2 = ArchSpec(
    (
        *_convs(BN_DROPOUT_RELU, 10, 20, 12),
        *_convs(ALONE, 10, kernel=1),
        MaxPool(2),
        *_convs(BN_DROPOUT_RELU, 12, 12, 10),
        AvgPool(5),
        *_convs(ALONE, 10, kernel=1),
    )
)
