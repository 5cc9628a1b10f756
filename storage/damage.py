"""Rows that no program has written as they stand: told in a line instead of failing wherever they are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from storage.errors import StorageError

_SIGNS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What comes of text where a number should be, of JSON that is none, of a state or a distribution that nobody knows."""
_MAX_WORDS = 200


@contextmanager
def damage_told(what: str) -> Iterator[None]:
    """Makes a StorageError of whatever comes of reading `what`; what SQLAlchemy itself raises stays."""
    try:
        yield
    except _SIGNS as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_WORDS]
        raise DamagedError(
            f"{what} is damaged ({said}): put back a copy of the database, or name another with --storage"
        ) from error


class DamagedError(StorageError):
    """A database in which something stands that cannot be read."""


def whole(value: object) -> int:
    """The number in a column. Raises TypeError for what is none: SQLite keeps anything in any column."""
    if type(value) is not int:
        raise TypeError(f"{value!r:.60} is no whole number")
    return value


def number(value: object) -> float:
    """The number in a column. Raises TypeError for what is none."""
    if type(value) is not float and type(value) is not int:
        raise TypeError(f"{value!r:.60} is no number")
    return value


def text(value: object) -> str:
    """The text in a column. Raises TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def mapping(value: object) -> dict[str, Any]:
    """The mapping in a column of JSON. Raises TypeError for what is none."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.60} is no mapping")
    return value
