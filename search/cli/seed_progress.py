"""The progress of a verification: a live view on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from models.printable import printable
from search.cli.messages import Level, detail, level, say, warn
from search.cli.tables import console
from search.cli.worker_lines import fewer_slots_text, lost_text, ready_text
from search.measures.objective import sustained_accuracy
from search.measures.words import percent, plural, seconds_text, starting_text
from search.verification.trainings import SeedTraining, TrainingListener
from storage.active_clock import ActiveClock
from trainer.workers.messages import Lost, Ready, Slots

_MAX_SHOWN = 8
"""Trainings under way that the live view shows, so that it fits a terminal of 24 lines."""


@contextmanager
def seed_progress(sustain: int, n_workers: int = 1) -> Iterator[TrainingListener]:
    """The listener that suits stderr; `n_workers` is how many are started."""
    on = console(sys.stderr)
    if not on.is_terminal or level() is Level.QUIET:
        yield PlainSeedProgress(sustain, n_workers)
        return
    with Live(console=on, auto_refresh=False, transient=True) as live:
        yield LiveSeedProgress(sustain, live, n_workers)


class PlainSeedProgress(TrainingListener):
    """A line for each training that ends, without control codes."""

    def __init__(self, sustain: int, n_workers: int = 1) -> None:
        self._sustain = sustain
        self._n_workers = n_workers
        self._n_before = self._n_done = self._n_total = 0
        self._clock = ActiveClock()

    def worker_ready(self, worker: Ready) -> None:
        self._say(ready_text(worker) + (f", {plural(worker.slots, 'slot')}" if worker.slots > 1 else ""))

    def slots_fell(self, worker: Slots) -> None:
        self._say(fewer_slots_text(worker), warn)

    def worker_lost(self, worker: Lost) -> None:
        self._say(lost_text(worker), warn)

    def turned(self) -> None:
        self._clock.seconds()

    def waits(self, line: str) -> None:
        self._say(line, warn)

    def began(self, n_done: int, n_total: int) -> None:
        self._n_before, self._n_done, self._n_total = n_done, n_done, n_total
        self._clock = ActiveClock()
        if n_done:
            self._say(f"{n_done} of {n_total} trainings were done before")
        if n_done < n_total:
            self._say(starting_text(self._n_workers))

    def epoch(self, training: SeedTraining) -> None:
        record = training.records[-1]
        detail(f"{_name(training)} epoch {record.epoch}: {percent(record.eval_accuracy)}")

    def ended(self, training: SeedTraining) -> None:
        self._n_done += 1
        self._say(f"{self._n_done}/{self._n_total} {self._ended_text(training)}, {self._left()} left")

    def _left(self) -> str:
        seconds = self._clock.seconds() / (self._n_done - self._n_before)
        return seconds_text(seconds * (self._n_total - self._n_done))

    def _ended_text(self, training: SeedTraining) -> str:
        seconds = seconds_text(sum(record.seconds for record in training.records))
        name = _name(training)
        if training.diverged_in is not None:
            return f"{name} diverged in epoch {training.diverged_in}, {seconds}"
        accuracy = sustained_accuracy([record.eval_accuracy for record in training.records], self._sustain)
        return f"{name}: {percent(accuracy)} sustained, {seconds}"

    def _say(self, text: str, by: Callable[[str], None] = say) -> None:
        by(text)


class LiveSeedProgress(PlainSeedProgress):
    """A line for each training that ends, above a view of those under way that is drawn over itself."""

    def __init__(self, sustain: int, live: Live, n_workers: int = 1) -> None:
        super().__init__(sustain, n_workers)
        self._live = live
        self._running: dict[tuple[str, int], SeedTraining] = {}

    def epoch(self, training: SeedTraining) -> None:
        self.moved(training)

    def moved(self, training: SeedTraining) -> None:
        self._running[_key(training)] = training
        self._draw()

    def ended(self, training: SeedTraining) -> None:
        self._running.pop(_key(training), None)
        super().ended(training)
        self._draw()

    def _say(self, text: str, by: Callable[[str], None] = say) -> None:
        self._live.console.print(printable(text))

    def _draw(self) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_row(
            Text("trainings", style="bold"),
            ProgressBar(max(1, self._n_total), self._n_done, width=24),
            f"{self._n_done}/{self._n_total}",
        )
        for training in list(self._running.values())[:_MAX_SHOWN]:
            epochs, done = training.entry.candidate.recipe.epochs, len(training.records) + training.epoch_share
            accuracy = percent(training.records[-1].eval_accuracy) if training.records else ""
            table.add_row(
                printable(_name(training)),
                ProgressBar(epochs, done, width=24),
                f"epoch {done:.2f}/{epochs}  {accuracy}",
            )
        n_more = len(self._running) - _MAX_SHOWN
        self._live.update(Group(table, f"… and {n_more} more") if n_more > 0 else table, refresh=True)


def _name(training: SeedTraining) -> str:
    return f"{training.entry.label}, seed {training.seed_number}"


def _key(training: SeedTraining) -> tuple[str, int]:
    return training.entry.candidate.id, training.seed_number
