"""Databases of every older version, migrated: the same tables as a new one, and what they held."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import Engine, create_engine, inspect, select, text

from storage.epochs import epochs_of
from storage.migrations import VERSION
from storage.migrations import v4_verifications_of_studies as v4
from storage.sessions import StudySession, active_seconds, driven
from storage.store import Store
from storage.tables import SessionRow
from storage.trial_changes import TrialChanges
from storage.urls import parse, with_driver
from storage.verifications import verification_runs_of, verifications_of
from tests.helpers.databases import (
    add_epoch,
    as_version_1,
    fill_with_version_3,
    lead_to,
    new_study,
    record,
    schema_of,
    version_of,
)

pytestmark = pytest.mark.every_database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """To look at a database as it is, without the program."""
    made = create_engine(with_driver(parse(database_url)))
    yield made
    made.dispose()


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_migrated_database_is_as_a_new_one_with_what_it_held(database_url: str, engine: Engine, version: int) -> None:
    new, all_tables = schema_of(engine), set(inspect(engine).get_table_names())
    store = Store(database_url)
    study = new_study(store)
    study_id, trial = study._study_id, study.ask()._trial_id
    add_epoch(store.engine, trial, record(1))
    StudySession(store.engine, study_id).end()
    as_version_1(store)
    lead_to(store.engine, version)
    assert schema_of(engine) != new
    store.close()

    migrated = Store(database_url)
    assert schema_of(engine) == new
    assert (set(inspect(engine).get_table_names()), version_of(engine)) == (all_tables, VERSION)
    assert epochs_of(migrated.engine, trial) == [record(1) | {"core_seconds": None}]
    with migrated.engine.connect() as connection:
        assert connection.execute(select(SessionRow.study_id, SessionRow.open)).all() == [(study_id, None)]
    session = StudySession(migrated.engine, study_id)
    session.drives(2, 32)
    assert driven(migrated.engine, study_id) == (2, 32)
    session.end()
    add_epoch(migrated.engine, trial, record(2))
    assert epochs_of(migrated.engine, trial)[1] == record(2)
    migrated.close()


@pytest.fixture
def old(database_url: str, tmp_path: Path) -> str:
    """A database that holds what a program of version 3 wrote."""
    fill_with_version_3(database_url, tmp_path)
    return database_url


def test_what_a_program_of_version_3_wrote_is_migrated(old: str, engine: Engine) -> None:
    assert version_of(engine) == 3
    store = Store(old)
    assert version_of(engine) == VERSION
    first, second = verifications_of(store.engine, 1)
    assert [(one.trial, one.label, one.summary and one.summary["target"]) for one in (first, second)] == [
        (8, "trial 8", 0.9), (8, "trial 8", 0.936),
    ]  # fmt: skip
    assert {(one.precision, one.torch) for one in (first, second)} == {("bfloat16", "2.15.0")}
    runs = verification_runs_of(store.engine, first.candidate_id, conditions=("bfloat16", "2.15.0+cpu"))
    assert sorted(run["seed_number"] for run in runs) == [1, 2, 3, 4, 5]
    assert {run["torch"] for run in runs} == {"2.15.0+cu132"}
    assert all(len(run["predictions"]) == 300 for run in runs)
    store.close()


def test_what_a_program_of_version_7_left_over_is_dropped(database_url: str, engine: Engine) -> None:
    """Epochs of a deleted study, under trials that have its trials' ids by now: they agree with no reported value."""
    store = Store(database_url)
    study = new_study(store)
    trained, gated, waits = (study.ask()._trial_id for _ in range(3))
    changes = TrialChanges()
    for trial, epochs in ((trained, (1, 2, 3)), (gated, (1, 2)), (waits, (1, 2))):
        for epoch in epochs:
            changes.epoch(trial, record(epoch))
    for trial, epoch in ((trained, 1), (waits, 1)):
        changes.report(trial, epoch, record(epoch)["eval_accuracy"])
    changes.report(trained, 2, 0.25)
    changes.write(store.engine)
    ended = TrialChanges()
    ended.end(trained, TrialState.COMPLETE, [0.5])
    ended.end(gated, TrialState.PRUNED)
    ended.write(store.engine)
    StudySession(store.engine, study._study_id).end()
    as_version_1(store)
    lead_to(store.engine, 7)
    change(engine, "UPDATE run_sessions SET started_at = 100.5, beat_at = 142.0")
    store.close()

    migrated = Store(database_url)
    kept = [[one["epoch"] for one in epochs_of(migrated.engine, trial)] for trial in (trained, gated, waits)]
    assert kept == [[1], [], [1, 2]]
    assert active_seconds(migrated.engine, study._study_id) == 41.5
    migrated.close()


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def labels_of(engine: Engine) -> list[tuple[int | None, str]]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT study_id, label FROM verifications ORDER BY verification_id"))
        return [(study_id, label) for study_id, label in found]


def test_a_verification_of_a_study_that_was_deleted_since_says_so(old: str, engine: Engine) -> None:
    change(engine, "UPDATE verifications SET study_name = 'gone' WHERE verification_id = 1")
    Store(old).close()
    assert labels_of(engine) == [(None, "trial 8 of study gone, since deleted"), (1, "trial 8")]


def test_a_verification_from_before_a_study_was_begun_again_is_not_its_own(old: str, engine: Engine) -> None:
    with engine.connect() as connection:
        began = connection.execute(text("SELECT began_at FROM verifications WHERE verification_id = 2")).scalar_one()
    change(engine, f"UPDATE run_sessions SET started_at = {began!r}")
    Store(old).close()
    assert labels_of(engine) == [(None, "trial 8 of study digits, since deleted"), (1, "trial 8")]


def test_a_verification_of_a_preset_stays_one(old: str, engine: Engine) -> None:
    change(engine, "UPDATE verifications SET study_name = NULL, trial = NULL, label = 'a-step5'")
    Store(old).close()
    assert labels_of(engine) == [(None, "a-step5")] * 2


@pytest.mark.parametrize(
    ("facts", "conditions"),
    [
        (
            {"trained_on": "cpu, bfloat16 (21.6 ms a step, float32 27.2, measured), fused kernels, torch 2.15.0+cu130, "
                           "mnist-search 0.1.0", "torch": "2.15.0+cu130"},
            ("bfloat16", "2.15.0"),
        ),
        ({"trained_on": "NVIDIA H100 80GB HBM3, float32 (asked for), torch 2.11.0, mnist-search 0.1.0"},
         ("float32", "2.11.0")),
        ({"torch": "2.12.0.dev20260101+cpu"}, ("", "2.12.0.dev20260101")),
        ({"trained_on": None}, ("", "")),
    ],
)  # fmt: skip
def test_number_format_and_torch_are_read_from_what_version_3_kept(facts: Any, conditions: tuple[str, str]) -> None:
    assert v4.conditions_of(facts) == conditions


def test_several_that_open_an_old_database_at_once(old: str, engine: Engine) -> None:
    barrier = threading.Barrier(3)

    def n_verifications(_: int) -> int:
        barrier.wait()
        store = Store(old)
        found = verifications_of(store.engine, 1)
        store.close()
        return len(found)

    with ThreadPoolExecutor(3) as openers:
        assert list(openers.map(n_verifications, range(3))) == [2, 2, 2]
    assert version_of(engine) == VERSION
