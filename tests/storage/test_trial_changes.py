"""The writer of trials, beside Optuna's own calls: the same rows, in one transaction, all of them or none."""

import math
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Dialect, Table, event, text
from sqlalchemy.dialects import mysql, postgresql

from storage.epochs import epochs_of
from storage.store import Store
from storage.trial_changes import _KEYS, TrialChanges, upsert
from storage.trials import read_trial
from tests.helpers.databases import WritingTransactions, a_batch, new_study, new_trial, record, url_of

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "width": IntDistribution(4, 24),
    "lr": FloatDistribution(0.01, 0.5, log=True),
    "head": CategoricalDistribution(("gap", "conv", None, True, 1.5)),
}
VALUES_OF = {
    "trial_params": "param_name, param_value, distribution_json",
    "trial_values": "objective, value, value_type",
    "trial_intermediate_values": "step, intermediate_value, intermediate_value_type",
    "trial_user_attributes": "key, value_json",
    "trial_system_attributes": "key, value_json",
}


class OptunasCalls:
    """What TrialChanges is measured by: the same changes, each by the call of Optuna's storage."""

    def __init__(self, storage: RDBStorage) -> None:
        self.param = storage.set_trial_param
        self.user_attr = storage.set_trial_user_attr
        self.system_attr = storage.set_trial_system_attr
        self.report = storage.set_trial_intermediate_value
        self.end = storage.set_trial_state_values


Writer = TrialChanges | OptunasCalls


def draws(writer: Writer, trial: int) -> None:
    for name, value in (("width", 8.0), ("lr", 0.1), ("head", 3.0)):
        writer.param(trial, name, value, DISTRIBUTIONS[name])
    writer.system_attr(trial, "constraints", [-3.0])


def notes(writer: Writer, trial: int) -> None:
    for key, value in {"text": "ä", "none": None, "key": {"layers": [{"conv": 8}, "gap"]}, "again": 1}.items():
        writer.user_attr(trial, key, value)
    writer.user_attr(trial, "again", [2, math.inf])


def reports(writer: Writer, trial: int) -> None:
    for step, value in ((3, 0.1 + 0.2), (1, math.inf), (2, -math.inf), (4, math.nan), (5, math.nan)):
        writer.report(trial, step, value)
    writer.report(trial, 1, 0.5)
    writer.report(trial, 3, math.nan)
    writer.report(trial, 4, 0.25)


def ends(state: TrialState, values: list[float] | None) -> Callable[[Writer, int], None]:
    def change(writer: Writer, trial: int) -> None:
        reports(writer, trial)
        writer.end(trial, state, values)

    return change


CHANGES = {
    "draw": draws,
    "notes": notes,
    "reports": reports,
    "trained": ends(TrialState.COMPLETE, [0.1 + 0.2]),
    "infinite": ends(TrialState.COMPLETE, [math.inf]),
    "minus infinite": ends(TrialState.COMPLETE, [-math.inf]),
    "pruned": ends(TrialState.PRUNED, [0.5]),
    "pruned without a report": ends(TrialState.PRUNED, None),
    "failed": ends(TrialState.FAIL, None),
}


def rows_of(store: Store, trial: int) -> dict[str, list[str]]:
    """What Optuna's tables hold of a trial."""
    with store.engine.connect() as connection:
        return {
            table: sorted(str(row) for row in connection.execute(
                text(f"SELECT {columns} FROM {table} WHERE trial_id = {trial}")
            ))
            for table, columns in VALUES_OF.items()
        }  # fmt: skip


def as_read(store: Store, trial: int) -> list[str]:
    """A trial as Optuna's reader and ours give it, less its number and its times."""
    theirs = store.optuna.get_trial(trial)
    ours = read_trial(store.engine, 1, theirs.number)
    assert ours is not None
    return [
        repr((t.state, t.values, t.params, t.distributions, t.user_attrs, t.system_attrs, t.intermediate_values))
        for t in (theirs, ours)
    ]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_writes_what_optuna_writes(store: Store, change: Callable[[Writer, int], None]) -> None:
    study = new_study(store)
    by_optuna, by_us = study.ask()._trial_id, study.ask()._trial_id
    change(OptunasCalls(store.optuna), by_optuna)
    changes = TrialChanges()
    change(changes, by_us)
    assert not any(rows_of(store, by_us).values()), "nothing before `write`"
    changes.write(store.engine)
    assert rows_of(store, by_us) == rows_of(store, by_optuna)
    assert any(rows_of(store, by_us).values())
    assert as_read(store, by_us) == as_read(store, by_optuna)


def test_what_is_there_takes_the_new_values(store: Store) -> None:
    """Also of an earlier transaction, Optuna's own or ours."""
    trial = new_trial(store)
    for change in (notes, reports):
        change(OptunasCalls(store.optuna), trial)
    for value in (0.75, 0.875):
        changes = TrialChanges()
        changes.user_attr(trial, "again", value)
        changes.report(trial, 4, value)
        changes.epoch(trial, record(1, lr=value))
        changes.write(store.engine)
    read = store.optuna.get_trial(trial)
    assert (read.user_attrs["again"], read.user_attrs["text"]) == (0.875, "ä")
    assert (read.intermediate_values[4], read.intermediate_values[1]) == (0.875, 0.5)
    assert epochs_of(store.engine, trial) == [record(1, lr=0.875)]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place whose clock is not UTC's, at any time of the year."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
