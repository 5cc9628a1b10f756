"""What storage promises in every database, one class run against SQLite, PostgreSQL and MariaDB.

What it promises of trials, their changes, epochs, verifications, sessions and migrations stands beside this file, under
the same mark and thus in the same databases.
"""

import math
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import inspect, text, update
from sqlalchemy.orm import Session

from storage.epochs import epochs_of
from storage.errors import StorageError
from storage.migrations import VERSION
from storage.renaming import rename_study
from storage.runs import add_run, runs_of
from storage.sessions import StudySession, active_seconds
from storage.store import Store
from storage.tables import SchemaVersion
from storage.training_states import KeptState, training_state_of
from storage.trial_changes import TrialChanges
from storage.trials import read_trial
from storage.verifications import Verification, all_verifications, begin_verification, verifications_of
from tests.helpers.databases import add_epoch, new_study, new_trial, record, schema_of

MEGABYTE = bytes(range(256)) * 4096
NAMES = ["digits", "Digits", "dïgits", "数字", "digits 🔍𝔐", 'it\'s; DROP TABLE "studies" -- %s %(x)s :x \\ {y}']


@pytest.mark.every_database
class TestStorageContract:
    # Trainings between two epochs

    def test_a_training_is_kept_after_its_last_epoch_alone(self, store: Store) -> None:
        trial, other = new_trial(store), new_trial(store)
        assert training_state_of(store.engine, trial) is None
        for epoch, content in ((1, b"first"), (2, MEGABYTE)):
            changes = TrialChanges()
            changes.training_state(trial, epoch, content)
            changes.training_state(other, epoch, content[:7])
            changes.write(store.engine)
        assert training_state_of(store.engine, trial) == KeptState(2, MEGABYTE)
        assert training_state_of(store.engine, other) == KeptState(2, MEGABYTE[:7])

    def test_it_goes_when_its_trial_ends_and_stays_when_that_waits(self, store: Store) -> None:
        ending, waiting = new_trial(store), new_trial(store)
        for change in (
            lambda changes: [changes.training_state(trial, 1, b"state") for trial in (ending, waiting)],
            lambda changes: (changes.end(ending, TrialState.FAIL), changes.waiting(waiting)),
        ):
            changes = TrialChanges()
            change(changes)
            changes.write(store.engine)
        assert training_state_of(store.engine, ending) is None
        assert training_state_of(store.engine, waiting) == KeptState(1, b"state")
        assert store.optuna.get_trial(waiting).state is TrialState.WAITING

    # Trainings outside a study

    def test_runs_come_back_as_they_were(self, store: Store) -> None:
        facts = {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 2**32 - 1, "epochs": [0.1, 5e-324]}
        for label in ("first", "ä" * 300):
            add_run(store.engine, label, {**facts, "said": label})
        assert runs_of(store.engine, "abc") == [{**facts, "said": "first"}, {**facts, "said": "ä" * 300}]
        assert runs_of(store.engine, "ABC") == []

    # Numbers and names

    def test_numbers_come_back_to_the_last_bit(self, store: Store) -> None:
        values = [0.1 + 0.2, 1 / 3, 5e-324, sys.float_info.max, -sys.float_info.min, 1e22, 123456789.12345679, -0.0]
        trial = new_trial(store)
        kept = record(1, **dict(zip(list(record(1))[1:], values, strict=False)))
        add_epoch(store.engine, trial, kept)
        assert repr(epochs_of(store.engine, trial)) == repr([kept])

    def test_reports_may_be_infinite_or_no_numbers(self, store: Store) -> None:
        reports = {1: math.inf, 2: -math.inf, 3: math.nan, 4: 0.1 + 0.2, 2**31 - 1: 5e-324}
        study = new_study(store)
        trial = study.ask()
        changes = TrialChanges()
        for step, value in reports.items():
            changes.report(trial._trial_id, step, value)
        changes.write(store.engine)
        for read in (read_trial(store.engine, study._study_id, 0), store.optuna.get_trial(trial._trial_id)):
            assert read is not None
            assert repr(read.intermediate_values) == repr(reports)

    def test_names_are_told_apart_letter_by_letter(self, store: Store) -> None:
        studies = {name: new_study(store, name) for name in NAMES}
        for name, study in studies.items():
            assert store.optuna.get_study_id_from_name(name) == study._study_id
            trial = study.ask()
            for key in NAMES:
                trial.set_user_attr(key, name)
            assert store.optuna.get_trial(trial._trial_id).user_attrs == dict.fromkeys(NAMES, name)
        assert {study.study_name for study in store.optuna.get_all_studies()} == set(NAMES)

    def test_a_study_gets_another_name(self, store: Store) -> None:
        first, second = new_study(store, "first"), new_study(store, "second")
        assert rename_study(store.engine, first._study_id, "First 🔍")
        assert not rename_study(store.engine, first._study_id, "second")
        assert rename_study(store.engine, first._study_id, "First 🔍"), "it has that name"
        assert store.optuna.get_study_name_from_id(first._study_id) == "First 🔍"
        with pytest.raises(KeyError):
            rename_study(store.engine, second._study_id + 7, "third")

    def test_a_long_name(self, store: Store) -> None:
        name = "名" * 512
        study = new_study(store, name)
        begin_verification(store.engine, Verification("abc", f"trial 1 of {name}", "digits", study._study_id, 1))
        assert verifications_of(store.engine, study._study_id)[0].label == f"trial 1 of {name}"[:255]
        assert store.optuna.get_study_id_from_name(name) == study._study_id

    # What goes when a study goes

    def test_a_deleted_study_takes_all_that_is_its_own_along(self, store: Store) -> None:
        doomed, kept = new_study(store, "doomed"), new_study(store, "kept")
        for study in (doomed, kept):
            trial = study.ask()._trial_id
            add_epoch(store.engine, trial, record(1))
            changes = TrialChanges()
            changes.training_state(trial, 1, b"state")
            changes.write(store.engine)
            StudySession(store.engine, study._study_id).end()
            begin_verification(store.engine, Verification("abc", study.study_name, "digits", study._study_id, 0))
        optuna.delete_study(study_name="doomed", storage=store.optuna)
        tables = ("epoch_records", "training_states", "run_sessions", "verifications", "trials")
        with store.engine.connect() as connection:
            left = {table: connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar() for table in tables}
        assert left == dict.fromkeys(tables, 1)
        assert [one.label for one in all_verifications(store.engine)] == ["kept"]

    # Who looks while another writes

    def test_who_looks_sees_whole_epochs_in_order(self, store: Store) -> None:
        trial = new_trial(store)
        seen: list[int] = []
        other = Store(str(store.url))

        def look() -> None:
            while not seen or seen[-1] < 100:
                epochs = [epoch["epoch"] for epoch in epochs_of(other.engine, trial)]
                assert epochs == list(range(1, len(epochs) + 1))
                seen.append(len(epochs))

        with ThreadPoolExecutor(1) as reader:
            looked = reader.submit(look)
            for epoch in range(1, 101):
                add_epoch(store.engine, trial, record(epoch))
            looked.result(timeout=60)
        other.close()
        assert seen == sorted(seen)
        assert len(set(seen)) > 2  # it did look while they were written

    def test_who_looks_for_long_sees_what_was_committed_meanwhile(self, store: Store) -> None:
        trial = new_trial(store)
        other = Store(str(store.url))
        with other.engine.connect() as looking:
            count = text("SELECT COUNT(*) FROM epoch_records")
            assert looking.execute(count).scalar() == 0
            add_epoch(store.engine, trial, record(1))
            assert looking.execute(count).scalar() == 1
        other.close()

    def test_what_was_written_is_there_for_the_next_opening(self, store: Store) -> None:
        trial = new_trial(store)
        add_epoch(store.engine, trial, record(1))
        again = Store(str(store.url), must_exist=True)
        assert epochs_of(again.engine, trial) == [record(1)]
        again.close()

    # The tables

    def test_several_that_begin_a_database_at_once(self, empty_url: str) -> None:
        barrier = threading.Barrier(3)

        def schema(_: int) -> object:
            barrier.wait()
            store = Store(empty_url)
            found = schema_of(store.engine)
            store.close()
            return found

        with ThreadPoolExecutor(3) as openers:
            first, *others = openers.map(schema, range(3))
        assert others == [first] * 2

    def test_tables_of_a_newer_program_are_refused_and_left(self, database_url: str) -> None:
        store = Store(database_url)
        with Session(store.engine) as session, session.begin():
            session.execute(update(SchemaVersion).values(version=VERSION + 1))
        with pytest.raises(StorageError) as caught:
            Store(database_url)
        assert str(caught.value) == (
            f"the database is of schema version {VERSION + 1}, this program knows {VERSION}: update mnist-search"
        )
        with Session(store.engine) as session:
            assert session.query(SchemaVersion.version).all() == [(VERSION + 1,)]
        store.close()

    def test_tables_of_another_optuna_are_refused(self, database_url: str) -> None:
        store = Store(database_url)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'"))
        store.close()
        with pytest.raises(
            StorageError, match=r" cannot be opened: The runtime optuna version .* is no longer compatible"
        ) as caught:
            Store(database_url)
        assert str(caught.value).startswith(database_url)

    @pytest.mark.parametrize("lost", [lambda c: None, lambda c: c.execute(text("DROP TABLE run_sessions"))])
    def test_a_creation_that_was_cut_short_is_completed(self, database_url: str, lost: Callable[..., object]) -> None:
        """As after a kill between making the tables, some of them or all, and noting their version."""
        store = Store(database_url)
        before = schema_of(store.engine)
        with store.engine.begin() as connection:
            connection.execute(text("DELETE FROM mnist_search_schema"))
            lost(connection)
        store.close()
        again = Store(database_url)
        assert active_seconds(again.engine, 1) == 0
        assert schema_of(again.engine) == before
        with Session(again.engine) as session:
            assert session.query(SchemaVersion.version).all() == [(VERSION,)]
        again.close()

    def test_our_tables_stand_beside_optunas(self, store: Store) -> None:
        names = set(inspect(store.engine).get_table_names())
        assert {"studies", "trials", "epoch_records", "run_sessions", "mnist_search_schema"} <= names
