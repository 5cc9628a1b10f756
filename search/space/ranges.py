"""Ranges of one searched value, and their short text form.

4:24          whole numbers from 4 to 24          0:0.1      numbers from 0 to .1
16:48:8       whole numbers in steps of 8         0.01:0.5:log   evenly by their logarithm
a, b, c       one of these                        7          always this
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from models.errors import MnistSearchError

Value = int | float | str | bool

LARGEST = 2**53
"""Whole numbers up to this are all floats too: Optuna keeps every value as one."""


class Suggest(Protocol):
    """What an optuna Trial offers, and our own drawers (`search/space/draws.py`) too."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any: ...


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers from `low` to `high`, both included, in steps of `step`."""

    low: int
    high: int
    step: int = 1

    def suggest(self, name: str, trial: Suggest) -> Value:
        return self.low if self.low == self.high else trial.suggest_int(name, self.low, self.high, step=self.step)

    def text(self) -> str:
        return f"{self.low}:{self.high}" + (f":{self.step}" if self.step > 1 else "")


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Numbers from `low` to `high`; evenly by their logarithm if `log`."""

    low: float
    high: float
    log: bool = False

    def suggest(self, name: str, trial: Suggest) -> Value:
        return self.low if self.low == self.high else trial.suggest_float(name, self.low, self.high, log=self.log)

    def text(self) -> str:
        return f"{self.low!r}:{self.high!r}" + (":log" if self.log else "")


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of some values. A single value is fixed: it is not asked for at all."""

    values: tuple[Value, ...]

    def suggest(self, name: str, trial: Suggest) -> Value:
        value: Value = self.values[0] if len(self.values) == 1 else trial.suggest_categorical(name, self.values)
        return value

    def text(self) -> str:
        return ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in self.values)


Range = IntRange | FloatRange | Categorical


def parse_range(text: str) -> Range:
    """A range from its text form. Raises MnistSearchError with what is wrong with it."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        values = tuple(_value(part.strip()) for part in text.split(",") if part.strip())
        if not values:
            raise MnistSearchError("an empty range: write 4:24, or a, b, c")
        if len(set(values)) < len(values):
            raise MnistSearchError(f"{text!r} repeats a value")
        return Categorical(values)
    low, high, *rest = (_value(part) for part in parts)
    if any(type(value) is int and abs(value) > LARGEST for value in (low, high, *rest)):
        raise MnistSearchError(f"{text!r} has a number above {LARGEST:,}")
    if len(rest) > 1 or not (_is_number(low) and _is_number(high)):
        raise MnistSearchError(f"{text!r} is not a range: write 4:24, 16:48:8, 0.01:0.5:log, or a, b, c")
    return _between(text, low, high, rest[0] if rest else None)


def _between(text: str, low: Any, high: Any, last: Value | None) -> Range:
    if low > high:
        raise MnistSearchError(f"{text!r} runs backwards: the smaller number comes first")
    if last == "log":
        if low <= 0:
            raise MnistSearchError(f"{text!r} cannot be logarithmic: it must start above 0")
        return FloatRange(float(low), float(high), log=True)
    if isinstance(low, int) and isinstance(high, int):
        if last is not None and not (type(last) is int and last >= 1):
            raise MnistSearchError(f"{text!r} has a step of {last}: it must be a whole number of at least 1")
        step = last if isinstance(last, int) else 1
        return IntRange(low, high - (high - low) % step, step)
    if last is not None:
        raise MnistSearchError(f"{text!r} has a step: only whole numbers have one")
    return FloatRange(float(low), float(high))


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _value(text: str) -> Value:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text.lower(), text)
