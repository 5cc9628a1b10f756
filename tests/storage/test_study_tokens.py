"""Rows of ours whose study another program deleted, and whose ids the database gave to another one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from sqlalchemy import text

from storage.epochs import core_seconds_by_trial, epochs_of
from storage.errors import StudyLostError
from storage.sessions import StudySession, active_seconds, driven, is_open
from storage.store import Store
from storage.study_tokens import DELETED, clear_left_over
from storage.training_states import KeptState, training_state_of
from storage.trial_changes import TrialChanges
from storage.verifications import (
    Verification,
    all_verifications,
    begin_verification,
    end_verification,
    n_finished_verifications,
    verifications_of,
)
from tests.helpers.databases import (
    WritingTransactions,
    add_epoch,
    delete_as_another_program,
    give_ids_again,
    new_study,
    record,
    token_of,
    url_of,
)

pytestmark = pytest.mark.every_database

TABLES = ("epoch_records", "training_states", "run_sessions", "verifications")


def fill(store: Store, study: optuna.Study) -> int:
    """Gives a study a row of each kind, and an open session; returns its trial's id."""
    trial = study.ask()._trial_id
    session = StudySession(store.engine, study._study_id)
    session.drives(2, 2)
    changes = TrialChanges()
    changes.epoch(trial, record(1))
    changes.epoch(trial, record(2))
    changes.training_state(trial, 2, study.study_name.encode())
    session.write(changes)
    asked = Verification("abc", study.study_name, "digits", study._study_id, 0)
    end_verification(store.engine, begin_verification(store.engine, asked), 1.0, 1.0, {"verified": True})
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET active_seconds = 500"))
    return trial


def n_rows(store: Store) -> dict[str, int]:
    with store.engine.connect() as connection:
        return {table: connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one() for table in TABLES}


def begun_again(store: Store) -> tuple[optuna.Study, int]:
    """A study and its trial, with the ids of ones that another program deleted, whose rows are left over."""
    before = new_study(store, "before")
    trial = fill(store, before)
    delete_as_another_program(store, "before")
    give_ids_again(store, before._study_id, trial)
    study = new_study(store, "after")
    again = study.ask()._trial_id
    assert (study._study_id, again) == (before._study_id, trial)
    assert n_rows(store) == dict(zip(TABLES, (2, 1, 1, 1), strict=True))
    return study, trial


def test_a_study_has_nothing_of_a_deleted_one_of_its_id(store: Store) -> None:
    study, trial = begun_again(store)
    engine, study_id = store.engine, study._study_id
    assert epochs_of(engine, trial) == []
    assert training_state_of(engine, trial) is None
    assert (core_seconds_by_trial(engine, study_id), active_seconds(engine, study_id)) == ({}, 0)
    assert (is_open(engine, study_id), driven(engine, study_id)) == (False, None)
    assert verifications_of(engine, study_id) == all_verifications(engine) == []
    assert n_finished_verifications(engine, study_id) == 0


def test_a_study_goes_on_over_what_a_deleted_one_left(store: Store) -> None:
    """Also over its open session, which nobody will end."""
    study, trial = begun_again(store)
    session = StudySession(store.engine, study._study_id)
    assert session.active_seconds < 100
    assert n_rows(store) == dict(zip(TABLES, (0, 0, 1, 0), strict=True))
    changes = TrialChanges()
    changes.epoch(trial, record(1, lr=0.5))
    session.write(changes)
    assert epochs_of(store.engine, trial) == [record(1, lr=0.5)]
    session.end()


def test_an_older_study_has_nothing_of_a_deleted_trial_of_another_one(store: Store) -> None:
    older, newer = new_study(store, "older"), new_study(store, "newer")
    first, doomed = fill(store, older), fill(store, newer)
    delete_as_another_program(store, "newer")
    give_ids_again(store, newer._study_id, doomed)
    trial = older.ask()._trial_id
    assert trial == doomed
    assert n_rows(store)["epoch_records"] == 4
    assert epochs_of(store.engine, trial) == []
    assert training_state_of(store.engine, trial) is None
    seconds = record(1)["core_seconds"] + record(2)["core_seconds"]
    assert core_seconds_by_trial(store.engine, older._study_id) == {first: pytest.approx(seconds)}
    add_epoch(store.engine, trial, record(1, lr=0.25))
    assert epochs_of(store.engine, trial) == [record(1, lr=0.25)]
    assert training_state_of(store.engine, first) == KeptState(2, b"older")


