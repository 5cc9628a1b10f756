"""A database of somebody else: a real small study that was verified, in which anything is then written over."""

import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from search.study.study import open_study
from storage.runs import add_run
from storage.store import Store
from tests.helpers.growing_studies import CANDIDATES, begin
from tests.helpers.made_studies import add_verification
from tests.helpers.odd_values import changed, scalars, texts

FILE = "mnist-search.db"
URL = f"sqlite:///{FILE}"
JSON_COLUMNS = {
    "trial_user_attributes": "value_json",
    "trial_system_attributes": "value_json",
    "study_user_attributes": "value_json",
    "study_system_attributes": "value_json",
    "training_runs": "facts",
    "verifications": "summary",
    "verification_runs": "facts",
}
ATTRIBUTES = tuple(JSON_COLUMNS)[:4]
"""Optuna's own tables."""


def make_database(searched: Path, folder: Path) -> bytes:
    """That study with a verification, a training by `train`, a trial in training, one that waits and a foreign one."""
    shutil.copytree(searched, folder, dirs_exist_ok=True)
    store = Store(f"sqlite:///{folder / FILE}")
    study = open_study(store, "digits")
    best = study.best()
    assert best is not None
    add_verification(study, best.number, [0.991, 0.992, 0.993, 0.99, 0.992])
    facts = {"candidate": CANDIDATES[0].id, "dataset": "digits", "split": "test", "seed": 1, "target": 0.99}
    facts |= {"sustain": 1, "epochs": 3}
    measured = {"sustained_accuracy": 0.98, "best_accuracy": 0.99, "gap": 0.001, "held": False, "seconds": 2.0}
    add_run(store.engine, "a-preset", {**facts, **measured})
    begin(study)
    study.optuna.enqueue_trial({"lr": 0.1}, user_attrs={"warm_start": "mine"})
    store.optuna.create_new_trial(study.study_id)
    store.close()
    return (folder / FILE).read_bytes()


@contextmanager
def given_to(folder: Path, database: bytes) -> Iterator[Path]:
    """A working folder that holds this database: a new one each time, since SQLite knows files by their paths."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh, contextlib.chdir(fresh):
        (Path(fresh) / FILE).write_bytes(database)
        yield Path(fresh)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database by SQLite alone, which keeps what is written and holds nobody to any constraint."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        yield connection


def change_json(path: Path, data: st.DataObject, tables: tuple[str, ...] = tuple(JSON_COLUMNS)) -> None:
    """Writes another value of JSON into a row of one of these tables."""
    table = data.draw(st.sampled_from(tables), label="table")
    column = JSON_COLUMNS[table]
    with opened(path) as connection:
        rows = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()
        rowid, text = data.draw(st.sampled_from(rows), label="row")
        new = data.draw(changed(json.loads(text)), label="value")
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (json.dumps(new), rowid))


def change_a_cell(path: Path, data: st.DataObject) -> None:
    """Writes anything into any column of any row."""
    with opened(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = data.draw(st.sampled_from(tables), label="table")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        column = data.draw(st.sampled_from(columns), label="column")
        rowids = [rowid for (rowid,) in connection.execute(f"SELECT rowid FROM {table}")]
        if not rowids:
            return
        rowid = data.draw(st.sampled_from(rowids), label="row")
        value = data.draw(st.one_of(scalars, texts, st.binary(max_size=20)), label="value")
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (_as_stored(value), rowid))
        except sqlite3.IntegrityError:  # NOT NULL, or another row of that number
            return


def _as_stored(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return value if not isinstance(value, int) or abs(value) < 2**63 else float(min(value, 10**300))


def change_the_schema(path: Path, data: st.DataObject) -> None:
    """Takes a table or a column away, gives it another name, or puts a view in its place."""
    with opened(path) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = data.draw(st.sampled_from(tables), label="table")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        column = data.draw(st.sampled_from(columns), label="column")
        ways = ("drop", "empty", "rename", "view", "column gone", "column renamed")
        how = data.draw(st.sampled_from(ways), label="how")
        statements = {
            "drop": [f"DROP TABLE {table}"],
            "empty": [f"DELETE FROM {table}"],
            "rename": [f"ALTER TABLE {table} RENAME TO other"],
            "view": [f"ALTER TABLE {table} RENAME TO other", f"CREATE VIEW {table} AS SELECT 1 AS one"],
            "column gone": [f"ALTER TABLE {table} DROP COLUMN {column}"],
            "column renamed": [f"ALTER TABLE {table} RENAME COLUMN {column} TO other"],
        }[how]
        try:
            for statement in statements:
                connection.execute(statement)
        except sqlite3.OperationalError:  # a column that an index or a key needs
            return
