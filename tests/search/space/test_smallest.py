"""The smallest network of a space, and the range to narrow where none is small enough."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from search.space.catalogue import ARCHITECTURE_RANGES, DEFAULT_RANGES
from search.space.ranges import IntRange, parse_range
from search.space.space import Space
from tests.helpers.spaces import BUDGETS, LATER


class Every:
    """Walks through all answers there are, one draw after the other: `next` is false when it has seen them all."""

    def __init__(self) -> None:
        self._path: list[list[Any]] = []  # options left at each question, the first of which is the answer
        self._depth = 0

    def next(self) -> bool:
        self._depth = 0
        while self._path and len(self._path[-1]) == 1:
            self._path.pop()
        if self._path:
            self._path[-1].pop(0)
        return bool(self._path)

    def _answer(self, options: Sequence[Any]) -> Any:
        if self._depth == len(self._path):
            self._path.append(list(options))
        self._depth += 1
        return self._path[self._depth - 1][0]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return int(self._answer(range(low, high + 1, step)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        raise AssertionError("an architecture has no fractions")

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self._answer(choices)


def all_params(space: Space) -> Iterator[int]:
    """Parameter counts of every network of a space."""
    every = Every()
    while True:
        yield space.sample_arch(every).params
        if not every.next():
            return


SMALL_SPACES = [
    # All heads; widths that differ, so that the lowest are not those met first.
    {"stem_depth": "1:2", "stem_width": "3, 2", "body_depth": "1:2", "body_width": "4, 2", "transition_width": "2:3"},
    # A convolution as large as the last map: the deeper network has the smaller map, and is the smaller one.
    {"stem_depth": "1", "stem_width": "2", "body_depth": "1:8", "body_width": "2", "head": "conv"},
    {"stem_depth": "1:4", "stem_width": "2", "body_depth": "2", "body_width": "2:3", "head": "conv",
     "stem_kernel": "5, 3"},
    # The smallest is reached through choices that are not the first ones.
    {"stem_depth": "2, 1", "stem_width": "4, 3", "body_depth": "2", "body_width": "3", "head": "gap-1x1, gap-hidden",
     "hidden_width": "24, 2"},
    {"stem_depth": "1", "stem_width": "3", "body_depth": "1:2", "body_width": "3", "n_expansions": "2, 1",
     "expansion_width": "32, 8", "second_pool": "false, true"},
    {"stem_depth": "3", "stem_width": "2", "body_depth": "5:9:2", "body_width": "2", "head": "conv",
     "second_pool": "true, false", "transition_width": "9, 2"},
    {"stem_depth": "1:2", "stem_width": "2", "body_depth": "1:3", "body_width": "2", **LATER},
]  # fmt: skip


@pytest.mark.parametrize("ranges", SMALL_SPACES)
def test_the_smallest_network_is_the_smallest_of_all(ranges: dict[str, str]) -> None:
    fixed = {"order": "bn-relu", "dropout_place": "blocks", "transition_width": "2", "n_expansions": "0"}
    space = Space.of({**fixed, **ranges}, 10_000)
    counts = list(itertools.islice(all_params(space), 50_000))
    assert 4 <= len(counts) < 50_000  # all of them, and there was a choice
    assert space.smallest_params == min(counts)


@pytest.mark.parametrize("max_params", [*BUDGETS, 300])
def test_no_random_draw_is_smaller_than_the_smallest(max_params: int) -> None:
    space = Space.of({}, max_params)
    assert min(space.drawn_params(1_500, seed=7)) >= space.smallest_params


def test_the_smallest_network_can_be_drawn() -> None:
    space = Space.of({"stem_width": "2:3", "body_width": "2:3", "transition_width": "2:3", "body_depth": "1:2"}, 10_000)
    assert min(space.drawn_params(3_000)) == space.smallest_params


NARROW = {
    "stem_depth": "1:2",
    "stem_width": "2:3",
    "transition_width": "2:3",
    "body_depth": "1:2",
    "body_width": "2:3",
    "n_expansions": "0:1",
    "expansion_width": "2:3",
    "hidden_width": "2:3",
    "head": "gap-hidden",
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stem_width", "2:200"),
        ("transition_width", "2:400"),
        ("body_width", "2:200"),
        ("n_expansions", "0:9"),
        ("hidden_width", "2:2000"),
        ("stem_depth", "1:30"),
        ("body_depth", "1:30"),
    ],
)
def test_the_range_to_narrow_is_the_one_that_dominates(name: str, text: str) -> None:
    deep = {"body_depth": "9", "expansion_width": "200"} if name == "n_expansions" else {}
    assert Space.of({**NARROW, **deep, name: text}, 10_000).range_to_narrow() == name


def test_expansions_are_narrowed_before_their_number_where_there_must_be_one() -> None:
    ranges = {**NARROW, "n_expansions": "1:2", "expansion_width": "2:2000"}
    assert Space.of(ranges, 10_000).range_to_narrow() == "expansion_width"


def test_a_range_to_narrow_is_named_even_where_all_are_fixed() -> None:
    fixed = {name: "2" for name in ARCHITECTURE_RANGES if isinstance(parse_range(DEFAULT_RANGES[name]), IntRange)}
    assert Space.of(fixed, 10_000).range_to_narrow() == "body_width"
