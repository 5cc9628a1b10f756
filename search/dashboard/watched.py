"""WatchedStudy: a study as the dashboard shows it, read anew only as far as it has changed.

What explains a study is not stored: it follows from what is. So a search pays nothing for it, it is there for studies
of older programs, and a verification or a change of words shows at once. Stored, thousands of notes would also make
optuna-dashboard slow, which goes through all attributes of a study for every trial that it shows.
"""

import copy
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from models.errors import MnistSearchError
from search.dashboard.figures import figure_texts
from search.dashboard.made_files import curves_path, files_of_trial
from search.dashboard.markdown import plain
from search.dashboard.study_note import study_note
from search.dashboard.told import Told
from search.dashboard.trial_note import trial_note
from search.report.winner import Winner, find_winner
from search.study import attributes
from search.study.soundness import sound_or_foreign
from search.study.study import SearchStudy
from search.verification.answer import judged_trials
from storage.errors import StorageError
from storage.growing_trials import GrowingTrials
from storage.verifications import n_finished_verifications

_HIDDEN = (attributes.CANDIDATE, attributes.GIVEN, attributes.WEIGHTS)
"""What only the program reads: the note has the candidate as a table, and the artifacts have it as a file."""
MOST_CURVES = 500
"""Trials whose epochs are in the page's figure of curves; of a larger study every second has them, or every fourth, ...

All have them in their files, and the trial's own page says where.
"""
_MOST_SAID = 50
"""Notes of one thing that are remembered: while somebody writes into one, newer ones come about."""
_LEAST_SECONDS = 2.0
_SHARE = 0.01
"""Of a core, that keeping the note and the figures of a study current may take."""

Page = tuple[str, list[dict[str, str]]]


