"""Samplers and pruners: what they draw again, learn from and stop."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search.space.space import Space
from search.study.samplers import make_pruner, make_sampler
from storage.store import Store
from tests.helpers.searches import begin
from tests.helpers.spaces import fault_of


def session(sampler: str, seed: int, n_trials: int, study: optuna.Study, space: Space) -> list[dict[str, Any]]:
    """What one run of a search draws: `n_trials` more trials, each told a value that follows from its draws."""
    study.sampler = make_sampler(sampler, seed, len(study.trials))
    for _ in range(n_trials):
        trial = study.ask()
        candidate = space.sample(trial, 8)
        study.tell(trial, candidate.recipe.lr - candidate.arch.params / 1e4)
    return [trial.params for trial in study.trials[-n_trials:]]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_resumed_study_does_not_repeat_its_first_draws(default: Space, sampler: str) -> None:
    study = optuna.create_study(direction="maximize")
    first = session(sampler, 3, 6, study, default)
    second = session(sampler, 3, 6, study, default)
    assert not [params for params in second if params in first]
    same = session(sampler, 3, 6, optuna.create_study(direction="maximize"), default)
    assert same == first
    other = session(sampler, 4, 6, optuna.create_study(direction="maximize"), default)
    assert not [params for params in other if params in first]


def test_tpe_learns_from_what_it_was_told(default: Space) -> None:
    """After thirty trials it draws better than at random: more of it under the budget of this made-up objective."""
    study = optuna.create_study(direction="maximize")
    session("tpe", 0, 40, study, default)
    values = [trial.value for trial in study.trials]
    assert sum(v or 0.0 for v in values[-15:]) > sum(v or 0.0 for v in values[:15])


def test_draws_keep_away_from_what_is_in_training(default: Space) -> None:
    """Of 16 slots that are filled one after the other none shall get what another one has just got."""

    def drawn_beside(n_running: int) -> dict[str, Any]:
        study = optuna.create_study(direction="maximize")
        session("tpe", 0, 30, study, default)
        best = study.best_trial
        for _ in range(n_running):
            running = optuna.trial.create_trial(
                state=TrialState.RUNNING, params=best.params, distributions=best.distributions
            )
            study.add_trial(running)
        study.sampler = make_sampler("tpe", 1, 0)
        trial = study.ask()
        default.sample(trial, 8)
        return trial.params

    alone, beside = drawn_beside(0), drawn_beside(16)
    assert alone == drawn_beside(0)
    assert beside != alone


def test_an_unknown_sampler_or_pruner() -> None:
    assert fault_of(lambda: make_sampler("gp", 0, 0)) == "unknown sampler 'gp': use tpe or random"
    assert fault_of(lambda: make_pruner("asha", 8)) == "unknown pruner 'asha': use median or none"


def pruned_at(pruner: str, epochs: int, n_complete: int, accuracy: float) -> int | None:
    """The first epoch at which a trial is to be stopped, after others have come to .5 in every epoch."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner(pruner, epochs))
    for _ in range(n_complete):
        trial = study.ask()
        for epoch in range(1, epochs + 1):
            trial.report(0.5, epoch)
        study.tell(trial, 0.5)
    trial = study.ask()
    for epoch in range(1, epochs + 1):
        trial.report(accuracy, epoch)
        if trial.should_prune():
            return epoch
    return None


@pytest.mark.parametrize(("epochs", "first"), [(3, 2), (6, 2), (8, 3), (9, 3), (15, 4), (30, 7)])
def test_the_median_pruner_waits_for_a_fifth_of_the_training(epochs: int, first: int) -> None:
    assert first > epochs / 5
    assert pruned_at("median", epochs, 5, accuracy=0.4) == first
    assert pruned_at("median", epochs, 4, accuracy=0.4) is None  # too few to compare with
    assert pruned_at("median", epochs, 5, accuracy=0.6) is None
    assert pruned_at("none", epochs, 5, accuracy=0.4) is None


def test_rejected_trials_are_nobodys_median() -> None:
    """Pruned without a report, they neither count among the five nor stop anyone."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner("median", 6))
    for _ in range(10):
        study.tell(study.ask(), state=TrialState.PRUNED)
    trial = study.ask()
    for epoch in range(1, 7):
        trial.report(0.0, epoch)
        assert not trial.should_prune()


def test_a_sampler_does_not_learn_from_candidates_that_were_given(tmp_path: Path) -> None:
    """The same draws with and without trials that have no parameters and the best values of all."""

    def drawn(name: str, n_given: int) -> list[dict[str, Any]]:
        study = begin(Store(f"sqlite:///{tmp_path / name}"))
        study.optuna.sampler = make_sampler("tpe", 5, 0)
        for _ in range(n_given):
            study.optuna.add_trial(optuna.trial.create_trial(value=1.0))
        for number in range(16):
            trial = study.optuna.ask()
            study.space.sample(trial, 2)
            study.optuna.tell(trial, -abs(trial.params["lr"] - 0.1) - 0.001 * number)
        return [trial.params for trial in study.optuna.get_trials()[n_given:]]

    assert drawn("a.db", 0) == drawn("b.db", 9)
