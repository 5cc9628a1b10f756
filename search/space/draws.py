"""Drawers for a space other than an optuna trial: at random, and the narrowest networks of every shape."""

import math
import random
from collections.abc import Sequence
from typing import Any

SHAPING = frozenset({"stem_depth", "stem_kernel", "body_depth", "second_pool", "head", "pool_place", "convolution"})
"""The values that decide on the size of the maps, or on what a convolution is. No width does, and a network is smallest
at its lowest widths; a deeper one may be smaller than a shallow one, since the convolution of the head `conv` is as
large as the last map."""
_LARGER = frozenset({"bn", "prelu"})
"""Of values that are words those with which any network has more parameters than with another one of their range."""


class RandomDraw:
    """Independent uniform draws, as Optuna's RandomSampler makes them but a hundred times faster."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return self._rng.randrange(low, high + 1, step)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        if log:
            return math.exp(self._rng.uniform(math.log(low), math.log(high)))
        return self._rng.uniform(low, high)

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self._rng.choice(choices)


class NarrowDraw:
    """Every number at its lowest, but for the values of SHAPING, which are followed along a path of choices.

    `branches` are the paths that turn off from this one: walked in turn they reach every combination.
    """

    def __init__(self, path: tuple[Any, ...] = ()) -> None:
        self._path = path
        self._n_met = 0
        self.branches: list[tuple[Any, ...]] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return self._shape(range(low, high + 1, step)) if name in SHAPING else low

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return low

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        if name in SHAPING:
            return self._shape(choices)
        if not isinstance(choices[0], str):
            return min(choices)
        return next((choice for choice in choices if choice not in _LARGER), choices[0])

    def _shape(self, options: Sequence[Any]) -> Any:
        self._n_met += 1
        if self._n_met > len(self._path):
            first, *others = options
            self.branches += [(*self._path, other) for other in others]
            self._path = (*self._path, first)
        return self._path[self._n_met - 1]
