"""Kinds of plain values, to hold what somebody else wrote to: what is another is told in words before it is used."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 2**53
"""Whole numbers up to this are exact in every database, and in JSON."""


@dataclass(frozen=True)
class Kind:
    """What a value must be; `text` ends the sentence `it must be ...`."""

    text: str
    holds: Callable[[Any], bool]

    def __or__(self, other: "Kind") -> "Kind":
        return Kind(f"{self.text}, or {other.text}", lambda value: self.holds(value) or other.holds(value))


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST  # type: ignore[operator]


NUMBER = Kind("a number", _is_number)
"""Finite; NaN is none."""
AMOUNT = Kind("a number of at least 0", lambda value: _is_number(value) and value >= 0)
SHARE = Kind("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
WHOLE = Kind("a whole number of at least 0", lambda value: type(value) is int and 0 <= value <= LARGEST)
COUNT = Kind("a whole number of at least 1", lambda value: type(value) is int and 1 <= value <= LARGEST)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str))
MAPPING = Kind("a mapping", lambda value: isinstance(value, Mapping))
NOTHING = Kind("null", lambda value: value is None)


def one_of(values: Mapping[str, Any] | tuple[str, ...]) -> Kind:
    """One of some words."""
    return Kind(f"one of {', '.join(values)}", lambda value: isinstance(value, str) and value in values)


def list_of(kind: Kind, least: int = 0) -> Kind:
    """A list of at least so many values of a kind."""
    return Kind(
        f"a list of {'values' if least == 0 else f'at least {least}'} that are each {kind.text}",
        lambda value: isinstance(value, list) and len(value) >= least and all(map(kind.holds, value)),
    )


def mapping_of(kinds: Mapping[str, Kind]) -> Kind:
    """A mapping that has all these keys, with values of these kinds."""
    return Kind(
        f"a mapping with {', '.join(kinds)}",
        lambda value: isinstance(value, Mapping) and next(misfits(value, kinds, kinds), None) is None,
    )


def misfits(data: Mapping[str, Any], kinds: Mapping[str, Kind], required: Any = ()) -> Iterator[str]:
    """What is wrong with values by these names, one text for each; names that are not known may hold anything."""
    for name, kind in kinds.items():
        if name not in data:
            if name in required:
                yield f"{name} is missing"
        elif not kind.holds(data[name]):
            yield f"{name} is {shown(data[name])}: it must be {kind.text}"


def shown(value: object) -> str:
    """A value as a short text."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        text = "a number too long to be told"
    return text if len(text) <= 60 else f"{text[:57]}..."
