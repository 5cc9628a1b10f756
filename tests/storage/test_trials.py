"""The reader of trials, beside Optuna's own."""

import math
import time
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import event

from storage.store import Store
from storage.trials import n_trials, read_trial, read_trials, trial_number
from tests.helpers.databases import new_study

DISTRIBUTIONS = {
    "width": IntDistribution(4, 24),
    "lr": FloatDistribution(0.01, 0.5, log=True),
    "head": CategoricalDistribution(("gap", "conv", None, True, 1.5)),
}

pytestmark = pytest.mark.every_database


def trials_of_every_kind() -> list[FrozenTrial]:
    values = {"width": 8, "lr": 0.1, "head": True}
    drawn: dict[str, Any] = {"params": values, "distributions": DISTRIBUTIONS}
    attrs = {"candidate": {"layers": [{"conv": 8}, "gap"]}, "text": "ä", "none": None}
    reports = {3: 0.9, 1: 0.5, 2: math.inf, 4: -math.inf}
    return [
        create_trial(state=TrialState.COMPLETE, value=0.99, user_attrs=attrs, intermediate_values=reports, **drawn),
        create_trial(state=TrialState.COMPLETE, value=-math.inf, system_attrs={"constraints": [-3.0]}, **drawn),
        create_trial(state=TrialState.PRUNED, value=0.5, intermediate_values={1: 0.5}, **drawn),
        create_trial(state=TrialState.PRUNED),
        create_trial(state=TrialState.FAIL, user_attrs=attrs),
        create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": values}),
        create_trial(state=TrialState.RUNNING, **drawn),
    ]


@pytest.fixture
def study(store: Store) -> optuna.Study:
    new_study(store, "another").add_trial(create_trial(value=1.0))  # whose rows are not ours
    study = new_study(store)
    study.add_trials(trials_of_every_kind())
    return study


def test_it_reads_what_optuna_reads(store: Store, study: optuna.Study) -> None:
    read = read_trials(store.engine, study._study_id)
    assert read == study.get_trials()
    assert [trial._trial_id for trial in read] == [trial._trial_id for trial in study.get_trials()]
    for ours, theirs in zip(read, study.get_trials(), strict=True):
        assert list(ours.params) == list(theirs.params)  # samplers look at the order too
        assert {name: type(value) for name, value in ours.params.items()} == {
            name: type(value) for name, value in theirs.params.items()
        }


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_times_are_those_of_the_zone_as_optuna_gives_them(
    store: Store, study: optuna.Study, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        there = [trial.datetime_start for trial in read_trials(store.engine, study._study_id)]
        reader = optuna.storages.RDBStorage(
            store.engine.url.render_as_string(False)
        )  # with no memory of what it read before
        assert there == [trial.datetime_start for trial in reader.get_all_trials(study._study_id)]
        reader.engine.dispose()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_report_that_is_no_number(store: Store, study: optuna.Study) -> None:
    trial = study.ask()
    trial.report(math.nan, 1)
    assert math.isnan(read_trial(store.engine, study._study_id, trial.number).intermediate_values[1])  # type: ignore[union-attr]


@pytest.mark.parametrize("state", TrialState)
def test_those_of_a_state(store: Store, study: optuna.Study, state: TrialState) -> None:
    assert read_trials(store.engine, study._study_id, state) == study.get_trials(states=[state])


def test_one_alone(store: Store, study: optuna.Study) -> None:
    for trial in study.get_trials():
        assert read_trial(store.engine, study._study_id, trial.number) == trial
    assert read_trial(store.engine, study._study_id, len(study.trials)) is None


def test_the_number_of_one(store: Store, study: optuna.Study) -> None:
    for trial in study.get_trials():
        assert trial_number(store.engine, trial._trial_id) == trial.number


def test_counting_them(store: Store, study: optuna.Study) -> None:
    assert n_trials(store.engine, study._study_id) == len(trials_of_every_kind())
    assert n_trials(store.engine, new_study(store, "empty")._study_id) == 0


def test_a_query_a_table_however_many_there_are(store: Store, study: optuna.Study) -> None:
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    read_trials(store.engine, study._study_id)
    assert len(statements) == 6
