"""The live views fit a terminal of 80 columns and 24 lines, however many trainings are under way."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial
from rich.console import Console
from rich.live import Live

from models.candidate import Candidate
from models.recipe import Recipe
from models.template import Template
from search.cli.progress import PlainProgress, render
from search.cli.seed_progress import LiveSeedProgress
from search.dispatch.listener import RunningTrial, SearchState
from search.study.outcomes import Outcome
from search.verification.trainings import Entry, SeedTraining
from tests.helpers.cli import COMMAND, QUICK
from tests.helpers.terminals import in_terminal, read_until
from trainer.training.records import EpochRecord
from trainer.workers.messages import Lost, Ready, Slots


def state_of(n_running: int, n_workers: int, n_slots: int) -> SearchState:
    best = create_trial(state=TrialState.COMPLETE, value=0.9945, user_attrs={"params": 9_999})
    state = SearchState(
        "a-study", 200, 8, 0.994, n_workers, n_slots, dict.fromkeys(Outcome, 1_000), best=best, smallest=best
    )
    state.running = {n: RunningTrial(1000 + n, 9_000 + n, 7, 0.9923) for n in range(n_running)}
    return state


def lines_of(show: Callable[[Console], object]) -> list[str]:
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=False)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("n_running", [16, 200])
def test_of_many_trials_eight_are_shown_and_the_others_counted(n_running: int) -> None:
    lines = lines_of(lambda console: console.print(render(state_of(n_running, 1, 16))))
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    assert [line.split()[1] for line in lines if line.startswith("trial ")] == [str(1000 + n) for n in range(8)]
    assert lines[-1] == f"… and {n_running - 8} more"
    assert "1 worker, 16 slots" in lines


def test_eight_trials_are_all_there_are() -> None:
    lines = lines_of(lambda console: console.print(render(state_of(8, 8, 8))))
    assert "more" not in lines[-1]
    assert not any("slot" in line for line in lines), "a slot a worker is no news"


def test_of_many_seeds_eight_are_shown_and_the_others_counted() -> None:
    entry = Entry("mine", Candidate(Template((3,), 3, (4,)).arch(), Recipe(epochs=4)))
    view = Live(console=Console(file=io.StringIO()), auto_refresh=False)
    progress = LiveSeedProgress(1, view)
    for number in range(1, 17):
        record = EpochRecord(1, 0.1, 0.9, 0.1, 0.9, 0.1, 1.0, 1.0)
        progress.epoch(SeedTraining(entry, number, number, [record]))
    lines = lines_of(lambda console: console.print(view.renderable))
    assert len(lines) == 1 + 8 + 1
    assert lines[-1] == "… and 8 more"


def test_the_part_of_an_epoch_that_is_done_is_shown() -> None:
    state = state_of(2, 1, 1)
    state.running[0] = RunningTrial(7, 9_000, 0, None)
    state.running[1] = RunningTrial(8, 9_000, 3, 0.9923, epoch_share=0.25)
    lines = [line.split()[-3:] for line in lines_of(lambda console: console.print(render(state)))[-2:]]
    assert lines == [["epoch", "0.00/8", "starting"], ["epoch", "3.25/8", "99.23%"]]


def test_the_part_of_an_epoch_that_is_done_is_shown_of_seeds_too() -> None:
    entry = Entry("mine", Candidate(Template((3,), 3, (4,)).arch(), Recipe(epochs=4)))
    view = Live(console=Console(file=io.StringIO()), auto_refresh=False)
    LiveSeedProgress(1, view).moved(SeedTraining(entry, 1, 1, epoch_share=0.5))
    assert lines_of(lambda console: console.print(view.renderable))[-1].split()[-2:] == ["epoch", "0.50/4"]


LONG_EPOCHS = [
    *("--max-params", "9000", "--set", "body_depth=5", "--set", "body_width=12:16", "--set", "batch_size=2"),
    *("--workers", "1"),
]


@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_terminal_shows_life_at_once_and_within_an_epoch(command: str, mine: Path) -> None:
    slow = mine.read_text().replace("epochs: 2", "epochs: 2, batch_size: 2").replace("conv: 6", "conv: 16, conv: 16")
    mine.write_text(slow)
    line = {
        "run": ["run", "--trials", "1", *QUICK, *LONG_EPOCHS],
        "verify": ["verify", "mine.yaml", "--dataset", "digits", "--workers", "1", "--sustain", "1"],
    }[command]
    with in_terminal([*COMMAND, *line], mine.parent) as (_, user):
        seen = read_until(user, "starting 1 worker…")
        assert seen.index("loading torch…") < seen.index("data: ")
        while re.search(r"epoch 0\.(?!00)\d\d/", seen) is None:
            assert "epoch 1" not in seen, "told of within the first epoch"
            seen += os.read(user, 4096).decode(errors="replace")
        os.close(user)


def test_plain_lines_tell_of_slots(capsys: pytest.CaptureFixture[str]) -> None:
    plain = PlainProgress()
    plain.started(state_of(0, 1, 1))
    plain.worker_ready(state_of(0, 1, 16), Ready(2.0, 300 << 20, 16))
    plain.slots_fell(state_of(0, 1, 9), Slots(9, "OutOfMemoryError: CUDA out of memory"))
    plain.worker_lost(state_of(0, 1, 9), Lost("its worker ended with exit code -9", 9))
    plain.worker_lost(state_of(0, 1, 9), Lost("its worker ended with exit code 1", 0))
    plain.started(state_of(0, 1, 9))
    plain.worker_ready(state_of(0, 2, 2), Ready(2.0, 300 << 20))
    assert capsys.readouterr().err.splitlines() == [
        "study a-study: 0 of 200 candidates done, 1 worker, 8 epochs each",
        "worker ready after 2.0 s, 300.0 MiB: 1 worker, 16 slots",
        "a worker goes on with 9 slots: OutOfMemoryError: CUDA out of memory",
        "a worker was lost and is replaced (ended with exit code -9): 9 trainings go on from the last epoch",
        "a worker was lost and is replaced (ended with exit code 1)",
        "study a-study: 0 of 200 candidates done, 1 worker, 9 slots, 8 epochs each",
        "worker ready after 2.0 s, 300.0 MiB",
    ]
