"""The writer of trials, beside Optuna's own calls: the same rows, in one transaction, all of them or none."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from optuna.trial import TrialState
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.exc import OperationalError

from storage.epochs import epochs_of
from storage.store import Store
from storage.tables import OWN_TABLES
from storage.trial_changes import _KEYS, TrialChanges
from storage.trials import place_of_trial, read_trial
from tests.helpers.databases import WritingTransactions, a_batch, new_study, new_trial, record, token_of

pytestmark = pytest.mark.every_database

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "width": IntDistribution(4, 24),
    "lr": FloatDistribution(0.01, 0.5, log=True),
    "head": CategoricalDistribution(("gap", "conv", None, True, 1.5)),
}
NUMBERS = {"trial_id", "param_id", "trial_value_id", "trial_intermediate_value_id", "trial_user_attribute_id",
           "trial_system_attribute_id"}  # fmt: skip


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
    """What Optuna's tables hold of a trial, the numbers left out that the database gives."""
    with store.engine.connect() as connection:
        return {
            table.name: sorted(
                str({name: value for name, value in row.items() if name not in NUMBERS})
                for row in connection.execute(select(table).where(table.c.trial_id == trial)).mappings()
            )
            for table in _KEYS
        }


def as_read(store: Store, trial: int) -> list[str]:
    """A trial as Optuna's reader and ours give it, less its number and its times."""
    theirs = store.optuna.get_trial(trial)
    ours = read_trial(store.engine, *place_of_trial(store.engine, trial))
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
    second = timedelta(seconds=1 if store.engine.dialect.name == "mysql" else 0)  # which keeps whole ones
    assert before - second <= read.datetime_complete <= after + second
    assert (read.state, read.datetime_start) == (state, began)


# One transaction


def content_of(store: Store) -> dict[str, list[str]]:
    """All that the database holds."""
    with store.engine.connect() as connection:
        tables = [*BaseModel.metadata.sorted_tables, *OWN_TABLES]
        return {table.name: sorted(str(row) for row in connection.execute(select(table))) for table in tables}


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


def trials_of_a_token(store: Store) -> list[int]:
    """Two trials of a study that was written to before."""
    trials = new_trials(store, 2)
    token_of(store, place_of_trial(store.engine, trials[0])[0])
    return trials


def test_nobody_can_end_a_trial_between_the_look_and_the_writing(store: Store, database_kind: str) -> None:
    trials = trials_of_a_token(store)
    refused: list[bool] = []
    other = create_engine(store.engine.url, connect_args={"timeout": 0} if database_kind == "sqlite" else {})
    end = "UPDATE trials SET state = 'FAIL'" if database_kind == "sqlite" else "SELECT * FROM trials FOR UPDATE NOWAIT"

    def try_to_end(*_: object) -> None:
        with other.connect() as connection:
            try:
                connection.execute(text(end))
            except OperationalError:
                refused.append(True)
            else:
                refused.append(False)

    event.listen(store.engine, "after_cursor_execute", try_to_end)
    a_batch(trials).write(store.engine)
    event.remove(store.engine, "after_cursor_execute", try_to_end)
    other.dispose()
    assert refused == [True] * 9  # from the first statement on


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
a_batch([int(trial) for trial in sys.argv[3:]]).write(store.engine)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("after", "n_kept"), [(10, 0), (11, 2)])
def test_a_kill_leaves_all_or_nothing(store: Store, after: int, n_kept: int) -> None:
    """After the last of the nine statements, and after the commit."""
    trials = trials_of_a_token(store)
    before = content_of(store)
    command = [sys.executable, "-c", KILLED, str(store.url), str(after), *map(str, trials)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sum(len(epochs_of(store.engine, trial)) for trial in trials) == n_kept
    assert (content_of(store) == before) is (n_kept == 0)
    assert store.optuna.get_trial(trials[1]).state is (TrialState.COMPLETE if n_kept else TrialState.RUNNING)
