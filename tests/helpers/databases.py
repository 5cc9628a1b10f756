"""Databases for tests, and what is put into them."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import optuna
from alembic.migration import MigrationContext
from alembic.operations import Operations
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import StudySystemAttributeModel
from optuna.trial import TrialState
from sqlalchemy import JSON, Engine, MetaData, create_engine, delete, event, insert, inspect, select, text
from sqlalchemy.types import TypeEngine

from storage.migrations import MIGRATIONS
from storage.store import Store
from storage.study_tokens import study_token
from storage.tables import OWN_TABLES
from storage.trial_changes import TrialChanges
from storage.urls import with_driver

_VERSION_3 = Path(__file__).parents[1] / "data" / "version-3" / "old.db.gz"
FIELDS = ("epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds")


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def new_study(store: Store, name: str = "study") -> optuna.Study:
    return optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")


def token_of(store: Store, study_id: int) -> str:
    """The token of a study, made if it has none."""
    with store.engine.begin() as connection:
        return study_token(connection, study_id)


def delete_as_another_program(store: Store, name: str) -> None:
    """Deletes a study with Optuna alone, for which our foreign keys do not count: our rows stay."""
    url, unchecked = with_driver(store.url), {
        "sqlite": {},
        "postgresql": {"options": "-c session_replication_role=replica"},
        "mysql": {"init_command": "SET foreign_key_checks = 0"},
    }  # fmt: skip
    arguments = {"connect_args": unchecked[store.engine.dialect.name]}
    theirs = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=arguments)
    optuna.delete_study(study_name=name, storage=theirs)
    theirs.remove_session()
    theirs.engine.dispose()


def give_ids_again(store: Store, study_id: int, trial_id: int) -> None:
    """Makes the next study and trial of a server those of these ids, as SQLite does by itself with the latest."""
    for table, key, number in (("studies", "study_id", study_id), ("trials", "trial_id", trial_id)):
        with store.engine.begin() as connection:
            if store.engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT setval('{table}_{key}_seq', {number}, false)"))
            if store.engine.dialect.name == "mysql":
                connection.execute(text(f"ALTER TABLE {table} AUTO_INCREMENT = {number}"))


def new_trial(store: Store) -> int:
    """The number in the database of a new trial of a new study."""
    return new_study(store, f"study {time.monotonic_ns()}").ask()._trial_id


def record(epoch: int, **changes: float) -> dict[str, Any]:
    """An epoch with values of its own, none of which is a short decimal."""
    values = {name: (epoch + i) / 7 for i, name in enumerate(FIELDS)}
    return {**values, **changes, "epoch": epoch}


def as_version_1(store: Store) -> None:
    """Makes today's tables those of the first version: what came later is taken away."""
    with store.engine.begin() as connection:
        later = ("training_states", "artifact_location", "verification_weights", "verification_runs", "verifications")
        for table in (*later, "training_runs"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("ALTER TABLE epoch_records DROP COLUMN core_seconds"))
        of_sessions = (
            "workers",
            "slots",
            "token",
            "place",
            "process_began",
            "n_writes",
            "active_seconds",
            "study_token",
        )
        for column in of_sessions:
            connection.execute(text(f"ALTER TABLE run_sessions DROP COLUMN {column}"))
        for column in ("number", "study_token"):
            connection.execute(text(f"ALTER TABLE epoch_records DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE mnist_search_schema DROP COLUMN database_token"))
        kept = StudySystemAttributeModel
        connection.execute(delete(kept).where(kept.key == "mnist_search:token"))
        connection.execute(text("UPDATE mnist_search_schema SET version = 1"))


def lead_to(engine: Engine, version: int) -> None:
    """The migrations after the first version up to this one."""
    for number in range(2, version + 1):
        with engine.begin() as connection:
            MIGRATIONS[number](Operations(MigrationContext.configure(connection)))
            connection.execute(text(f"UPDATE mnist_search_schema SET version = {number}"))


def fill_with_version_3(url: str, folder: Path) -> None:
    """Puts what a program of version 3 wrote into an empty database, whose tables become those of that version."""
    old = folder / "version-3.db"
    old.write_bytes(gzip.decompress(_VERSION_3.read_bytes()))
    store = Store(url)
    as_version_1(store)
    lead_to(store.engine, 3)
    source = create_engine(url_of(old))
    there, here = MetaData(), MetaData()
    there.reflect(source)
    here.reflect(store.engine)
    with source.connect() as one, store.engine.begin() as other:
        for table in here.sorted_tables:
            if table.name not in ("alembic_version", "version_info", "mnist_search_schema"):
                read = one.execute(select(there.tables[table.name])).mappings()
                rows = [{name: _as_kept(value, table.c[name].type) for name, value in row.items()} for row in read]
                if rows:
                    other.execute(insert(table), rows)
    source.dispose()
    store.close()


def _as_kept(value: Any, column: TypeEngine[Any]) -> Any:
    """A value for a column: MariaDB keeps JSON as text, and says so."""
    return json.dumps(value) if isinstance(value, (dict, list)) and not isinstance(column, JSON) else value


def schema_of(engine: Engine) -> dict[str, Any]:
    """Our tables as the database itself tells of them; the order of columns and constraints is left out."""
    there = inspect(engine)
    return {
        table.name: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in there.get_columns(table.name)
            },
            "primary key": there.get_pk_constraint(table.name)["constrained_columns"],
            "uniques": sorted(
                (one["name"] or "", one["column_names"]) for one in there.get_unique_constraints(table.name)
            ),
            "foreign keys": sorted(map(str, there.get_foreign_keys(table.name))),
            "indexes": sorted(map(str, there.get_indexes(table.name))),
        }
        for table in OWN_TABLES
        if there.has_table(table.name)
    }


def version_of(engine: Engine) -> int:
    """The version that a database notes of its tables."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT version FROM mnist_search_schema")).scalar_one())


def add_epoch(engine: Engine, trial_id: int, epoch: dict[str, Any]) -> None:
    """Keeps one epoch, in a transaction of its own."""
    changes = TrialChanges()
    changes.epoch(trial_id, epoch)
    changes.write(engine)


def a_batch(trials: list[int]) -> TrialChanges:
    """An epoch of each trial; the last one ends with it."""
    changes = TrialChanges()
    for trial in trials:
        changes.epoch(trial, record(1))
        changes.report(trial, 1, 0.5)
        changes.user_attr(trial, "training_seed", trial)
    changes.user_attr(trials[-1], "outcome", "trained")
    changes.end(trials[-1], TrialState.COMPLETE, [0.5])
    return changes


class WritingTransactions:
    """Counts the transactions of a database that change something."""

    def __init__(self, store: Store) -> None:
        self.n = 0
        self._writes = False
        event.listen(store.engine, "before_cursor_execute", self._note)
        event.listen(store.engine, "commit", self._count)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._writes |= statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))

    def _count(self, _connection: object) -> None:
        self.n += self._writes
        self._writes = False
