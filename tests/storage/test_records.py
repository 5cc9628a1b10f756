"""Epochs and verifications come back as they were stored."""

from dataclasses import replace

import optuna
import pytest
from sqlalchemy import text

from storage.epochs import core_seconds_by_trial, epochs_of
from storage.runs import add_run, runs_of
from storage.sessions import StudySession
from storage.store import Store
from storage.verifications import (
    Verification,
    add_verification_run,
    begin_verification,
    end_verification,
    verification_runs_of,
    verification_weights,
    verifications_of,
)
from tests.helpers.databases import FIELDS, add_epoch, new_study, new_trial, record

pytestmark = pytest.mark.every_database


def test_epochs_come_back_as_they_were(store: Store) -> None:
    trial = new_trial(store)
    for epoch in (2, 10, 1):
        add_epoch(store.engine, trial, record(epoch))
    assert epochs_of(store.engine, trial) == [record(1), record(2), record(10)]  # to the last bit, by number
    assert epochs_of(store.engine, trial + 1) == []


def test_a_second_record_takes_the_place_of_the_first(store: Store) -> None:
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    add_epoch(store.engine, trial, record(1, eval_accuracy=0.25))
    assert epochs_of(store.engine, trial) == [record(1, eval_accuracy=0.25)]


def test_trials_keep_their_own_epochs(store: Store) -> None:
    first, second, third = (new_trial(store) for _ in range(3))
    for epoch in (1, 2):
        add_epoch(store.engine, first, record(epoch))
    add_epoch(store.engine, second, record(1, lr=0.5))
    assert epochs_of(store.engine, second) == [record(1, lr=0.5)]
    assert [r["epoch"] for r in epochs_of(store.engine, first)] == [1, 2]
    assert epochs_of(store.engine, third) == []


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_must_be_whole(store: Store, field: str) -> None:
    trial = new_trial(store)
    whole = record(1)
    del whole[field]
    with pytest.raises(KeyError, match=field):
        add_epoch(store.engine, trial, whole)
    assert epochs_of(store.engine, trial) == []


def test_no_epochs_of_a_trial_that_is_not_there(store: Store) -> None:
    with pytest.raises(KeyError, match="Record does not exist"):
        add_epoch(store.engine, 99, record(1))


def test_a_deleted_study_takes_its_epochs_and_sessions_along(store: Store) -> None:
    doomed, kept = new_study(store, "doomed"), new_study(store, "kept")
    trials = [study.ask()._trial_id for study in (doomed, kept)]
    for study, trial in zip((doomed, kept), trials, strict=True):
        add_epoch(store.engine, trial, record(1))
        StudySession(store.engine, study._study_id).end()
    optuna.delete_study(study_name="doomed", storage=store.optuna)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT trial_id FROM epoch_records")).all() == [(trials[1],)]
        assert connection.execute(text("SELECT study_id FROM run_sessions")).all() == [(kept._study_id,)]


def test_epochs_of_a_study_add_up(store: Store) -> None:
    study = new_study(store)
    trials = [study.ask()._trial_id for _ in range(2)]
    other = new_trial(store)
    assert core_seconds_by_trial(store.engine, study._study_id) == {}
    for trial, epoch in ((trials[0], 1), (trials[0], 2), (trials[1], 1), (other, 1)):
        add_epoch(store.engine, trial, record(epoch, core_seconds=1.5))
    assert core_seconds_by_trial(store.engine, study._study_id) == {trials[0]: 3.0, trials[1]: 1.5}
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE epoch_records SET core_seconds = NULL WHERE epoch = 2"))
    assert core_seconds_by_trial(store.engine, study._study_id) == {trials[0]: None, trials[1]: 1.5}


