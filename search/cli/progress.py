"""The progress of a search: a live view on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.trial import FrozenTrial
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from models.printable import printable
from search.cli.messages import Level, detail, level, say, warn
from search.cli.tables import console
from search.cli.worker_lines import fewer_slots_text, lost_text, ready_text, team_text
from search.dispatch.listener import Listener, RunningTrial, SearchState, TrialEnded
from search.measures.words import percent, plural, seconds_text
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.settings import SMALLEST
from trainer.workers.messages import Lost, Ready, Slots

_REDRAW_SECONDS = 0.5
_MAX_SHOWN = 8
"""Trials in training that the live view shows, so that it fits a terminal of 24 lines."""


@contextmanager
def progress_listener() -> Iterator[Listener]:
    """The listener that suits stderr."""
    on = console(sys.stderr)
    if not on.is_terminal or level() is Level.QUIET:
        yield PlainProgress()
        return
    with Live(console=on, auto_refresh=False, transient=True) as live:
        yield LiveProgress(live)


class PlainProgress(Listener):
    """A line for each candidate that ends, without control codes."""

    def started(self, state: SearchState) -> None:
        say(
            f"study {state.study_name}: {state.n_done} of {state.n_total} candidates done, "
            f"{team_text(state.n_workers, state.n_slots)}, {plural(state.epochs, 'epoch')} each"
        )

    def worker_ready(self, state: SearchState, worker: Ready) -> None:
        team = f": {team_text(state.n_workers, state.n_slots)}" if state.n_slots > state.n_workers else ""
        say(ready_text(worker) + team)

    def slots_fell(self, state: SearchState, worker: Slots) -> None:
        warn(fewer_slots_text(worker))

    def worker_lost(self, state: SearchState, worker: Lost) -> None:
        warn(lost_text(worker))

    def waiting(self, state: SearchState, text: str) -> None:
        warn(text)

    def epoch(self, state: SearchState, trial: RunningTrial) -> None:
        detail(f"trial {trial.number} epoch {trial.epoch}/{state.epochs}: {percent(trial.accuracy)}")

    def ended(self, state: SearchState, trial: TrialEnded) -> None:
        best = f", best {percent(state.best.value)}" if state.best else ""
        if state.find == SMALLEST:
            best = f", fewer than {state.budget:,} wanted now"
        left = f", {seconds_text(state.seconds_left)} left" if state.seconds_left is not None else ""
        say(f"{state.n_done}/{state.n_total} {ended_text(trial)}{best}{left}")

    def stopped(self, state: SearchState) -> None:
        say(f"{state.n_done} of {state.n_total} candidates done")


class LiveProgress(Listener):
    """A view that is drawn over itself: totals, the best, and each trial in training."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._drawn = 0.0

    def slots_fell(self, state: SearchState, worker: Slots) -> None:
        self._live.console.print(printable(fewer_slots_text(worker)))

    def worker_lost(self, state: SearchState, worker: Lost) -> None:
        self._live.console.print(printable(lost_text(worker)))

    def waiting(self, state: SearchState, text: str) -> None:
        self._live.console.print(printable(text))

    def changed(self, state: SearchState) -> None:
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(render(state), refresh=True)

    def ended(self, state: SearchState, trial: TrialEnded) -> None:
        if trial.outcome is Outcome.TRAINED:
            self._live.console.print(printable(ended_text(trial)))
        self.changed(state)


def render(state: SearchState) -> Group:
    """The whole view, at most 80 columns wide."""
    counts = state.counts
    left = f"  {seconds_text(state.seconds_left)} left" if state.seconds_left is not None else ""
    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text(printable(state.study_name), style="bold"),
        ProgressBar(state.n_total, state.n_done, width=30),
        f"{state.n_done}/{state.n_total}{left}",
    )
    outcomes = ", ".join(
        f"{counts[outcome]} {outcome}"
        for outcome in (Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED, Outcome.DIVERGED, Outcome.FAILED)
        if counts[outcome] or outcome in (Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED)
    )
    lines: list[RenderableType] = [head]
    if state.n_slots > state.n_workers:
        lines.append(Text(team_text(state.n_workers, state.n_slots)))
    lines.append(Text(outcomes))
    if state.find == SMALLEST:
        lines.append(Text(f"budget    fewer than {state.budget:,} parameters from now on"))
    lines.append(Text(f"best      {_winner(state.best)}"))
    if state.smallest is not None:
        lines.append(Text(f"smallest  {_winner(state.smallest)} at {percent(state.target)} or above"))
    running = Table.grid(padding=(0, 2))
    for trial in list(state.running.values())[:_MAX_SHOWN]:
        accuracy = percent(trial.accuracy) if trial.accuracy is not None else "" if trial.epoch_share else "starting"
        running.add_row(
            f"trial {trial.number}",
            f"{trial.params:,} params",
            ProgressBar(state.epochs, trial.epoch + trial.epoch_share, width=16),
            f"epoch {trial.epoch + trial.epoch_share:.2f}/{state.epochs}",
            accuracy,
        )
    lines.append(running)
    if len(state.running) > _MAX_SHOWN:
        lines.append(Text(f"… and {len(state.running) - _MAX_SHOWN} more"))
    return Group(*lines)


def ended_text(trial: TrialEnded) -> str:
    """One line on a trial that is over."""
    accuracy = f" {percent(trial.accuracy)}" if trial.accuracy is not None else ""
    sustained = " sustained" if trial.outcome is Outcome.TRAINED else ""
    return (
        f"trial {trial.number} {trial.outcome}{accuracy}{sustained}, {trial.params:,} params, "
        f"{plural(trial.epochs, 'epoch')}, {seconds_text(trial.seconds)}"
    )


def _winner(trial: FrozenTrial | None) -> str:
    if trial is None:
        return "none yet"
    return f"{percent(trial.value)} sustained, {trial.user_attrs[attributes.PARAMS]:,} params (trial {trial.number})"
