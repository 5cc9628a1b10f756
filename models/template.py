"""The template: the parametric family conv → 1x1 transition → GAP from which the search samples.

    stem convolutions ─ transition 1x1 ─ maxpool ─ body convolutions (─ a second maxpool within) ─ head

The first maxpool may stand right after the first convolution instead.

Every combination of values is a network that builds: a convolution is padded where the map has become too small for
a valid one. The sources' hand-made networks are points of this family, or close to one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.arch import INPUT_SHAPE, N_CLASSES, ArchSpec
from models.layers import Conv, Dropout, Gap, Layer, MaxPool, Shape, Skip

ORDERS = ("bn-relu", "relu-bn")
"""What comes first behind a convolution, normalisation or activation, whichever ones these are."""
HEADS = ("gap-1x1", "conv-gap", "gap-hidden", "conv", "spatial")
TRANSITION_PLACES = ("before-pool", "after-pool")
POOL_PLACES = ("after-stem", "after-first")
DROPOUT_PLACES = ("blocks", "pools")
CONVOLUTIONS = ("full", "separable")


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
    """Before or after the pool behind the stem; without one there it stands behind the stem."""
    second_pool_after: int = 0
    """A second maxpool stands after this many body convolutions; 0 is none."""
    n_expansions: int = 0
    """This many body convolutions, from the first, are followed by a 1x1 expansion and a 1x1 squeeze back."""
    expansion: int = 32
    """Channels of each expansion."""
    order: str = "bn-relu"
    head: str = "gap-1x1"
    """What makes 10 logits: GAP then a 1x1 convolution; a 3x3 convolution to 10 then GAP; GAP, a hidden 1x1 and a
    1x1; one convolution as large as the map; or a filter a channel as large as the map, then a 1x1."""
    hidden: int = 16
    """Channels of the hidden 1x1 of `gap-hidden`."""
    dropout_place: str = "blocks"
    norm: str = "bn"
    """One of `models.layers.NORMS`."""
    activation: str = "relu"
    """One of `models.layers.ACTIVATIONS`."""
    pool_place: str = "after-stem"
    """Where the first pool stands: behind the stem, or right after the first convolution."""
    convolution: str = "full"
    """What the 3x3 convolutions of stem and body are, but for the first, which sees one channel: full, or separable, a
    3x3 filter a channel and a 1x1 with nothing between the two."""
    skips: bool = False
    """Whether what comes into each body convolution (with its expansion) is added to what comes out."""
    body_repeats: int = 1
    """How many times each body convolution behind the first (with its expansion) is applied, with the same weights and
    each time with a normalisation of its own; one that changes the number of channels is applied once."""

    def arch(self) -> ArchSpec:
        """The architecture of this point."""
        layers: list[Layer] = []
        shape = INPUT_SHAPE
        for layer in self._layers():
            fitted = _fitted(layer, shape)
            layers.append(fitted)
            shape = fitted.output_shape(shape)
        return ArchSpec(tuple(layers))

    def _layers(self) -> Iterator[Layer]:
        first, *rest = self.stem
        yield Conv(first, self.stem_kernel, padding=2 if self.stem_kernel == 5 else 0, then=self._then())
        if self.pool_place == "after-first":
            yield from self._pool()
        for width in rest:
            yield from self._convolution(width)
        yield from self._transition()
        for number, width in enumerate(self.body, 1):
            is_even = number > 1 and width == self.body[number - 2]
            yield from self._repeated(list(self._block(number, width)), self.body_repeats if is_even else 1)
            if number == self.second_pool_after:
                yield from self._pool()
        yield from self._head()

    def _repeated(self, block: list[Conv], n_times: int) -> Iterator[Layer]:
        """The block, and again with its weights, padded; around each time a skip, if there are any."""
        for i in range(n_times):
            shares = i * (len(block) + self.skips)
            yield from block if i == 0 else (replace(x, shares=shares, padding=x.kernel // 2) for x in block)
            if self.skips:
                yield Skip(len(block))

    def _block(self, number: int, width: int) -> Iterator[Conv]:
        """A body convolution with its expansion."""
        yield from self._convolution(width)
        if number <= self.n_expansions:
            yield Conv(self.expansion, 1, then=self._then())
            yield Conv(width, 1, then=self._then())

    def _convolution(self, width: int) -> Iterator[Conv]:
        """One of 3x3."""
        if self.convolution == "separable":
            yield Conv(_EACH_CHANNEL, groups=_EACH_CHANNEL, then=())
        yield Conv(width, 1 if self.convolution == "separable" else 3, then=self._then())

    def _then(self) -> tuple[str, ...]:
        steps = self._steps()
        return (*steps, "dropout") if self.dropout_place == "blocks" else steps

    def _steps(self) -> tuple[str, ...]:
        """Normalisation and activation, in their order."""
        return (self.norm, self.activation) if self.order == "bn-relu" else (self.activation, self.norm)

    def _pool(self) -> Iterator[Layer]:
        yield MaxPool(2)
        if self.dropout_place == "pools":
            yield Dropout()

    def _transition(self) -> Iterator[Layer]:
        transition = Conv(self.transition, 1, then=self._steps())
        if self.pool_place == "after-first":
            yield transition
        elif self.transition_place == "before-pool":
            yield from (transition, *self._pool())
        else:
            yield from (*self._pool(), transition)

    def _head(self) -> Iterator[Layer]:
        logits = Conv(N_CLASSES, 1, then=())
        match self.head:
            case "gap-1x1":
                yield from (Gap(), logits)
            case "conv-gap":
                yield from (Conv(N_CLASSES, 3, then=()), Gap())
            case "gap-hidden":
                yield from (Gap(), Conv(self.hidden, 1, then=self._steps()), logits)
            case "conv":
                yield Conv(N_CLASSES, _WHOLE_MAP, then=())
            case "spatial":
                yield from (Conv(_EACH_CHANNEL, _WHOLE_MAP, groups=_EACH_CHANNEL, then=()), logits)
            case _:
                raise ValueError(f"unknown head {self.head!r}: it may be {', '.join(HEADS)}")


_WHOLE_MAP = 0  # stands for the map's own size until `_fitted` knows it
_EACH_CHANNEL = 0  # stands for the number of channels that come in, as many as go out
_SMALLEST_VALID = 5  # a valid 3x3 convolution on a smaller map would leave 2x2 or less to average over


def _fitted(layer: Layer, shape: Shape) -> Layer:
    """The layer as it stands on an output of this shape."""
    C, H, _ = shape
    if not isinstance(layer, Conv):
        return layer
    if layer.groups == _EACH_CHANNEL:
        layer = replace(layer, out=C, groups=C)
    if layer.kernel == _WHOLE_MAP:
        return replace(layer, kernel=H)
    return replace(layer, padding=1) if layer.kernel == 3 and H < _SMALLEST_VALID else layer
