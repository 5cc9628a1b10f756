"""TrialChanges: what becomes of trials, collected in memory and written into Optuna's tables in one transaction.

Optuna's own storage commits every value by itself: three times an epoch and ten times a trial's end. A search of many
slots would wait for its database, and whoever is killed between two of them leaves half an end. What is written here
is what Optuna's calls write; a test holds the two to the same rows.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models  # the tables with their types: PostgreSQL has some of its own for states
from optuna.trial import TrialState
from sqlalchemy import Connection, Engine, Insert, Table, bindparam, delete, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from storage.epochs import epoch_values
from storage.study_tokens import trial_marks
from storage.tables import EpochRow, TrainingStateRow

_TRIALS = cast(Table, models.TrialModel.__table__)
_PARAMS = cast(Table, models.TrialParamModel.__table__)
_VALUES = cast(Table, models.TrialValueModel.__table__)
_REPORTS = cast(Table, models.TrialIntermediateValueModel.__table__)
_USER_ATTRS = cast(Table, models.TrialUserAttributeModel.__table__)
_SYSTEM_ATTRS = cast(Table, models.TrialSystemAttributeModel.__table__)
_EPOCHS = cast(Table, EpochRow.__table__)
_STATES = cast(Table, TrainingStateRow.__table__)
_OURS = (_EPOCHS, _STATES)

_KEYS = {_PARAMS: "param_name", _VALUES: "objective", _REPORTS: "step", _USER_ATTRS: "key", _SYSTEM_ATTRS: "key",
         _EPOCHS: "epoch"}  # fmt: skip
"""The column that, with the trial, is unique: a second row of the same takes the place of the first."""


class TrialChanges:
    """Changes of trials that are there and have not ended; nothing of them is in the database before `write`."""

    def __init__(self) -> None:
        self._rows = defaultdict[Table, dict[tuple[int, Any], dict[str, Any]]](dict)
        self._ends: dict[int, dict[str, Any]] = {}
        self._waiting: set[int] = set()
        self._trial_ids: set[int] = set()

    def param(self, trial_id: int, name: str, value: float, distribution: BaseDistribution) -> None:
        """A drawn value in Optuna's internal form; that its distribution suits the study's was seen at the draw."""
        self._put(_PARAMS, trial_id, name, param_value=value, distribution_json=distribution_to_json(distribution))

    def user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """An attribute, as JSON."""
        self._put(_USER_ATTRS, trial_id, key, value_json=json.dumps(value))

    def system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """One of Optuna's own attributes, as JSON."""
        self._put(_SYSTEM_ATTRS, trial_id, key, value_json=json.dumps(value))

    def report(self, trial_id: int, step: int, value: float) -> None:
        """An intermediate value; it may be infinite or NaN."""
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        self._put(_REPORTS, trial_id, step, intermediate_value=stored, intermediate_value_type=kind)

    def epoch(self, trial_id: int, record: Mapping[str, Any]) -> None:
        """An epoch record."""
        self._put(_EPOCHS, trial_id, record["epoch"], **epoch_values(record))

    def training_state(self, trial_id: int, epoch: int, state: bytes) -> None:
        """The training after an epoch, in the place of the one before."""
        self._rows[_STATES][trial_id, None] = {"trial_id": trial_id, "epoch": epoch, "state": state}
        self._trial_ids.add(trial_id)

    def waiting(self, trial_id: int) -> None:
        """Puts a running trial back into the queue, with all that is kept of it."""
        self._waiting.add(trial_id)
        self._trial_ids.add(trial_id)

    def end(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        """The end of a trial, now: its state, and a value for each objective; it may be infinite, but not NaN."""
        for objective, value in enumerate(values or ()):
            stored, kind = models.TrialValueModel.value_to_stored_repr(value)
            self._put(_VALUES, trial_id, objective, value=stored, value_type=kind)
        now = datetime.now(UTC).replace(tzinfo=None)  # the column has no zone, and Optuna keeps UTC in it
        self._ends[trial_id] = {"ended_id": trial_id, "state": state, "datetime_complete": now}
        self._trial_ids.add(trial_id)

    def without_ended(self, engine: Engine) -> list[int]:
        """Forgets what was to become of trials that have ended, which is not to be written; returns their ids."""
        t = _TRIALS.c
        query = select(t.trial_id, t.state).where(t.trial_id.in_(sorted(self._trial_ids)))
        with engine.connect() as connection:
            ended = [trial_id for trial_id, state in connection.execute(query) if state.is_finished()]
        self._trial_ids -= set(ended)
        for trial_id in ended:
            self._ends.pop(trial_id, None)
        for table, rows in list(self._rows.items()):
            kept = {key: row for key, row in rows.items() if key[0] not in ended}
            if kept:
                self._rows[table] = kept
            else:
                del self._rows[table]
        return ended

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be written."""
        return not self._trial_ids

    def write(self, engine: Engine) -> None:
        """Writes all in one transaction, or nothing.

        Raises UpdateFinishedTrialError if somebody has ended one of the trials, and KeyError if one is not there.
        """
        if not self.is_empty:
            with engine.begin() as connection:
                self.write_in(connection)

    def write_in(self, connection: Connection) -> None:
        """Writes all in a transaction of somebody's, who ends it; raises as `write` does."""
        _hold(connection, self._trial_ids)
        marks = trial_marks(connection, {trial_id for table in _OURS for trial_id, _ in self._rows.get(table, ())})
        for table, rows in self._rows.items():
            of_table = [row | marks[row["trial_id"]] for row in rows.values()] if table in _OURS else [*rows.values()]
            connection.execute(upsert(table, list(of_table[0]), connection.dialect.name), of_table)
        if self._ends:
            ended = update(_TRIALS).where(_TRIALS.c.trial_id == bindparam("ended_id"))
            ended = ended.values(state=bindparam("state"), datetime_complete=bindparam("datetime_complete"))
            connection.execute(ended, list(self._ends.values()))
            connection.execute(delete(_STATES).where(_STATES.c.trial_id.in_(list(self._ends))))
        if self._waiting:
            these = _TRIALS.c.trial_id.in_(list(self._waiting))
            connection.execute(update(_TRIALS).where(these).values(state=TrialState.WAITING))

    def _put(self, table: Table, trial_id: int, key: Any, **values: Any) -> None:
        self._rows[table][trial_id, key] = {"trial_id": trial_id, _KEYS[table]: key, **values}
        self._trial_ids.add(trial_id)


def _hold(connection: Connection, trial_ids: set[int]) -> None:
    """Sees that the trials have not ended, and keeps others from ending them until this transaction is over.

    By an update that changes nothing: it locks the rows in every database, and the whole file in SQLite, where a
    SELECT would begin no transaction, and leave time to others between looking and writing.
    """
    t = _TRIALS.c
    these = t.trial_id.in_(sorted(trial_ids))
    unfinished = t.state.in_([state for state in TrialState if not state.is_finished()])
    held = connection.execute(update(_TRIALS).where(these, unfinished).values(number=t.number))
    if held.rowcount != len(trial_ids):
        for number, state in connection.execute(select(t.number, t.state).where(these)):
            if state.is_finished():
                raise UpdateFinishedTrialError(f"Trial#{number} has already finished and can not be updated.")
        raise KeyError(models.NOT_FOUND_MSG)


def upsert(table: Table, values: Sequence[str], dialect: str) -> Insert:
    """Inserts rows of these values; where there is one of the same trial and key, it takes the new ones."""
    keys = ["trial_id"] if table is _STATES else ["trial_id", _KEYS[table]]
    if dialect in ("mysql", "mariadb"):
        row = mysql.insert(table)
        return row.on_duplicate_key_update({name: row.inserted[name] for name in values if name not in keys})
    new = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    changed = {name: new.excluded[name] for name in values if name not in keys}
    return new.on_conflict_do_update(index_elements=keys, set_=changed)
