"""Drawers for a space other than an optuna trial: at random, and the smallest."""

import math
import random
from typing import Any


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


class LowestDraw:
    """Every number at its lowest; every choice as `chosen` says, or the first. It notes the choices it met."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._chosen = chosen
        self.met: dict[str, tuple[Any, ...]] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return low

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return low

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self.met[name] = choices
        return self._chosen.get(name, choices[0])