def test_a_trial_ends_when_optuna_would_say_that_it_did(store: Store, state: TrialState) -> None:
    study = new_study(store)
    trial = study.ask()
    began = store.optuna.get_trial(trial._trial_id).datetime_start
    before = datetime.now()
    changes = TrialChanges()
    changes.end(trial._trial_id, state, [0.5])
    after = datetime.now()
    changes.write(store.engine)
    read = store.optuna.get_trial(trial._trial_id)
    assert read.datetime_complete is not None
    assert before <= read.datetime_complete <= after
    assert (read.state, read.datetime_start) == (state, began)


# One transaction


def content_of(store: Store) -> list[str]:
    """All that the database holds."""
    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return list(driver.iterdump())


def new_trials(store: Store, n: int) -> list[int]:
    study = new_study(store)
    return [study.ask()._trial_id for _ in range(n)]


def test_a_batch_is_one_transaction(store: Store) -> None:
    trials = new_trials(store, 20)
    transactions = WritingTransactions(store)
    a_batch(trials).write(store.engine)
    assert transactions.n == 1
    assert [len(epochs_of(store.engine, trial)) for trial in trials] == [1] * 20
    assert store.optuna.get_trial(trials[-1]).state is TrialState.COMPLETE


def test_nothing_is_no_transaction(store: Store) -> None:
    transactions = WritingTransactions(store)
    TrialChanges().write(store.engine)
    assert transactions.n == 0


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
def test_a_trial_that_somebody_ended_takes_the_whole_batch_along(store: Store, state: TrialState) -> None:
    trials = new_trials(store, 3)
    changes = a_batch(trials)
    store.optuna.set_trial_state_values(trials[1], state)
    before = content_of(store)
    with pytest.raises(UpdateFinishedTrialError, match=r"^Trial#1 has already finished and can not be updated\.$"):
        changes.write(store.engine)
    assert content_of(store) == before


def test_a_trial_that_is_gone_takes_the_whole_batch_along(store: Store) -> None:
    [trial] = new_trials(store, 1)
    changes = a_batch([99, trial])
    before = content_of(store)
    with pytest.raises(KeyError, match="Record does not exist"):
        changes.write(store.engine)
    assert content_of(store) == before


def test_nobody_can_end_a_trial_between_the_look_and_the_writing(store: Store, tmp_path: Path) -> None:
    trials = new_trials(store, 2)
    refused: list[str] = []

    def try_to_end(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        other = sqlite3.connect(tmp_path / "s.db", timeout=0)
        try:
            other.execute("UPDATE trials SET state = 'FAIL'")
        except sqlite3.OperationalError as error:
            refused.append(f"{statement.split()[0]}: {error}")
        finally:
            other.close()

    event.listen(store.engine, "after_cursor_execute", try_to_end)
    a_batch(trials).write(store.engine)
    event.remove(store.engine, "after_cursor_execute", try_to_end)
    assert refused[0] == "UPDATE: database is locked"  # from the first statement on
    assert len(refused) == 7


KILLED = """
import os, signal, sys
from optuna.trial import TrialState
from sqlalchemy import event
from storage.store import Store
from tests.helpers.databases import a_batch
store, after = Store(sys.argv[1]), int(sys.argv[2])
n = 0
def kill(*_):
    global n
    n += 1
    if n == after:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(store.engine, "after_cursor_execute", kill)
event.listen(store.engine, "commit", kill)
a_batch([1, 2]).write(store.engine)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("after", "n_kept"), [(2, 0), (7, 0), (8, 0), (9, 2)])
def test_a_kill_leaves_all_or_nothing(store: Store, tmp_path: Path, after: int, n_kept: int) -> None:
    """After some of the seven statements, right before the commit, and after it."""
    trials = new_trials(store, 2)
    assert trials == [1, 2]
    before = content_of(store)
    killed = subprocess.run([sys.executable, "-c", KILLED, url_of(tmp_path / "s.db"), str(after)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sum(len(epochs_of(store.engine, trial)) for trial in trials) == n_kept
    assert (content_of(store) == before) is (n_kept == 0)
    assert store.optuna.get_trial(2).state is (TrialState.COMPLETE if n_kept else TrialState.RUNNING)


@pytest.mark.parametrize("dialect", [mysql.dialect(), postgresql.dialect()], ids=["mysql", "postgresql"])
@pytest.mark.parametrize("table", _KEYS, ids=str)
def test_it_is_said_in_every_dialect(table: Table, dialect: Dialect) -> None:
    """No server is at hand: what would be executed is compiled."""
    said = str(upsert(table, [column.name for column in table.columns], dialect.name).compile(dialect=dialect))
    changed = said.partition("ON DUPLICATE KEY UPDATE" if dialect.name == "mysql" else "DO UPDATE SET")[2]
    assert changed, said
    for name in ("trial_id", _KEYS[table]):
        assert not re.search(rf"\b{name}\W* = ", changed), said
