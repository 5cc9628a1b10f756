"""Which trials of a long study TPE looks at."""

import random

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.study.samplers import MAX_SEEN, telling

DISTRIBUTIONS: dict[str, BaseDistribution] = {"lr": FloatDistribution(0.0, 1.0)}


def trials(n: int) -> list[FrozenTrial]:
    rng, made = random.Random(0), []
    for number in range(n):
        state = TrialState.COMPLETE if number % 3 == 0 else TrialState.PRUNED
        value = rng.random()
        made.append(create_trial(state=state, value=value, params={"lr": value}, distributions=DISTRIBUTIONS))
        made[-1].number = number
    return made


def test_all_of_a_study_that_is_not_long() -> None:
    all_of_them = trials(MAX_SEEN)
    assert telling(all_of_them) is all_of_them


def test_of_a_long_one_the_best_the_latest_and_some_of_every_time() -> None:
    all_of_them = trials(5_000)
    seen = telling(all_of_them)
    numbers = [trial.number for trial in seen]
    assert len(seen) == MAX_SEEN
    assert numbers == sorted(set(numbers))
    complete = [trial for trial in all_of_them if trial.state is TrialState.COMPLETE]
    best = sorted(complete, key=lambda trial: -(trial.value or 0.0))[:100]
    assert {trial.number for trial in best} <= set(numbers)
    assert set(range(4_750, 5_000)) <= set(numbers)
    for start in range(0, 4_500, 500):  # no time of the study is forgotten
        assert len([number for number in numbers if start <= number < start + 500]) >= 20


def test_a_little_more_than_are_looked_at() -> None:
    for n in (MAX_SEEN + 1, MAX_SEEN + 2, 2 * MAX_SEEN - 1):
        assert len(telling(trials(n))) == MAX_SEEN
