"""The verdict on a handful of seeds, against statsmodels and a search one by one."""

import math
import random
import statistics

import pytest
from scipy.special import stdtrit
from statsmodels.stats.weightstats import DescrStatsW

from search.measures.verdict import (
    MIN_SEEDS,
    Verdict,
    coarse_target_text,
    seeds_to_settle,
    settle_text,
    verdict_of,
)

TARGET = 0.994


def drawn(rng: random.Random, n: int, mean: float) -> list[float]:
    """Accuracies such as seeds have: to .01 points, scattered by .06."""
    return [round(rng.gauss(mean, 0.0006), 4) for _ in range(n)]


def expected(values: list[float]) -> Verdict:
    """The rule as it is written down, with the interval of statsmodels."""
    if len(values) < 5:
        return Verdict.TOO_FEW_SEEDS
    low, high = DescrStatsW(values).tconfint_mean()
    mean = math.fsum(values) / len(values)
    if low >= TARGET:
        return Verdict.VERIFIED
    if high < TARGET:
        return Verdict.REFUTED
    return Verdict.ON_TARGET_NOT_PROVEN if round(mean, 10) >= TARGET else Verdict.BELOW_TARGET


def test_the_verdict_is_that_of_the_rule() -> None:
    rng = random.Random(0)
    seen = set()
    for number in range(400):
        values = drawn(rng, 2 + number % 11, TARGET + rng.uniform(-0.0012, 0.0012))
        assert verdict_of(values, TARGET) is expected(values)
        seen.add(expected(values))
    assert seen == set(Verdict)


def seeds_one_by_one(values: list[float]) -> int:
    """The smallest number at which the half-width is within the distance of the mean from the target."""
    distance, spread = abs(statistics.fmean(values) - TARGET), statistics.stdev(values)
    n = len(values)
    while stdtrit(n - 1, 0.975) * spread / math.sqrt(n) > distance:
        n += 1
    return n


def test_the_seeds_that_would_settle_it_are_those_of_a_search_one_by_one() -> None:
    rng, n_open = random.Random(1), 0
    for _ in range(300):
        values = drawn(rng, rng.randint(5, 12), TARGET + rng.uniform(-0.0006, 0.0006))
        if abs(statistics.fmean(values) - TARGET) < 2e-5:
            continue
        if verdict_of(values, TARGET) in (Verdict.VERIFIED, Verdict.REFUTED):
            assert seeds_to_settle(values, TARGET) is None
            continue
        n_open += 1
        assert seeds_to_settle(values, TARGET) == seeds_one_by_one(values)
    assert n_open > 100


def test_by_the_table_of_students_t() -> None:
    """Deviation .0005 of five seeds: t(4) = 2.776 makes a half-width of .000621, t(9) = 2.262 of ten one of .000358."""
    five = [TARGET + step * 0.0005 / math.sqrt(2.5) for step in (-2, -1, 0, 1, 2)]
    assert statistics.stdev(five) == pytest.approx(0.0005)
    assert verdict_of(five, TARGET - 0.000622) is Verdict.VERIFIED
    assert verdict_of(five, TARGET - 0.000620) is Verdict.ON_TARGET_NOT_PROVEN
    assert verdict_of(five, TARGET + 0.000620) is Verdict.BELOW_TARGET
    assert verdict_of(five, TARGET + 0.000622) is Verdict.REFUTED
    assert seeds_to_settle(five, TARGET - 0.000358) == 10
    assert seeds_to_settle(five, TARGET + 0.000358) == 10


def test_seeds_that_are_all_the_same() -> None:
    """Summed, ten times .9940 comes to a hair less or more; the interval has no width."""
    for n in (5, 7, 10):
        assert verdict_of([0.9940] * n, 0.9940) is Verdict.VERIFIED
        assert verdict_of([0.9939] * n, 0.9940) is Verdict.REFUTED
        assert seeds_to_settle([0.9939] * n, 0.9940) is None


@pytest.mark.parametrize("n", range(1, MIN_SEEDS))
def test_fewer_than_five_prove_nothing(n: int) -> None:
    for accuracy in (0.9, 0.999):
        assert verdict_of([accuracy] * n, TARGET) is Verdict.TOO_FEW_SEEDS
        assert seeds_to_settle([accuracy] * n, TARGET) == 5


def test_a_mean_that_is_the_target_is_on_it_and_no_number_settles_it() -> None:
    values = [0.993, 0.9935, 0.994, 0.9945, 0.995]
    assert verdict_of(values, TARGET) is Verdict.ON_TARGET_NOT_PROVEN
    assert seeds_to_settle(values, TARGET) is None


def test_a_distance_of_next_to_nothing_takes_next_to_forever() -> None:
    values = [0.993, 0.9935, 0.994, 0.9945, 0.995]
    for target in (TARGET - 1e-7, TARGET + 1e-7, TARGET + 1e-12):
        found = seeds_to_settle(values, target)
        assert found is not None
        assert found > 100_000_000


@pytest.mark.parametrize(
    ("verdict", "n", "to_settle", "text"),
    [
        (Verdict.VERIFIED, 5, None, None),
        (Verdict.REFUTED, 5, None, None),
        (Verdict.ON_TARGET_NOT_PROVEN, 5, 31, "about 26 more seeds would settle it"),
        (Verdict.BELOW_TARGET, 5, 6, "about 1 more seed would settle it"),
        (Verdict.BELOW_TARGET, 5, 1000, "about 995 more seeds would settle it"),
        (Verdict.BELOW_TARGET, 5, 1001, "more than 1,000 seeds would settle it"),
        (Verdict.ON_TARGET_NOT_PROVEN, 5, None, "no number of seeds is sure to settle it"),
        (Verdict.TOO_FEW_SEEDS, 1, 5, "4 more seeds are needed"),
        (Verdict.TOO_FEW_SEEDS, 4, 5, "1 more seed is needed"),
    ],
)
def test_what_is_said_of_more_seeds(verdict: Verdict, n: int, to_settle: int | None, text: str | None) -> None:
    assert settle_text(verdict, n, to_settle) == text


def test_the_words() -> None:
    assert [(str(verdict), verdict.words) for verdict in Verdict] == [
        ("verified", "verified"),
        ("on_target_not_proven", "on target, not proven"),
        ("below_target", "below target"),
        ("refuted", "refuted"),
        ("too_few_seeds", "too few seeds"),
    ]


@pytest.mark.parametrize(
    ("target", "n_test", "said"),
    [
        (0.98, 300, None),
        (0.983, 300, None),
        (
            0.994,
            300,
            "leaves 1.8 errors on the 300 test images of digits, too few to prove it; --target 0.9833 leaves 5",
        ),
        (1.0, 300, "leaves 0 errors on the 300 test images"),
        (0.994, 10_000, None),
        (0.9995, 10_000, None),
        (0.9996, 10_000, "leaves 4 errors on the 10,000 test images of digits, too few to prove it; --target 0.9995 "),
    ],
)
def test_a_target_that_leaves_too_few_errors_is_warned_about(target: float, n_test: int, said: str | None) -> None:
    text = coarse_target_text(target, "digits", n_test)
    assert (text is None) if said is None else (text is not None and said in text)
