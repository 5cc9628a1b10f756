"""GrowingTrials: the trials of a study, read again and again while it grows."""

import threading

from optuna.trial import FrozenTrial
from sqlalchemy import Engine

from storage.trials import read_changed


class GrowingTrials:
    """Trials of one study, each read until it has ended, and then never again: Optuna lets nobody change it any more.

    Whoever watches a search asks for all its trials every few seconds; 5,000 of them take a second to read. Safe to
    be asked by several threads.
    """

    def __init__(self, engine: Engine, study_id: int) -> None:
        self._engine = engine
        self._study_id = study_id
        self._lock = threading.Lock()
        self._trials: list[FrozenTrial] = []

    def read(self) -> list[FrozenTrial]:
        """All trials as they stand now, in the order of their numbers. Who changes the list changes a copy."""
        with self._lock:
            changed = self._changed()
            if self._trials and not (changed and _is_same(changed[0], self._trials[0])):
                # The study was deleted, and another one may have got its number.
                self._trials = []
                changed = self._changed()
            for trial in changed:
                if trial.number < len(self._trials):
                    self._trials[trial.number] = trial
                else:
                    self._trials.append(trial)
            return list(self._trials)

    def _changed(self) -> list[FrozenTrial]:
        """The first trial, to know the study by; those that had not ended when they were read, and new ones."""
        unfinished = [trial.number for trial in self._trials if not trial.state.is_finished()]
        return read_changed(self._engine, self._study_id, [0, *unfinished], len(self._trials))


def _is_same(first: FrozenTrial, known: FrozenTrial) -> bool:
    return (first.number, first._trial_id, first.datetime_start) == (0, known._trial_id, known.datetime_start)
