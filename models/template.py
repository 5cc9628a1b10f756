"""The template: the parametric family conv → 1x1 transition → GAP from which the search samples.

    stem convolutions ─ transition 1x1 ─ maxpool ─ body convolutions (─ a second maxpool within) ─ head

Every combination of values is a network that builds: a convolution is padded where the map has become too small for
a valid one. The sources' hand-made networks are points of this family, or close to one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.arch import INPUT_SHAPE, N_CLASSES, ArchSpec
from models.layers import Conv, Dropout, Gap, Layer, MaxPool

ORDERS: dict[str, tuple[str, ...]] = {"bn-relu": ("bn", "relu"), "relu-bn": ("relu", "bn")}
HEADS = ("gap-1x1", "conv-gap", "gap-hidden", "conv")
TRANSITION_PLACES = ("before-pool", "after-pool")
DROPOUT_PLACES = ("blocks", "pools")


@dataclass(frozen=True)
class Template:
    """One point of the family. `arch()` spells it out."""

    stem: tuple[int, ...]
    """Widths of the 3x3 convolutions before the first pool."""
    transition: int
    """Channels after the 1x1 transition."""
    body: tuple[int, ...]
    """Widths of the 3x3 convolutions after the first pool."""
    stem_kernel: int = 3
    """Kernel of the first convolution: 3, or 5 (then padded by 2, as in the sources)."""
    transition_place: str = "before-pool"
    second_pool_after: int = 0
    """A second maxpool stands after this many body convolutions; 0 is none."""
    n_expansions: int = 0
    """This many body convolutions, from the first, are followed by a 1x1 expansion and a 1x1 squeeze back."""
    expansion: int = 32
    """Channels of each expansion."""
    order: str = "bn-relu"
    head: str = "gap-1x1"
    """What makes 10 logits: GAP then a 1x1 convolution; a 3x3 convolution to 10 then GAP; GAP, a hidden 1x1 and a
    1x1; or one convolution as large as the map."""
    hidden: int = 16
    """Channels of the hidden 1x1 of `gap-hidden`."""
    dropout_place: str = "blocks"

    def arch(self) -> ArchSpec:
        """The architecture of this point."""
        layers: list[Layer] = []
        shape = INPUT_SHAPE
        for layer in self._layers():
            fitted = _fitted(layer, shape[1])
            layers.append(fitted)
            shape = fitted.output_shape(shape)
        return ArchSpec(tuple(layers))

    def _layers(self) -> Iterator[Layer]:
        first, *rest = self.stem
        yield Conv(first, self.stem_kernel, padding=2 if self.stem_kernel == 5 else 0, then=self._then())
        yield from (Conv(width, then=self._then()) for width in rest)
        yield from self._transition()
        for number, width in enumerate(self.body, 1):
            yield Conv(width, then=self._then())
            if number <= self.n_expansions:
                yield Conv(self.expansion, 1, then=self._then())
                yield Conv(width, 1, then=self._then())
            if number == self.second_pool_after:
                yield from self._pool()
        yield from self._head()

    def _then(self) -> tuple[str, ...]:
        order = ORDERS[self.order]
        return (*order, "dropout") if self.dropout_place == "blocks" else order

    def _pool(self) -> Iterator[Layer]:
        yield MaxPool(2)
        if self.dropout_place == "pools":
            yield Dropout()

    def _transition(self) -> Iterator[Layer]:
        transition = Conv(self.transition, 1, then=ORDERS[self.order])
        if self.transition_place == "before-pool":
            yield transition
        yield from self._pool()
        if self.transition_place == "after-pool":
            yield transition

    def _head(self) -> Iterator[Layer]:
        logits = Conv(N_CLASSES, 1, then=())
        match self.head:
            case "gap-1x1":
                yield from (Gap(), logits)
            case "conv-gap":
                yield from (Conv(N_CLASSES, 3, then=()), Gap())
            case "gap-hidden":
                yield from (Gap(), Conv(self.hidden, 1, then=ORDERS[self.order]), logits)
            case "conv":
                yield Conv(N_CLASSES, _WHOLE_MAP, then=())
            case _:
                raise ValueError(f"unknown head {self.head!r}: it may be {', '.join(HEADS)}")


_WHOLE_MAP = 0  # stands for the map's own size until `_fitted` knows it
_SMALLEST_VALID = 5  # a valid 3x3 convolution on a smaller map would leave 2x2 or less to average over


def _fitted(layer: Layer, size: int) -> Layer:
    """The layer as it stands on a map of this side."""
    if isinstance(layer, Conv) and layer.kernel == _WHOLE_MAP:
        return replace(layer, kernel=size)
    if isinstance(layer, Conv) and layer.kernel == 3 and size < _SMALLEST_VALID:
        return replace(layer, padding=1)
    return layer
