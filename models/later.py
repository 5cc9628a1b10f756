"""Fields that a Recipe, a layer or a schedule got after candidates had been stored.

A candidate's id is the hash of its fields spelled out. A field added since is spelled out, and counts in the id, only
where it is not neutral: every candidate that was stored before does what it did, and keeps its id.
"""

from dataclasses import Field, field, fields
from typing import Any

_ADDED_LATER = "added_later"


def added_later(neutral: Any) -> Any:
    """A dataclass field whose default, `neutral`, is what the program did before it had the field.

    Once released it stays so: another default would turn every stored candidate into another one.
    """
    return field(default=neutral, metadata={_ADDED_LATER: True})


def spelled_out(value: Any) -> dict[str, Any]:
    """The fields of a dataclass with their values, without those added later that are neutral."""
    return {f.name: getattr(value, f.name) for f in fields(value) if not _is_left_out(f, getattr(value, f.name))}


def _is_left_out(f: "Field[Any]", value: object) -> bool:
    return bool(f.metadata.get(_ADDED_LATER)) and value == f.default
