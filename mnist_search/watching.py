"""Where messages and progress of a search or a verification go: a bar and lines on stderr, unless told otherwise."""

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from types import FrameType
from typing import Any

from search.dispatch.listener import Listener, RunningTrial, SearchState, TrialEnded
from search.measures.words import percent
from search.verification.trainings import SeedTraining, TrainingListener

with warnings.catch_warnings(action="ignore"):  # in a notebook without ipywidgets: the bar is then one of text
    from tqdm.auto import tqdm

OnEpoch = Callable[[RunningTrial], object]
OnTrial = Callable[[TrialEnded], object]


class Watcher:
    """Messages, progress and interruptions of a Python program. The command line has a subclass of its own."""

    def __init__(self, progress: bool = True, on_epoch: OnEpoch | None = None, on_trial: OnTrial | None = None) -> None:
        self._progress = progress
        self._on_epoch = on_epoch
        self._on_trial = on_trial

    def say(self, text: str) -> None:
        """Print a message, unless the progress is not wanted."""
        if self._progress:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print what the user has to know."""
        tqdm.write(text, file=sys.stderr)

    def detail(self, text: str) -> None:
        """Print what only the option `-v` of the command line asks for."""

    def searching(self) -> AbstractContextManager[Listener]:
        """Return the listener of a search."""
        return nullcontext(_SearchBar(self, self._progress, self._on_epoch, self._on_trial))

    def verifying(self, sustain: int, n_workers: int) -> AbstractContextManager[TrainingListener]:
        """Return the listener of a verification."""
        return nullcontext(_SeedBar(self, self._progress))

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` at the first Ctrl-C, and raise KeyboardInterrupt when the work has stopped, or at the second."""
        if threading.current_thread() is not threading.main_thread():  # only that one receives signals
            yield
            return
        received: list[int] = []

        def receive(number: int, _frame: FrameType | None) -> None:
            if received:
                raise KeyboardInterrupt
            received.append(number)
            stop()

        before = signal.signal(signal.SIGINT, receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if received:
            raise KeyboardInterrupt

    def clearing(self) -> AbstractContextManager[None]:
        """Return a context in which files are written that are removed if the process is interrupted."""
        return nullcontext()


class _SearchBar(Listener):
    def __init__(self, watcher: Watcher, is_shown: bool, on_epoch: OnEpoch | None, on_trial: OnTrial | None) -> None:
        self._watcher = watcher
        self._is_shown = is_shown
        self._on_epoch = on_epoch
        self._on_trial = on_trial
        self._bar: Any = None

    def started(self, state: SearchState) -> None:
        name, n_total = state.study_name, state.n_total
        self._bar = tqdm(desc=name, total=n_total, initial=state.n_done, unit="trial", disable=not self._is_shown)

    def worker_lost(self, state: SearchState, worker: Any) -> None:
        self._watcher.warn(f"a worker was lost and is replaced: {worker.reason}")

    def waiting(self, state: SearchState, text: str) -> None:
        self._watcher.warn(text)

    def epoch(self, state: SearchState, trial: RunningTrial) -> None:
        if self._on_epoch is not None:
            self._on_epoch(replace(trial))  # a copy: the dispatcher changes its own in the next epoch

    def ended(self, state: SearchState, trial: TrialEnded) -> None:
        best = state.smallest or state.best
        if best is not None:
            self._bar.set_postfix_str(f"{percent(best.value)} with {best.user_attrs['params']:,}", refresh=False)
        self._bar.update(state.n_done - self._bar.n)
        if self._on_trial is not None:
            self._on_trial(trial)

    def stopped(self, state: SearchState) -> None:
        self._bar.close()


class _SeedBar(TrainingListener):
    def __init__(self, watcher: Watcher, is_shown: bool) -> None:
        self._watcher = watcher
        self._is_shown = is_shown
        self._bar: Any = None

    def began(self, n_done: int, n_total: int) -> None:
        self._bar = tqdm(desc="seeds", total=n_total, initial=n_done, unit="seed", disable=not self._is_shown)
        self._close_when_full()

    def worker_lost(self, worker: Any) -> None:
        self._watcher.warn(f"a worker was lost and is replaced: {worker.reason}")

    def waits(self, line: str) -> None:
        self._watcher.warn(line)

    def ended(self, training: SeedTraining) -> None:
        self._bar.update()
        self._close_when_full()

    def _close_when_full(self) -> None:
        if self._bar.n >= self._bar.total:
            self._bar.close()
