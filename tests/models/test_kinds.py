"""What plain values are held to."""

import math
from typing import Any

import pytest

from models.kinds import (
    AMOUNT,
    COUNT,
    FLAG,
    MAPPING,
    NOTHING,
    NUMBER,
    SHARE,
    TEXT,
    WHOLE,
    Kind,
    list_of,
    mapping_of,
    misfits,
)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (NUMBER, [0, -1.5, 1e10], [math.nan, math.inf, True, "1", None, 10**400]),
        (AMOUNT, [0, 2.5], [-0.1, math.inf]),
        (SHARE, [0, 1, 0.5], [1.0001, -1, math.nan]),
        (WHOLE, [0, 2**53], [-1, 1.0, True, 2**53 + 1]),
        (COUNT, [1], [0]),
        (FLAG, [True, False], [0, 1, "true", None]),
        (TEXT, ["", "x"], [b"x", None, ["x"]]),
        (MAPPING, [{}], [[], None, "x"]),
        (WHOLE | NOTHING, [3, None], ["3", -1]),
        (list_of(WHOLE), [[], [1, 2]], [[1, "2"], (1,), None]),
        (list_of(WHOLE, 1), [[1]], [[]]),
        (mapping_of({"a": WHOLE}), [{"a": 1}, {"a": 1, "b": "x"}], [{}, {"a": "x"}, [], None]),
    ],
)
def test_what_holds(kind: Kind, good: list[Any], bad: list[Any]) -> None:
    assert all(map(kind.holds, good))
    assert not any(map(kind.holds, bad))


def test_what_is_wrong_is_said_of_each_value() -> None:
    kinds = {"a": WHOLE, "b": TEXT, "c": SHARE | NOTHING}
    assert list(misfits({"a": 1, "b": "x", "c": None, "d": object()}, kinds, kinds)) == []
    assert list(misfits({"a": -1, "c": "x" * 100}, kinds, ("b",))) == [
        "a is -1: it must be a whole number of at least 0",
        "b is missing",
        f"c is '{'x' * 56}...: it must be a number from 0 to 1, or null",
    ]
    assert list(misfits({"a": -(10**5000)}, kinds)) == [
        "a is a number too long to be told: it must be a whole number of at least 0"
    ]
