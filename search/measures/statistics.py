"""What a handful of trainings says about a candidate: intervals for a mean, a share and a difference, by scipy.

A candidate's accuracy differs from seed to seed by about .06 points, so a single training says little about it; these
say how much several of them do.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
_DECIMALS = 12


@dataclass(frozen=True)
class Interval:
    """A confidence interval of `CONFIDENCE`, in the unit of its values."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Difference:
    """The mean of one candidate minus that of another."""

    mean: float
    interval: Interval | None
    """None where one of the two was trained only once: then nothing can be said."""

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and 0.0 not in self.interval


def deviation(values: Sequence[float]) -> float | None:
    """The sample standard deviation; None of fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def rounded_mean(values: Sequence[float]) -> float:
    """The mean, rounded as a single run's is, so that ten seeds of .9940 are at a target of .9940."""
    return round(statistics.fmean(values), _DECIMALS)


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Student's t interval of the mean; None of fewer than two values."""
    spread = deviation(values)
    return None if spread is None else t_interval(rounded_mean(values), spread, len(values))


def t_interval(mean: float, spread: float, n: int) -> Interval:
    """Student's t interval of the mean of n values with this mean and sample deviation; its ends rounded likewise."""
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / n**0.5
    return Interval(round(mean - half, _DECIMALS), round(mean + half, _DECIMALS))


def wilson_interval(n_successes: int, n: int) -> Interval:
    """Wilson's interval of a share: unlike the usual one it is right for few values, and for none or all of them.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.
    """
    from scipy.stats import binomtest

    found = binomtest(n_successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def share_difference(n_successes_a: int, n_a: int, n_successes_b: int, n_b: int) -> Difference:
    """Return share a minus share b with Newcombe's interval, which is right for shares of nearly all too.

    Source: Newcombe, Interval Estimation for the Difference Between Independent Proportions, Statistics in Medicine
    1998, method 10.
    """
    a, b = n_successes_a / n_a, n_successes_b / n_b
    inside_a, inside_b = wilson_interval(n_successes_a, n_a), wilson_interval(n_successes_b, n_b)
    low = a - b - math.hypot(a - inside_a.low, inside_b.high - b)
    high = a - b + math.hypot(inside_a.high - a, b - inside_b.low)
    return Difference(a - b, Interval(low, high))


def difference(a: Sequence[float], b: Sequence[float], paired: bool = False) -> Difference:
    """Mean of `a` minus mean of `b`, by Welch's t test, or the paired one where value i of both shares its seed.

    Two candidates do not share what a seed decides (other shapes draw other weights), two recipes of one network do.
    """
    mean = round(statistics.fmean(a) - statistics.fmean(b), 12)  # equal means differ in the last bit of their sums
    if min(len(a), len(b)) < 2:
        return Difference(mean, None)
    if paired:
        gaps = [x - y for x, y in zip(a, b, strict=True)]
        return Difference(mean, mean_interval(gaps))
    if len(set(a)) == len(set(b)) == 1:  # no spread at all: scipy would divide by it
        return Difference(mean, Interval(mean, mean))
    from scipy.stats import ttest_ind

    found = ttest_ind(a, b, equal_var=False).confidence_interval(CONFIDENCE)
    return Difference(mean, Interval(float(found.low), float(found.high)))
