"""The settings of a study, its objective, sampler, pruner and gate."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap
from models.recipe import Recipe
from search.dispatch.gate import excess_params, mark_budget, rejection_reason
from search.dispatch.intake import Intake
from search.dispatch.ledger import Ledger
from search.dispatch.live import LiveTrial
from search.dispatch.mirror import StudyMirror
from search.measures.objective import is_held, sustained_accuracy
from search.space.space import Space
from search.study.outcomes import Outcome
from search.study.samplers import make_pruner, make_sampler
from search.study.settings import StudySettings, require_unchanged
from search.study.setup import StudyRequest, prepare
from search.study.study import create_study
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.spaces import fault_of
from tests.trainer.data.test_data import write_dataset

BUDGETS = (10_000, 8_000, 5_000)
N_DRAWS = 3_000


# The settings of a study


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"split": "train"}, "unknown split 'train': use holdout or test"),
        ({"sampler": "gp"}, "unknown sampler 'gp': use tpe or random"),
        ({"pruner": "hyperband"}, "unknown pruner 'hyperband': use median or none"),
        ({"target": 0.0}, "--target 0 is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"target": 99.4}, "--target 99.4 is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"target": math.nan}, "--target nan is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"epochs": 0}, "--epochs 0: a training has 1 to 1,000 epochs"),
        ({"epochs": 1001}, "--epochs 1001: a training has 1 to 1,000 epochs"),
        ({"sustain": 0}, "--sustain 0: at least 1 epoch decides"),
        (
            {"sustain": 9, "epochs": 8},
            "--sustain 9 is more than --epochs 8: a training must have them all",
        ),
        ({"max_params": 0}, "--max-params 0: the budget is at least 1 parameter"),
        ({"seed": -1}, "--seed -1: a seed is a whole number from 0 to 2,147,483,647"),
        ({"seed": 2**31}, "--seed 2147483648: a seed is a whole number from 0 to 2,147,483,647"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], fault: str) -> None:
    assert fault_of(lambda: StudySettings(dataset="mnist", **changes)) == fault


@pytest.mark.parametrize(("dataset", "epochs"), [("mnist", 8), ("digits", 15)])
def test_how_long_a_new_study_trains(dataset: str, epochs: int, tmp_path: Path) -> None:
    """Unless it is told otherwise, and then for good."""
    write_dataset(tmp_path)
    for given, expected in ((None, epochs), (5, 5)):
        url = f"sqlite:///{tmp_path / f'{given}.db'}"
        request = StudyRequest(url, None, dataset, tmp_path, {"epochs": given})
        assert prepare(request).study.settings.epochs == expected
        assert prepare(replace(request, settings={})).study.settings.epochs == expected


def test_what_is_refused_late_leaves_no_file(tmp_path: Path) -> None:
    """How many widths fit the budget is found out once the data set is there."""
    write_dataset(tmp_path)
    request = StudyRequest(f"sqlite:///{tmp_path / 'new.db'}", None, None, tmp_path, {"max_params": 50})
    assert fault_of(lambda: prepare(request)).startswith("--max-params 50: the smallest network of this space has ")
    assert not (tmp_path / "new.db").exists()


def test_settings_at_their_limits() -> None:
    for made in (
        StudySettings("mnist", target=1.0, epochs=1, sustain=1, max_params=1, seed=0),
        StudySettings("mnist", target=1e-9, epochs=1000, sustain=1000, max_params=10**9, seed=2**31 - 1),
    ):
        assert StudySettings.from_dict(made.to_dict()) == made


def test_the_defaults_are_the_designs() -> None:
    made = StudySettings("mnist")
    assert (made.max_params, made.target, made.sustain, made.split) == (10_000, 0.994, 3, "holdout")
    assert (made.sampler, made.pruner) == ("tpe", "median")


@pytest.mark.parametrize(
    ("given_settings", "text"),
    [
        ({"max_params": 8000}, "--max-params 10000, not 8000: leave --max-params out"),
        ({"target": 0.99, "seed": None}, "--target 0.994, not 0.99: leave --target out"),
        ({"dataset": "digits"}, "--dataset mnist, not digits: leave --dataset out"),
        ({"seed": 1, "epochs": 8}, "--seed 0, not 1: leave --seed out"),
        ({"split": "test"}, "--split holdout, not test: leave --split out"),
    ],
)
def test_a_study_keeps_its_settings(given_settings: dict[str, Any], text: str) -> None:
    stored = StudySettings("mnist", epochs=8)
    assert fault_of(lambda: require_unchanged("mine", stored, given_settings)) == (
        f"study 'mine' was begun with {text} to go on with it, or begin another with --study NAME"
    )


def test_settings_that_are_not_given_or_the_same_are_no_change() -> None:
    stored = StudySettings("mnist", epochs=12, target=0.99)
    require_unchanged("mine", stored, {})
    require_unchanged("mine", stored, stored.to_dict())
    require_unchanged("mine", stored, dict.fromkeys(stored.to_dict()))
    require_unchanged("mine", stored, {"epochs": 12, "timeout": 3})


# The objective


def test_sustained_is_the_mean_of_the_last_epochs() -> None:
    assert sustained_accuracy([0.1, 0.2, 0.9, 0.8, 0.7], 3) == pytest.approx(0.8)
    assert sustained_accuracy([0.1, 0.2, 0.9], 1) == 0.9
    assert sustained_accuracy([0.4, 0.6], 3) == 0.5


@pytest.mark.parametrize("sustain", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("n_images", [10_000, 250])
def test_epochs_at_the_target_are_at_the_target(n_images: int, sustain: int) -> None:
    """For every accuracy there is: the mean of equals is none the less, as a sum of fractions may be."""
    for n_correct in range(n_images + 1):
        target = float(f"{n_correct / n_images:.4f}")  # as it is typed
        accuracies = [0.0, *[n_correct / n_images] * sustain]
        assert sustained_accuracy(accuracies, sustain) >= target
        assert is_held(accuracies, sustain, target)


def test_held_is_every_one_of_the_last_epochs() -> None:
    assert is_held([0.1, 0.994, 0.995, 0.994], 3, 0.994)
    assert not is_held([0.999, 0.9939, 0.999, 0.999], 3, 0.994)
    assert is_held([0.1, 0.9939, 0.995, 0.996, 0.997], 3, 0.994)
    assert not is_held([0.999, 0.999], 3, 0.994)


# Sampler and pruner


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


# The gate


TINY = Candidate(ArchSpec((Conv(8), Gap(), Conv(10, 1, then=()))), Recipe())  # 8 * 9 + 16 + 80 = 168 parameters


def test_a_network_at_the_budget_is_over_it() -> None:
    assert TINY.arch.params == 168
    assert [excess_params(n, 10_000) for n in (9_998, 9_999, 10_000, 12_000)] == [-1, 0, 1, 2_001]


@pytest.mark.parametrize(("max_params", "passes", "excess"), [(169, True, 0), (168, False, 1), (100, False, 69)])
def test_the_gate_tells_optuna(max_params: int, passes: bool, excess: int) -> None:
    study = optuna.create_study()
    trial = study.ask()
    assert mark_budget(trial, TINY, max_params) is passes
    (frozen,) = study.trials
    assert frozen.constraints["params"] == excess
    # The list, where optuna-dashboard 0.21 looks, is to Optuna one more constraint: of one mind with the first.
    assert set(frozen.constraints.values()) == {excess}
    assert frozen.system_attrs["constraints"] == [excess]


def test_the_reason_has_the_count_and_the_budget() -> None:
    assert rejection_reason(12_345, 10_000) == "12,345 parameters, the budget is fewer than 10,000"


def test_the_rejected_are_never_complete(tmp_path: Path) -> None:
    space = Space.of({"body_width": "10:30"}, 10_000)
    stored = StudySettings("digits", max_params=8_000, sampler="random", space=space.to_dict())
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    study = create_study(store, "study", stored)
    mirror = StudyMirror(study)
    intake = Intake(study, mirror, Ledger(study, mirror))
    passed: list[LiveTrial] = []
    while len(passed) < 4:
        passed += filter(None, [intake.draw()])
    assert all(trial.candidate.arch.params < 8_000 for trial in passed)
    study.refresh()
    rejected = study.trials(Outcome.REJECTED)
    assert len(rejected) > 3
    for trial in rejected:
        n_params = trial.user_attrs["params"]
        assert n_params >= 8_000
        assert trial.state is TrialState.PRUNED
        assert trial.values is None
        assert trial.intermediate_values == {}
        assert trial.constraints["params"] == n_params - 7_999
        assert trial.user_attrs["reason"] == f"{n_params:,} parameters, the budget is fewer than 8,000"
        assert epochs_of(store.engine, trial._trial_id) == []
    assert len(rejected) + len(passed) == len(study.optuna.trials)
    assert study.n_past_gate() == 0  # the four are still running
    store.close()
