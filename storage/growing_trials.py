"""GrowingTrials: the trials of a study, read again and again while it grows."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from optuna.trial import FrozenTrial
from sqlalchemy import Engine

from storage.damage import DamagedError
from storage.trials import read_changed


class GrowingTrials:
    """Trials of one study, each read until it has ended, and then never again: Optuna lets nobody change it any more.

    Whoever watches a search asks for all its trials every few seconds; 5,000 of them take a second to read. Safe to
    be asked by several threads.
    """

    def __init__(
        self, engine: Engine, study_id: int, seen_as: Callable[[FrozenTrial], FrozenTrial] = lambda trial: trial
    ) -> None:
        """`seen_as` makes of each trial that was read the one that is given out, with the same number and times."""
        self._engine = engine
        self._study_id = study_id
        self._seen_as = seen_as
        self._lock = threading.Lock()
        self._trials: list[FrozenTrial] = []
        self.n_deletions = 0
        """How often the study was found to be gone, with another one in its place or none."""

    def read(self) -> list[FrozenTrial]:
        """All trials as they stand now, in the order of their numbers. Who changes the list changes a copy.

        Raises DamagedError if numbers are missing.
        """
        with self._lock:
            again = self._to_read_again()
            changed = self._changed(again)
            if not _are_there(again, changed):
                self._trials = []
                self.n_deletions += 1
                changed = self._changed([])
            for trial in map(self._seen_as, changed):
                if not 0 <= trial.number <= len(self._trials):
                    raise DamagedError(f"the list of trials is damaged: number {len(self._trials)} is missing")
                if trial.number == len(self._trials):
                    self._trials.append(trial)
                elif not self._trials[trial.number].state.is_finished():
                    self._trials[trial.number] = trial
            return list(self._trials)

    def _to_read_again(self) -> list[FrozenTrial]:
        """Those that had not ended when they were read, and the first that had begun, to know the study by."""
        begun = next((trial for trial in self._trials if _time(trial) is not None), None)
        return [trial for trial in self._trials if trial is begun or not trial.state.is_finished()]

    def _changed(self, again: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        return read_changed(self._engine, self._study_id, [trial.number for trial in again], len(self._trials))


def _are_there(known: Sequence[FrozenTrial], found: Sequence[FrozenTrial]) -> bool:
    """Whether these trials are among those found: numbers are given again, times are not."""
    by_number = {trial.number: trial for trial in found}
    return all(trial.number in by_number and _is_same(trial, by_number[trial.number]) for trial in known)


def _is_same(known: FrozenTrial, found: FrozenTrial) -> bool:
    return known._trial_id == found._trial_id and _time(known) in (None, _time(found))


def _time(trial: FrozenTrial) -> datetime | None:
    """When it began, or ended if it never did; None of one that waits."""
    return trial.datetime_start or trial.datetime_complete
