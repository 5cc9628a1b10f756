"""Databases of every older version, migrated: the same tables as a new one, what they held, and all or nothing."""

import gzip
import multiprocessing
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, create_engine, inspect, text

from storage.epochs import epochs_of
from storage.migrations import MIGRATIONS, VERSION, v2_training_runs, v3_verifications, v5_workers_and_slots
from storage.migrations import v4_verifications_of_studies as v4
from storage.sessions import StudySession, active_seconds, driven
from storage.store import Store
from storage.tables import OWN_TABLES
from storage.verifications import verification_runs_of, verifications_of
from tests.helpers.databases import add_epoch, as_version_1, new_study, record, url_of

OLD = Path(__file__).parents[2] / "data" / "version-3" / "old.db.gz"
OURS = [table.name for table in OWN_TABLES]


def lead_to(engine: Engine, version: int) -> None:
    """The migrations after the first version up to this one."""
    for number in range(2, version + 1):
        with engine.begin() as connection:
            MIGRATIONS[number](Operations(MigrationContext.configure(connection)))
            connection.execute(text(f"UPDATE mnist_search_schema SET version = {number}"))


def schema_of(path: Path) -> dict[str, Any]:
    """Our tables as the database itself tells of them; the order of columns and constraints is left out."""
    engine = create_engine(url_of(path))
    there = inspect(engine)
    found = {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in there.get_columns(table)
            },
            "primary key": there.get_pk_constraint(table)["constrained_columns"],
            "uniques": sorted((one["name"] or "", one["column_names"]) for one in there.get_unique_constraints(table)),
            "foreign keys": sorted(map(str, there.get_foreign_keys(table))),
            "indexes": sorted(map(str, there.get_indexes(table))),
        }
        for table in OURS
        if there.has_table(table)
    }
    engine.dispose()
    return found


def tables_of(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return names


def version_of(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        [(version,)] = connection.execute("SELECT version FROM mnist_search_schema")
    connection.close()
    return int(version)


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_migrated_database_is_as_a_new_one_with_what_it_held(tmp_path: Path, store: Store, version: int) -> None:
    new, path = schema_of(tmp_path / "s.db"), tmp_path / "s.db"
    all_tables = tables_of(path)
    study = new_study(store)
    study_id, trial = study._study_id, study.ask()._trial_id
    add_epoch(store.engine, trial, record(1))
    StudySession(store.engine, study_id).end()
    as_version_1(store)
    lead_to(store.engine, version)
    assert schema_of(path) != new if version > 2 else "verifications" not in tables_of(path)
    store.close()

    migrated = Store(url_of(path))
    assert schema_of(path) == new
    assert (tables_of(path), version_of(path)) == (all_tables, VERSION)
    assert epochs_of(migrated.engine, trial) == [record(1) | {"core_seconds": None}]
    assert active_seconds(migrated.engine, study_id) > 0
    session = StudySession(migrated.engine, study_id)
    session.drives(2, 32)
    assert driven(migrated.engine, study_id) == (2, 32)
    session.end()
    add_epoch(migrated.engine, trial, record(2))
    assert epochs_of(migrated.engine, trial)[1] == record(2)
    with migrated.engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    migrated.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database that a program of version 3 made."""
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


def test_a_real_database_of_version_3_is_migrated_with_its_rows(old: Path, tmp_path: Path) -> None:
    assert version_of(old) == 3
    Store(url_of(tmp_path / "new.db")).close()
    store = Store(url_of(old))
    assert schema_of(old) == schema_of(tmp_path / "new.db")
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


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def labels_of(path: Path) -> list[tuple[int | None, str]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT study_id, label FROM verifications ORDER BY verification_id").fetchall()
    connection.close()
    return found


def test_a_verification_of_a_study_that_was_deleted_since_says_so(old: Path) -> None:
    change(old, "UPDATE verifications SET study_name = 'gone' WHERE verification_id = 1")
    Store(url_of(old)).close()
    assert labels_of(old) == [(None, "trial 8 of study gone, since deleted"), (1, "trial 8")]


def test_a_verification_from_before_a_study_was_begun_again_is_not_its_own(old: Path) -> None:
    [(began,)] = sqlite3.connect(old).execute("SELECT began_at FROM verifications WHERE verification_id = 2")
    change(old, f"UPDATE run_sessions SET started_at = {began}")
    Store(url_of(old)).close()
    assert labels_of(old) == [(None, "trial 8 of study digits, since deleted"), (1, "trial 8")]


def test_a_verification_of_a_preset_stays_one(old: Path) -> None:
    change(old, "UPDATE verifications SET study_name = NULL, trial = NULL, label = 'a-step5'")
    Store(url_of(old)).close()
    assert labels_of(old) == [(None, "a-step5")] * 2


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


KILLED = """
import os, sys
from alembic.operations import Operations
from storage.migrations import v4_verifications_of_studies as v4
from storage.store import Store
setattr(v4, sys.argv[2], lambda *_: os._exit(9))
Store(sys.argv[1])
"""


@pytest.mark.parametrize("at", ["_fill_runs", "_fill_studies", "drop_name"])
def test_a_migration_that_is_killed_leaves_the_old_version_whole(old: Path, at: str) -> None:
    before = schema_of_all(old)
    done = subprocess.run([sys.executable, "-c", KILLED, url_of(old), at], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (9, "")
    assert schema_of_all(old) == before
    assert version_of(old) == 3
    store = Store(url_of(old))
    assert len(verifications_of(store.engine, 1)) == 2
    store.close()


def schema_of_all(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return found


def test_a_step_that_fails_leaves_the_old_version_whole(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema_of_all(old)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(v4, "drop_name", fail)
    with pytest.raises(RuntimeError, match="the disk is full"):
        Store(url_of(old))
    assert schema_of_all(old) == before


def open_old(url: str, barrier: Any, answers: Any) -> None:
    barrier.wait()
    try:
        store = Store(url)
        answers.put(len(verifications_of(store.engine, 1)))
        store.close()
    except Exception as error:
        answers.put(f"{type(error).__name__}: {error}")


def test_processes_that_open_an_old_database_at_once(old: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=open_old, args=(url_of(old), barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in processes] == [2, 2, 2]
    for process in processes:
        process.join()
    assert version_of(old) == VERSION


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_changes_of_tables_are_said_in_every_dialect(dialect: str) -> None:
    """No server is at hand: what would be executed is written down."""
    said: list[str] = []
    options = {"as_sql": True, "output_buffer": _Lines(said)}
    op = Operations(MigrationContext.configure(dialect_name=dialect, opts=options))
    v2_training_runs.create_training_runs(op)
    v3_verifications.create_verifications(op)
    v3_verifications.create_verification_runs(op)
    v4.add_columns(op)
    v4.tighten_runs(op, "old_name")
    v4.drop_name(op)
    v5_workers_and_slots.upgrade(op)
    text_ = "".join(said)
    assert text_.count("CREATE TABLE") == 3
    assert text_.count("ADD COLUMN") == 7
    assert "FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE" in text_
    assert "DROP COLUMN study_name" in text_


class _Lines:
    """A file that keeps what is written to it in a list."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append

    def flush(self) -> None:
        pass
