"""What the database of a search holds, read by SQL: whichever code has written it, and whether or not it still runs."""

import contextlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE = "mnist-search.db"
PAST_GATE = ("trained", "pruned", "diverged")
_EPOCH_COLUMNS = "train_loss, train_accuracy, eval_loss, eval_accuracy, lr, seconds, core_seconds"
_PATIENCE_SECONDS = 60
_N_TIMES = 2  # the last two of them differ from run to run


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the database has it."""

    number: int
    state: str
    outcome: str | None
    candidate: str | None
    """The candidate's id."""
    sustained: float | None
    epochs: dict[int, tuple[float, ...]]
    """All columns of its epoch records, by epoch."""

    @property
    def result(self) -> list[Any]:
        """What does not depend on the time it took."""
        epochs = [[epoch, *values[:-_N_TIMES]] for epoch, values in sorted(self.epochs.items())]
        return [self.number, self.candidate, self.outcome, self.sustained, epochs]


def stored(folder: Path) -> list[StoredTrial]:
    """All trials in the order of their numbers; none if there is no database yet, or no tables in it."""
    if not (folder / DATABASE).exists():
        return []
    with contextlib.closing(_opened(folder)) as database:
        try:
            database.execute("BEGIN")  # all that follows is of one moment
            return _trials(database)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []


def n_stored_epochs(folder: Path) -> int:
    """Epoch records so far; what is asked often is asked cheaply."""
    try:
        with contextlib.closing(_opened(folder)) as database:
            return int(database.execute("SELECT COUNT(*) FROM epoch_records").fetchone()[0])
    except sqlite3.OperationalError:  # no file or no tables yet
        return 0


def _opened(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS)


def _trials(database: sqlite3.Connection) -> list[StoredTrial]:
    attrs: dict[int, dict[str, Any]] = {}
    for trial_id, key, value in database.execute("SELECT trial_id, key, value_json FROM trial_user_attributes"):
        attrs.setdefault(trial_id, {})[key] = json.loads(value)
    epochs: dict[int, dict[int, tuple[float, ...]]] = {}
    for trial_id, epoch, *values in database.execute(f"SELECT trial_id, epoch, {_EPOCH_COLUMNS} FROM epoch_records"):
        epochs.setdefault(trial_id, {})[epoch] = tuple(values)
    found = []
    for trial_id, number, state in database.execute("SELECT trial_id, number, state FROM trials ORDER BY number"):
        own = attrs.get(trial_id, {})
        facts = (own.get("outcome"), own.get("candidate_id"), own.get("sustained_accuracy"))
        found.append(StoredTrial(number, state, *facts, epochs.get(trial_id, {})))
    return found


def results(trials: list[StoredTrial]) -> list[Any]:
    """What a search came to, to the last bit: equal searches have equal ones."""
    return [trial.result for trial in trials if trial.outcome not in ("interrupted", None)]


def n_past_gate(trials: list[StoredTrial]) -> int:
    """Trials that count."""
    return sum(trial.outcome in PAST_GATE for trial in trials)


def n_running(trials: list[StoredTrial]) -> int:
    """Trials that are said to be in training."""
    return sum(trial.state == "RUNNING" for trial in trials)


def n_counted_twice(trials: list[StoredTrial]) -> int:
    """Trials that count beside another one of the same candidate."""
    counted = Counter(trial.candidate for trial in trials if trial.outcome in PAST_GATE)
    return sum(n - 1 for n in counted.values())


def n_epochs(trials: list[StoredTrial]) -> int:
    """Epoch records."""
    return sum(len(trial.epochs) for trial in trials)


def lost_epochs(before: list[StoredTrial], after: list[StoredTrial]) -> list[tuple[int, int]]:
    """Trial and epoch of each record that is no longer there, or is another one: not even its seconds may differ."""
    kept = {trial.number: trial.epochs for trial in after}
    return [
        (trial.number, epoch)
        for trial in before
        for epoch, values in trial.epochs.items()
        if kept.get(trial.number, {}).get(epoch) != values
    ]


def trained_again(before: list[StoredTrial], n_notes: int, notes: bytes) -> set[tuple[str, int]]:
    """Candidate and epoch of what was stored, and was trained once more after the first so many bytes of notes."""
    finished = {(trial.candidate, epoch) for trial in before for epoch in trial.epochs}
    since = map(json.loads, notes[n_notes:].splitlines())
    return {(note["candidate"], note["epoch"]) for note in since} & finished
