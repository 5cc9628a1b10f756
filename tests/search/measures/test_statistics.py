"""The statistics against another library's, and by simulation."""

import itertools

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from search.measures.statistics import (
    Interval,
    deviation,
    difference,
    mean_interval,
    share_difference,
    wilson_interval,
)

SIGMA = 0.0006
"""The deviation between seeds of a network near 99.4 %."""


@pytest.mark.parametrize(("k", "n"), [(k, n) for n in (1, 5, 10, 37) for k in range(n + 1)])
def test_wilson_agrees_with_statsmodels(k: int, n: int) -> None:
    low, high = proportion_confint(k, n, method="wilson")
    found = wilson_interval(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(("a", "n_a", "b", "n_b"), [(1497, 1497, 299, 300), (160, 1497, 30, 300), (3, 10, 9, 10)])
def test_the_interval_of_two_shares_agrees_with_statsmodels(a: int, n_a: int, b: int, n_b: int) -> None:
    low, high = confint_proportions_2indep(a, n_a, b, n_b, method="newcomb", compare="diff")
    found = share_difference(a, n_a, b, n_b)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-9)
    assert found.mean == pytest.approx(a / n_a - b / n_b)


def test_wilson_of_none_and_of_all() -> None:
    """The values that the formula gives by hand: z² / (n + z²) with z = 1.95996."""
    assert (wilson_interval(0, 10).low, wilson_interval(10, 10).high) == pytest.approx((0.0, 1.0))
    assert wilson_interval(0, 10).high == pytest.approx(0.277533, abs=1e-6)
    assert wilson_interval(10, 10).low == pytest.approx(1 - 0.277533, abs=1e-6)


@pytest.mark.parametrize("n", [5, 10, 20])
def test_wilson_covers(n: int) -> None:
    """Over all shares it covers in 95 % on average; the usual interval of Wald would in 64 to 90 %."""
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.02, 0.98, 4000)
    counts = rng.binomial(n, shares)
    intervals = [wilson_interval(k, n) for k in range(n + 1)]
    covered = np.mean([share in intervals[k] for share, k in zip(shares, counts, strict=True)])
    assert 0.935 <= covered <= 0.975


@pytest.mark.parametrize("seed", range(5))
def test_means_and_differences_agree_with_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.9945, SIGMA, 10), rng.normal(0.9941, 3 * SIGMA, 5 + seed)
    inside = mean_interval(a.tolist())
    assert inside is not None
    assert (inside.low, inside.high) == pytest.approx(DescrStatsW(a).tconfint_mean(), abs=1e-12)
    found = difference(a.tolist(), b.tolist())
    assert found.interval is not None
    expected = CompareMeans(DescrStatsW(a), DescrStatsW(b)).tconfint_diff(usevar="unequal")
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, abs=1e-12)
    assert found.mean == pytest.approx(a.mean() - b.mean())


def test_paired_differences_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(7)
    a = rng.normal(0.994, SIGMA, 8)
    b = a - 0.0002 + rng.normal(0, SIGMA / 10, 8)
    found = difference(a.tolist(), b.tolist(), paired=True)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(DescrStatsW(a - b).tconfint_mean(), abs=1e-12)
    assert found.is_told_apart
    assert not difference(a.tolist(), b.tolist()).is_told_apart, "unpaired, the seeds' own spread hides it"


def test_welch_covers_and_seldom_tells_equals_apart() -> None:
    rng = np.random.default_rng(1)
    n_covered = n_told_apart = 0
    for _ in range(1500):
        a, b = rng.normal(0.9946, SIGMA, 10), rng.normal(0.9940, 2 * SIGMA, 5)
        inside = difference(a.tolist(), b.tolist()).interval
        assert inside is not None
        n_covered += 0.0006 in inside
        n_told_apart += difference(a[:5].tolist(), a[5:].tolist()).is_told_apart
    assert 0.93 <= n_covered / 1500 <= 0.97
    assert 0.02 <= n_told_apart / 1500 <= 0.07


def test_a_single_training_says_nothing_of_its_spread() -> None:
    assert deviation([0.9941]) is None
    assert mean_interval([0.9941]) is None
    found = difference([0.99, 0.98], [0.97])
    assert found.mean == pytest.approx(0.015)
    assert found.interval is None
    assert not found.is_told_apart


@pytest.mark.parametrize(("a", "b", "apart"), [(0.99, 0.99, False), (0.99, 0.98, True)])
def test_values_without_any_spread(a: float, b: float, apart: bool) -> None:
    found = difference([a] * 3, [b] * 4)
    assert found.interval == Interval(found.mean, found.mean)
    assert found.is_told_apart is apart


def test_the_order_of_seeds_does_not_matter_unpaired() -> None:
    a, b = [0.99, 0.991, 0.995], [0.98, 0.985]
    expected = difference(a, b)
    assert all(difference(list(p), b).mean == pytest.approx(expected.mean) for p in itertools.permutations(a))