def test_a_verification_comes_back_as_it_was(store: Store) -> None:
    study_id = new_study(store)._study_id
    asked = Verification("abc", "trial 3", "digits", study_id, 3, 20, 12.5, 20.5, precision="float32", torch="2.15.0")
    number = begin_verification(store.engine, asked)
    assert verifications_of(store.engine, study_id) == [asked]
    end_verification(store.engine, number, 7.5, 6.5, None)  # stopped: it took its time, and says nothing
    assert verifications_of(store.engine, study_id) == [replace(asked, seconds=7.5, core_seconds=6.5)]
    end_verification(store.engine, number, 8.5, 7.0, {"verified": True})
    [done] = verifications_of(store.engine, study_id)
    assert done == replace(asked, seconds=8.5, core_seconds=7.0, summary={"verified": True})
    assert verifications_of(store.engine, study_id + 1) == []


def test_a_seed_is_kept_once(store: Store) -> None:
    """Two processes that verify one candidate may both train a seed; the first one's training stays."""
    facts = {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 2**32 - 1}
    for name in ("first", "second"):
        add_verification_run(store.engine, {**facts, "name": name})
    add_verification_run(store.engine, {**facts, "split": "holdout", "name": "race"})
    assert [run["name"] for run in verification_runs_of(store.engine, "abc")] == ["first"]
    assert [run["name"] for run in verification_runs_of(store.engine, "abc", "digits", "holdout")] == ["race"]
    assert verification_runs_of(store.engine, "abc", "mnist") == []
    assert verification_runs_of(store.engine, "abc", seeds=[1]) == []


def test_a_seed_is_kept_once_for_each_number_format_and_release_of_torch(store: Store) -> None:
    facts = {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 1}
    kept = [("float32", "2.15.0+cu130"), ("bfloat16", "2.15.0"), ("float32", "2.16.0"), ("float32", "2.15.0")]
    for precision, torch in kept:
        add_verification_run(store.engine, {**facts, "precision": precision, "torch": torch})
    assert [(run["precision"], run["torch"]) for run in verification_runs_of(store.engine, "abc")] == kept[:3]
    alike = verification_runs_of(store.engine, "abc", conditions=("float32", "2.15.0+cpu"))
    assert [run["torch"] for run in alike] == ["2.15.0+cu130"]
    assert verification_runs_of(store.engine, "abc", conditions=("bfloat16", "2.16.0")) == []


def test_a_run_s_network_is_kept_beside_it(store: Store) -> None:
    facts = {"candidate": "c", "dataset": "mnist", "split": "test", "seed": 1}
    network = bytes(range(256)) * 300  # more than MySQL's BLOB has room for
    add_verification_run(store.engine, facts, network)
    add_verification_run(store.engine, facts, b"of a slower process")
    add_verification_run(store.engine, {**facts, "seed": 2})
    with_one, without = verification_runs_of(store.engine, "c")
    assert verification_weights(store.engine, with_one["run_id"]) == network
    assert verification_weights(store.engine, without["run_id"]) is None


def test_a_deleted_study_takes_its_verifications_along_and_leaves_their_trainings(store: Store) -> None:
    """Also where one of its name is begun again, which has the same number in SQLite."""
    study_id = new_study(store, "doomed")._study_id
    begin_verification(store.engine, Verification("abc", "trial 3", "digits", study_id, 3))
    begin_verification(store.engine, Verification("abc", "mine", "digits"))
    add_verification_run(store.engine, {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 1})
    optuna.delete_study(study_name="doomed", storage=store.optuna)
    again = new_study(store, "doomed")._study_id
    assert (again == study_id) is (store.engine.dialect.name == "sqlite")
    assert verifications_of(store.engine, study_id) == verifications_of(store.engine, again) == []
    assert len(verification_runs_of(store.engine, "abc")) == 1
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT label FROM verifications")).all() == [("mine",)]


def test_a_training_that_ended_then_is_kept_once(store: Store) -> None:
    """However often it is tried: what became of the first try may not be known."""
    facts = {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 1}
    for ended_at in (1000.1, 1000.1, 2000.2, None, None):
        add_run(store.engine, "mine", facts, ended_at)
    add_run(store.engine, "mine", facts | {"seed": 2}, 1000.1)
    assert [run["seed"] for run in runs_of(store.engine, "abc")] == [1, 1, 1, 1, 2]
