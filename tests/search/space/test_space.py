"""The space: what is drawn from it, and how its widths follow the budget."""

import math
import random
from collections.abc import Iterator

import pytest
from torch import nn

from models.build import build, count_params, example_input
from models.candidate import Candidate
from search.space.catalogue import DEFAULT_RANGES, RECIPE_RANGES, WIDTHS
from search.space.draws import RandomDraw
from search.space.space import Space
from tests.helpers.spaces import ALWAYS, BUDGETS, LATER, OF_SCHEDULE, WIDEST, ends, fault_of

N_DRAWS = 3_000


def draws(space: Space, n: int, epochs: int = 8, seed: int = 0) -> Iterator[Candidate]:
    rng = random.Random(seed)
    return (space.sample(RandomDraw(rng), epochs) for _ in range(n))


def test_thousands_of_draws_are_valid_candidates_that_build(default: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase):
        monkeypatch.setattr(module, "reset_parameters", lambda _self: None)  # no values: they take most of the time
    ids = set()
    for number, candidate in enumerate(draws(default, N_DRAWS)):
        assert candidate.recipe.epochs == 8
        if number % 4 == 0:
            assert count_params(build(candidate.arch, candidate.recipe.dropout)) == candidate.arch.params
        ids.add(candidate.id)
    assert len(ids) == N_DRAWS  # as good as never the same twice


def test_what_is_drawn_computes_logits(default: Space) -> None:
    for candidate in draws(default, 60, seed=1):
        assert Candidate.from_dict(candidate.to_dict()) == candidate
        logits = build(candidate.arch, candidate.recipe.dropout)(example_input(3))
        assert logits.shape == (3, 10)
        assert logits.isfinite().all()


@pytest.mark.parametrize("max_params", BUDGETS)
def test_most_random_draws_pass_the_gate(max_params: int) -> None:
    space = Space.of({}, max_params)
    rng = random.Random(12345)  # not the draws the widths were fitted by
    n_passed = sum(space.sample_arch(RandomDraw(rng)).params < max_params for _ in range(N_DRAWS))
    share = n_passed / N_DRAWS
    widths = ", ".join(f"{name} {space.ranges[name].text()}" for name in WIDTHS)
    print(f"max_params {max_params:,}: {share:.1%} of {N_DRAWS:,} random draws pass ({widths})")
    # The share it reports is an estimate from 200 draws: within four standard deviations.
    assert abs(space.share_below(max_params) - share) < 4 * math.sqrt(0.25 / 200)
    assert share > 0.5
    assert share < 0.9  # and the widths are not narrower than they need be


def test_widths_follow_the_budget() -> None:
    highs = [ends(Space.of({}, max_params).ranges["body_width"])[1] for max_params in (100_000, *BUDGETS, 1_000)]
    assert highs == sorted(set(highs), reverse=True)


def test_given_ranges_stay_as_given() -> None:
    given_ranges = {"body_width": "2:9", "lr": "0.1:0.2", "second_pool": "true"}
    space = Space.of(given_ranges, 10_000)
    stored = space.to_dict()
    assert list(stored) == list(DEFAULT_RANGES)
    assert {name: stored[name] for name in given_ranges} == given_ranges
    untouched = DEFAULT_RANGES.keys() - given_ranges.keys() - set(WIDTHS)
    assert {name: stored[name] for name in untouched} == {name: DEFAULT_RANGES[name] for name in untouched}
    # The other widths are free to be wider for it.
    assert ends(space.ranges["stem_width"])[1] > ends(Space.of({}, 10_000).ranges["stem_width"])[1]
    all_given = Space.of(dict.fromkeys(WIDTHS, "3:70"), 10_000)
    assert [all_given.ranges[name].text() for name in WIDTHS] == ["3:70"] * 3


def test_a_space_is_read_back_as_it_was_stored(default: Space) -> None:
    for space in (default, Space.of(WIDEST, 500)):
        assert Space.from_dict(space.to_dict()) == space
        assert list(draws(Space.from_dict(space.to_dict()), 20)) == list(draws(space, 20))


def test_a_stored_space_without_a_range_is_of_another_version(default: Space) -> None:
    texts = default.to_dict()
    del texts["stem_width"]
    assert fault_of(lambda: Space.from_dict(texts)) == (
        "another version of mnist-search made this study, it has no range stem_width: begin another with --study NAME"
    )


def test_the_lists_of_these_tests_are_those_of_the_catalogue() -> None:
    """A range that is new would be noticed: as one that nobody asks for, or whose widest values nobody has tried."""
    conditional = {*WIDTHS, "expansion_width", "hidden_width", "lr", "adamw_lr"}.union(*OF_SCHEDULE.values())
    assert conditional | ALWAYS | LATER.keys() | {"brightness", "contrast"} == set(DEFAULT_RANGES)
    assert WIDEST.keys() >= RECIPE_RANGES.keys()
