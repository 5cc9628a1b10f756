"""Databases for tests, and what is put into them."""

import time
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy import Engine, event, text

from storage.store import Store
from storage.trial_changes import TrialChanges

FIELDS = ("epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds")


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def new_study(store: Store, name: str = "study") -> optuna.Study:
    return optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")


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
        for column in ("workers", "slots", "token", "place", "process_began", "n_writes"):
            connection.execute(text(f"ALTER TABLE run_sessions DROP COLUMN {column}"))
        connection.execute(text("UPDATE mnist_search_schema SET version = 1"))


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
