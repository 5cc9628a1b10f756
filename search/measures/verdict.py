"""What fresh seeds prove about a target, and how many more would prove it.

The claim is about the mean over all seeds there could be, of which a few were seen: it is proven where Student's 95 %
interval of that mean is on one side of the target.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from enum import StrEnum

from search.measures.statistics import Interval, mean_interval, rounded_mean, t_interval
from search.measures.words import percent, plural

MIN_SEEDS = 5
"""Fewer prove nothing: so few say next to nothing about their own deviation, on which the interval hangs."""
MANY_SEEDS = 1_000
"""Nobody trains so many to settle a question: from here on no number is named."""


MIN_ERRORS = 5
"""Errors that a target must leave on the test images: with fewer, a single image decides about it."""


class Verdict(StrEnum):
    """What the seeds of a candidate say; the value is what `--json` has."""

    VERIFIED = "verified"
    ON_TARGET_NOT_PROVEN = "on_target_not_proven"
    BELOW_TARGET = "below_target"
    REFUTED = "refuted"
    TOO_FEW_SEEDS = "too_few_seeds"

    @property
    def words(self) -> str:
        """As people read it: `on target, not proven`."""
        return self.value.replace("on_target_not", "on target, not").replace("_", " ")


def verdict_of(accuracies: Sequence[float], target: float) -> Verdict:
    """The verdict on sustained accuracies, one of each seed, at least one."""
    inside = mean_interval(accuracies)
    if inside is None or len(accuracies) < MIN_SEEDS:
        return Verdict.TOO_FEW_SEEDS
    return _judged(rounded_mean(accuracies), inside, target)


def seeds_to_settle(accuracies: Sequence[float], target: float) -> int | None:
    """The number of seeds, those at hand included, that would make it verified or refuted if they went on alike.

    The smallest whose interval, at today's mean and deviation, leaves out the target; `MIN_SEEDS` of fewer. None where
    it is settled, and where the mean is the target itself, which no number of seeds is sure to settle.
    """
    if len(accuracies) < MIN_SEEDS:
        return MIN_SEEDS
    mean, spread = rounded_mean(accuracies), statistics.stdev(accuracies)

    def is_settled(n_seeds: int) -> bool:
        return _judged(mean, t_interval(mean, spread, n_seeds), target) in (Verdict.VERIFIED, Verdict.REFUTED)

    return None if mean == target or is_settled(len(accuracies)) else _first(is_settled, len(accuracies))


def settle_text(verdict: Verdict, n_seeds: int, seeds_to_settle: int | None) -> str | None:
    """What more seeds would do: `about 26 more seeds would settle it`; None where it is settled."""
    if verdict in (Verdict.VERIFIED, Verdict.REFUTED):
        return None
    if seeds_to_settle is None:
        return "no number of seeds is sure to settle it"
    if seeds_to_settle > MANY_SEEDS:
        return f"more than {MANY_SEEDS:,} seeds would settle it"
    n_more = seeds_to_settle - n_seeds
    if verdict is Verdict.TOO_FEW_SEEDS:
        return f"{plural(n_more, 'more seed')} {'is' if n_more == 1 else 'are'} needed"
    return f"about {plural(n_more, 'more seed')} would settle it"


def coarse_target_text(target: float, dataset: str, n_test: int) -> str | None:
    """A warning if a target leaves fewer than `MIN_ERRORS` errors on so many test images; None if it leaves enough."""
    n_errors = round((1 - target) * n_test, 6)
    if n_errors >= MIN_ERRORS:
        return None
    finest = math.floor((1 - MIN_ERRORS / n_test) * 1e4) / 1e4 if n_test > MIN_ERRORS else 0.0
    return (
        f"warning: a target of {percent(target)} leaves {n_errors:.3g} errors on the {n_test:,} test images of "
        f"{dataset}, too few to prove it; --target {finest:g} leaves {MIN_ERRORS}"
    )


def _judged(mean: float, inside: Interval, target: float) -> Verdict:
    if inside.low >= target:
        return Verdict.VERIFIED
    if inside.high < target:
        return Verdict.REFUTED
    return Verdict.ON_TARGET_NOT_PROVEN if mean >= target else Verdict.BELOW_TARGET


def _first(holds: Callable[[int], bool], below: int) -> int:
    """The smallest number above `below` for which it holds, as it then does for every larger one."""
    low, high = below, 2 * below
    while not holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