def test_a_row_of_another_number_is_not_the_trial_s(store: Store) -> None:
    trial = fill(store, new_study(store))
    with store.engine.begin() as connection:
        for table in ("epoch_records", "training_states"):
            connection.execute(text(f"UPDATE {table} SET number = 7"))
    assert epochs_of(store.engine, trial) == []
    assert training_state_of(store.engine, trial) is None


def test_what_is_left_over_goes_when_the_database_is_opened_for_writing(store: Store) -> None:
    kept, doomed = new_study(store, "kept"), new_study(store, "doomed")
    trial = fill(store, kept)
    begin_verification(store.engine, Verification("abc", "of no study", "digits"))
    fill(store, doomed)
    delete_as_another_program(store, "doomed")
    before = n_rows(store)
    Store(str(store.url), for_reading=True).close()
    assert n_rows(store) == before == dict(zip(TABLES, (4, 2, 2, 3), strict=True))
    Store(str(store.url)).close()
    assert n_rows(store) == dict(zip(TABLES, (2, 1, 1, 2), strict=True))
    assert epochs_of(store.engine, trial) == [record(1), record(2)]
    assert [one.label for one in all_verifications(store.engine)] == ["kept", "of no study"]


def test_the_dispatcher_of_a_study_that_another_program_deleted_learns_it(store: Store) -> None:
    study = new_study(store)
    session = StudySession(store.engine, study._study_id)
    delete_as_another_program(store, "study")
    with pytest.raises(StudyLostError, match=DELETED):
        session.require()
    give_ids_again(store, study._study_id, 1)
    assert new_study(store, "another")._study_id == study._study_id
    with pytest.raises(StudyLostError, match=DELETED):
        session.require()
    session.end()
    with pytest.raises(StudyLostError, match=DELETED):
        StudySession(store.engine, study._study_id + 1)


def copied(store: Store, to: Store, name: str) -> int:
    optuna.copy_study(from_study_name="study", from_storage=store.optuna, to_storage=to.optuna, to_study_name=name)
    return to.optuna.get_study_id_from_name(name)


def test_a_copied_study_gets_a_token_of_its_own(store: Store, tmp_path: Path) -> None:
    study = new_study(store)
    trial = fill(store, study)
    token = token_of(store, study._study_id)
    elsewhere = Store(url_of(tmp_path / "elsewhere.db"))
    for to, name in ((store, "copy"), (elsewhere, "study")):
        study_id = copied(store, to, name)
        [read] = to.optuna.get_all_trials(study_id)
        assert (epochs_of(to.engine, read._trial_id), verifications_of(to.engine, study_id)) == ([], [])
        assert active_seconds(to.engine, study_id) == 0
        StudySession(to.engine, study_id).end()
        own = token_of(to, study_id)
        assert own != token
        assert token_of(to, study_id) == own, "once and for all"
    assert token_of(store, study._study_id) == token
    assert epochs_of(store.engine, trial) == [record(1), record(2)]
    elsewhere.close()


def test_programs_that_make_a_token_at_once_make_one(store: Store) -> None:
    study_id, barrier = new_study(store)._study_id, threading.Barrier(4)

    def made(_: int) -> str:
        opened = Store(str(store.url), for_reading=True)
        barrier.wait()
        token = token_of(opened, study_id)
        opened.close()
        return token

    with ThreadPoolExecutor(4) as programs:
        assert len(set(programs.map(made, range(4)))) == 1


def test_nothing_is_written_where_nothing_is_left_over(store: Store) -> None:
    fill(store, new_study(store))
    transactions = WritingTransactions(store)
    clear_left_over(store.engine)
    assert transactions.n == 0
    delete_as_another_program(store, "study")
    clear_left_over(store.engine)
    assert transactions.n == 1
    assert n_rows(store) == dict.fromkeys(TABLES, 0)
