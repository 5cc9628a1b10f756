"""The race, by simulation: candidates whose true accuracy is known, seeds that scatter as real ones do."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from search.verification.race import Round, race_rounds, run_climb, run_race, survivors

SIGMA = 0.0006


def test_rounds_halve_the_candidates_and_double_the_seeds() -> None:
    assert race_rounds(8, 2) == [Round(8, 2), Round(4, 4), Round(2, 8)]
    assert race_rounds(5, 2) == [Round(5, 2), Round(3, 4), Round(2, 8)]
    assert race_rounds(2) == [Round(2, 2)]
    assert race_rounds(1) == []


def test_survivors_are_the_best_by_their_mean() -> None:
    accuracies = {"a": [0.99, 0.98], "b": [0.995, 0.985], "c": [0.95, 0.999]}
    assert survivors(accuracies, 2) == ["b", "a"]


def test_a_single_candidate_is_not_trained() -> None:
    def train(keys: Sequence[str], n_seeds: int) -> Mapping[str, Sequence[float]]:
        raise AssertionError("nobody to race with")

    assert run_race(["a"], train) == "a"


class Field:
    """Candidates with true accuracies; each seed of a candidate gives the same accuracy whenever it is asked for."""

    def __init__(self, true: Sequence[float], rng: np.random.Generator) -> None:
        self.seen = {i: mean + rng.normal(0, SIGMA, 64) for i, mean in enumerate(true)}
        self.n_trainings = 0
        self._n_known = dict.fromkeys(self.seen, 0)

    def train(self, keys: Sequence[int], n_seeds: int) -> dict[int, list[float]]:
        for key in keys:
            self.n_trainings += n_seeds - self._n_known[key]
            self._n_known[key] = n_seeds
        return {key: self.seen[key][:n_seeds].tolist() for key in keys}


def races(gap: float, n_candidates: int = 8, n_races: int = 2000) -> tuple[float, float, int]:
    """How often the true best wins, how much accuracy is lost on average, and the trainings of a race."""
    rng = np.random.default_rng(0)
    n_best, lost, field = 0, 0.0, None
    for _ in range(n_races):
        true = np.sort(0.9945 - gap - rng.uniform(0, 0.001, n_candidates))
        best = int(rng.integers(n_candidates))
        true[best] = 0.9945
        field = Field(true.tolist(), rng)
        winner = run_race(range(n_candidates), field.train)
        n_best += winner == best
        lost += 0.9945 - true[winner]
    assert field is not None
    return n_best / n_races, lost / n_races, field.n_trainings


@pytest.mark.parametrize(("gap", "share"), [(0.0010, 0.98), (0.0005, 0.90)], ids=["by .10 points", "by .05 points"])
def test_the_true_best_is_seldom_dropped(gap: float, share: float) -> None:
    """One that leads all others by .05 points, less than the scatter of a single seed, still mostly wins."""
    wins, lost, n_trainings = races(gap)
    assert wins >= share
    assert lost <= 0.00006, "what it loses is of no account"
    assert n_trainings == 8 * 2 + 4 * 2 + 2 * 4


def test_it_beats_as_many_trainings_shared_out_evenly() -> None:
    rng = np.random.default_rng(0)
    n_even = 0
    for _ in range(2000):
        true = np.sort(0.9945 - 0.0005 - rng.uniform(0, 0.001, 8))
        true[best := int(rng.integers(8))] = 0.9945
        n_even += int(np.argmax([np.mean(mean + rng.normal(0, SIGMA, 4)) for mean in true])) == best
    assert races(0.0005)[0] > n_even / 2000


def test_seeds_of_earlier_rounds_count_again() -> None:
    asked: list[tuple[list[int], int]] = []
    field = Field([0.9, 0.8, 0.7, 0.6], np.random.default_rng(0))

    def train(keys: Sequence[int], n_seeds: int) -> dict[int, list[float]]:
        asked.append((list(keys), n_seeds))
        return field.train(keys, n_seeds)

    assert run_race(range(4), train) == 0
    assert asked == [([0, 1, 2, 3], 2), ([0, 1], 4)]


def test_a_race_for_the_smallest_stops_at_the_first_at_the_target() -> None:
    asked: list[tuple[list[int], int]] = []
    seen = {0: [0.990, 0.992, 0.99, 0.99], 1: [0.995, 0.994, 0.99, 0.99], 2: [0.993, 0.996, 0.994, 0.995]}
    heard: list[tuple[int, list[int]]] = []

    def train(keys: Sequence[int], n_seeds: int) -> dict[int, list[float]]:
        asked.append((list(keys), n_seeds))
        return {key: seen[key][:n_seeds] for key in keys}

    def listen(this: Round, _: Mapping[int, Sequence[float]], left: list[int]) -> None:
        heard.append((this.n_seeds, left))

    assert run_climb([0, 1, 2, 3], 0.994, train, listen) == 2
    assert asked == [([0], 2), ([1], 2), ([1], 4), ([2], 2), ([2], 4)], "the fourth is not trained"
    assert heard == [(2, []), (2, [1]), (4, []), (2, [2]), (4, [2])]


def test_a_race_for_the_smallest_without_one_at_the_target_has_the_most_accurate() -> None:
    seen = {0: [0.98, 0.98], 1: [0.99, 0.99], 2: [0.985, 0.985]}
    assert run_climb([0, 1, 2], 0.994, lambda keys, n: {key: seen[key][:n] for key in keys}) == 1