class WatchedStudy:
    """One study. Safe to be asked by several threads."""

    def __init__(self, study: SearchStudy) -> None:
        self.study = study
        self.told = Told()
        """What was said of its ended trials."""
        self._lock = threading.RLock()
        self._reader = GrowingTrials(study.store.engine, study.study_id, sound_or_foreign)
        self._trials: list[FrozenTrial] = []
        self._shown: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}
        self._notes: dict[int, tuple[FrozenTrial, str]] = {}
        self._said: dict[int | None, deque[str]] = {}
        self._verified: dict[int, Mapping[str, Any]] = {}
        self._winner: Winner | None = None
        self._fault: str | None = None
        """Why its verifications and its winner cannot be told of."""
        self._every = 1
        self._state = (-1, -1, 0)
        self._page: Page | None = None
        self._page_state: tuple[Any, ...] = ()
        self._page_at = self._page_cost = 0.0

    def trials(self) -> list[FrozenTrial]:
        """All trials as they are shown now: without what only the program reads, with the files there are of them."""
        with self._lock:
            self._read()
            return [self._show(trial) for trial in self._trials]

    def best(self) -> FrozenTrial | None:
        """The study's answer (`search/verification/answer.py`)."""
        with self._lock:
            self._read()
            return None if self._winner is None else self._show(self._trials[self._winner.trial.number])

    def study_now(self) -> SearchStudy:
        """The study with a snapshot of its own, of this moment."""
        with self._lock:
            self._read()
            study = copy.copy(self.study)
            study.refresh(self._trials)
            return study

    def note(self, number: int) -> str | None:
        """Our note of a trial, in Markdown; None if there is no such trial."""
        with self._lock:
            if not 0 <= number < len(self._trials):
                return None
            trial = self._trials[number]
            known = self._notes.get(number)
            if known is None or known[0] is not trial:
                study = self.study
                curves = curves_path(study.study_id, trial)
                try:
                    text = trial_note(trial, study.name, study.settings, self._verified.get(number), curves)
                except MnistSearchError as error:  # its candidate is damaged
                    text = _fault_note(error)
                known = self._notes[number] = (trial, text)
                self._remember(number, text)
            return known[1]

    def said(self, number: int | None) -> list[str]:
        """Our notes of a trial as they were lately, or those of the study (None): what a visitor may send back."""
        with self._lock:
            return list(self._said.get(number, ()))

    def page(self) -> Page:
        """Our note of the study, in Markdown, and its figures.

        They may be a little behind, so that a search on the same machine does not pay for being watched.
        """
        with self._lock:
            self._read()
            is_at_work = any(not trial.state.is_finished() for trial in self._trials)
            state = (*self._state, time.monotonic() if is_at_work else None)
            age = time.monotonic() - self._page_at
            is_due = age >= max(_LEAST_SECONDS, self._page_cost / _SHARE)
            if self._page is None or (state != self._page_state and is_due):
                began = time.thread_time()
                self.study.refresh(self._trials)
                self._page = self._made_page()
                self._page_cost, self._page_at = time.thread_time() - began, time.monotonic()
                self._page_state = state
                self._remember(None, self._page[0])
            return self._page

    def _made_page(self) -> Page:
        try:
            if self._fault is None:
                return study_note(self.study, self._winner), figure_texts(self.study, self._winner)
        except (MnistSearchError, StorageError) as error:
            return _fault_note(error), []
        return _fault_note(self._fault), []

    def _read(self) -> None:
        """Reads what has changed, and what follows from it."""
        self._trials = self._reader.read()
        n_ended = sum(trial.state.is_finished() for trial in self._trials)
        n_verified = n_finished_verifications(self.study.store.engine, self.study.study_id)
        state = n_ended, n_verified, self._reader.n_deletions
        if state == self._state:
            return
        self.study.refresh(self._trials)
        every = _every(len(self._trials))
        if every != self._every:
            self._every = every
            self._shown.clear()
        try:
            if state[1:] != self._state[1:]:
                self._verified = {one.trial.number: one.summary for one in reversed(judged_trials(self.study))}
                self._notes.clear()
            self._winner, self._fault = find_winner(self.study), None
        except (MnistSearchError, StorageError) as error:  # what else is kept of it is damaged
            self._winner, self._fault = None, str(error)
        self._state = state

    @property
    def facts_state(self) -> tuple[int, int, int]:
        """What is shown of ended trials depends on this, beside themselves."""
        return *self._state[1:], self._every

    def _remember(self, number: int | None, text: str) -> None:
        self._said.setdefault(number, deque(maxlen=_MOST_SAID)).append(text)

    def _show(self, trial: FrozenTrial) -> FrozenTrial:
        known = self._shown.get(trial.number)
        if known is None or known[0] is not trial:
            has_curve = trial.number % self._every == 0 or not trial.state.is_finished()
            known = self._shown[trial.number] = (trial, _shown(trial, has_curve))
        return known[1]


def _fault_note(fault: object) -> str:
    """What stands in the place of a note of ours: the page itself shows all that it can."""
    return f"**{plain(str(fault))}.**"


def _every(n_trials: int) -> int:
    """Of every so many trials one has its curve in the page's figure, which draws a line for each."""
    every = 1
    while n_trials > MOST_CURVES * every:
        every *= 2
    return every


def _shown(trial: FrozenTrial, has_curve: bool) -> FrozenTrial:
    shown = copy.copy(trial)
    if not has_curve:
        shown.intermediate_values = {}
    shown.user_attrs = {key: _short(value) for key, value in trial.user_attrs.items() if key not in _HIDDEN}
    shown.system_attrs = {**_constraints(trial), **trial.system_attrs, **files_of_trial(trial)}
    return shown


def _constraints(trial: FrozenTrial) -> dict[str, list[float]]:
    """Those that Optuna 5 keeps one by one, as the list that optuna-dashboard 0.21 looks for."""
    return {attributes.CONSTRAINTS: list(trial.constraints.values())} if trial.constraints else {}


def _short(value: Any) -> Any:
    """A number with as many digits as anybody reads; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
