"""The race: which of several candidates is worth verifying, on held-out training images and with seeds of its own.

What the search saw of a candidate flatters the ones that were lucky, and does not count here. For the most accurate:
successive halving over seeds. Every candidate is trained with a few; the better half goes on with twice as many, and
so forth until one is left. For the smallest: one after the other from the smallest up, until one is at the target.

Source: Karnin, Koren and Somekh, Almost Optimal Exploration in Multi-Armed Bandits, ICML 2013 (sequential halving).
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from search.measures.statistics import rounded_mean

FIRST_SEEDS = 2
"""Of every candidate. With a deviation of .06 points their mean is good to .04."""
CLIMB_SEEDS = (2, 4)
"""Seeds after each of which a candidate of a race for the smallest must be at the target to go on."""

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Round:
    """`n_candidates` are in it, each trained with `n_seeds` in all, those of earlier rounds included."""

    n_candidates: int
    n_seeds: int


def race_rounds(n_candidates: int, first_seeds: int = FIRST_SEEDS) -> list[Round]:
    """The rounds of a race, the last of which has two candidates; none for a single candidate."""
    rounds, n, seeds = [], n_candidates, first_seeds
    while n > 1:
        rounds.append(Round(n, seeds))
        n, seeds = math.ceil(n / 2), 2 * seeds
    return rounds


def survivors(accuracies: Mapping[_Key, Sequence[float]], n_kept: int) -> list[_Key]:
    """The candidates with the best mean accuracies, best first; of equals the one named first."""
    return sorted(accuracies, key=lambda key: -statistics.fmean(accuracies[key]))[:n_kept]


def run_race(
    keys: Sequence[_Key],
    accuracies_of: Callable[[Sequence[_Key], int], Mapping[_Key, Sequence[float]]],
    listener: Callable[[Round, Mapping[_Key, Sequence[float]], list[_Key]], None] = lambda *_: None,
    first_seeds: int = FIRST_SEEDS,
) -> _Key:
    """The winner. `accuracies_of(keys, n_seeds)` gives the accuracies of candidates under their first n seeds.

    `listener` hears of each round: its accuracies, and who goes on.
    """
    left = list(keys)
    for number, this in enumerate(rounds := race_rounds(len(left), first_seeds), 1):
        accuracies = accuracies_of(left, this.n_seeds)
        n_kept = rounds[number].n_candidates if number < len(rounds) else 1
        left = survivors(accuracies, n_kept)
        listener(this, accuracies, left)
    return left[0]


def run_climb(
    keys: Sequence[_Key],
    target: float,
    accuracies_of: Callable[[Sequence[_Key], int], Mapping[_Key, Sequence[float]]],
    listener: Callable[[Round, Mapping[_Key, Sequence[float]], list[_Key]], None] = lambda *_: None,
) -> _Key:
    """Return the first of `keys`, given smallest first, whose mean accuracy is at the target; else the most accurate.

    Args and `listener` are those of `run_race`; a round has one candidate.
    """
    means: dict[_Key, float] = {}
    for key in keys:
        for n_seeds in CLIMB_SEEDS:
            accuracies = accuracies_of([key], n_seeds)
            means[key] = rounded_mean(accuracies[key])
            is_at_target = means[key] >= target
            listener(Round(1, n_seeds), accuracies, [key] if is_at_target else [])
            if not is_at_target:
                break
        else:
            return key
    return max(means, key=lambda key: means[key])
