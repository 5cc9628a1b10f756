"""What a study costs besides the trainings, when it is small and when it is large.

    python -m benchmarks.large_study [--trials 200 5000] [--rounds 3]

Studies of made-up trials are written to a temporary folder. Commands are timed as whole processes, imports included,
and the least of a few rounds is taken. Then the real dispatcher searches on, with an engine that makes up its epochs:
what it takes for a candidate is the search's own cost, as the draw alone is that of sampler, gate and database.
Writes `benchmarks/results/large-study.md`.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._made_trials import add_made_trials
from benchmarks._report import machine_line, write
from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.intake import Intake
from search.dispatch.listener import Listener
from search.dispatch.live import LiveTrial
from search.space.space import Space
from search.study.settings import StudySettings
from search.study.study import create_study, resume_study
from storage.sessions import StudySession
from storage.store import Store
from trainer.training.records import EpochRecord
from trainer.workers.messages import Answer, EpochDone, Finished, Job

RESULTS = Path(__file__).parent / "results" / "large-study.md"
EPOCHS = 8
COMMANDS = (("status",), ("show", "37"), ("compare", "best", "a-step5"), ("report",))
_N_CANDIDATES = 40


class MadeUpEngine:
    """Two workers whose candidates are trained in no time, to made-up accuracies."""

    n_workers = n_slots = 2

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._rng = random.Random(0)

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._epochs)

    def submit(self, job: Job) -> None:
        self._epochs[job.number] = 0

    def poll(self, timeout_seconds: float) -> list[Answer]:
        return [self._answer(number) for number in list(self._epochs)]

    def stop(self, number: int) -> None:
        del self._epochs[number]

    def close(self) -> None:
        self._epochs.clear()

    def _answer(self, number: int) -> Answer:
        if self._epochs[number] == EPOCHS:
            del self._epochs[number]
            return Finished(number, b"weights")
        self._epochs[number] += 1
        epoch, accuracy = self._epochs[number], 0.9 + 0.09 * self._rng.random()
        return EpochDone(number, EpochRecord(epoch, 0.1, accuracy, 0.1, accuracy, 0.1, 1.0, 1.0))


def make(folder: Path, n_trials: int) -> str:
    """The URL of a database with a study of n made-up trials."""
    url = f"sqlite:///{folder / f'{n_trials}.db'}"
    store = Store(url)
    space = Space.of({}, 10_000).to_dict()
    study = create_study(store, "made", StudySettings("digits", epochs=EPOCHS, target=0.985, space=space))
    add_made_trials(study, n_trials)
    store.close()
    return url


def command_seconds(url: str, words: tuple[str, ...], rounds: int) -> float:
    """The least time that a command took, as a process of its own."""
    program = "from search.cli import main; main()"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", program, *words, "--storage", url, "--study", "made"]
        command += ["--out", f"{folder}/report.html"] if words == ("report",) else []
        return min(_timed(command) for _ in range(rounds))


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def search_seconds(url: str) -> tuple[float, float, float]:
    """Until the first draw, for a draw (a median), and for a candidate past the gate, rejected ones before it included.

    Draws are a part of the last; the rest of it is epochs, pruner, weights and the trial's end.
    """
    store = Store(url)
    limits = Limits(resume_study(store, "made", {}).n_past_gate() + _N_CANDIDATES)
    began = time.perf_counter()
    study = resume_study(store, "made", {})
    session, draws = StudySession(store.engine, study.study_id), list[float]()
    dispatcher = Dispatcher(study, MadeUpEngine(), limits, session, Listener())
    ready = time.perf_counter()
    _time_draws(dispatcher._intake, draws)
    dispatcher.run()
    ended = time.perf_counter()
    session.end()
    store.close()
    return ready - began, statistics.median(draws), (ended - ready) / _N_CANDIDATES


def _time_draws(intake: Intake, draws: list[float]) -> None:
    draw = intake.draw

    def timed() -> LiveTrial | None:
        began = time.perf_counter()
        try:
            return draw()
        finally:
            draws.append(time.perf_counter() - began)

    intake.draw = timed  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    columns: dict[int, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in options.trials:
            url = make(Path(folder), n)
            seconds = [command_seconds(url, words, options.rounds) for words in COMMANDS]
            ready, draw, candidate = search_seconds(url)
            columns[n] = [*(f"{s:.1f} s" for s in seconds), f"{ready:.1f} s"]
            columns[n] += [f"{1000 * s:.0f} ms" for s in (draw, candidate)]
    names = [*(f"`{' '.join(words)}`" for words in COMMANDS), "`run`: until its first draw",
             "`run`: a draw and its gate", "`run`: a candidate, draws to end"]  # fmt: skip
    rows = [(name, *(columns[n][i] for n in options.trials)) for i, name in enumerate(names)]
    text = f"# What a study costs besides its trainings\n\n{machine_line()}. `python -m benchmarks.large_study`\n"
    write(RESULTS, text, ("made-up trials", *(f"{n:,}" for n in options.trials)), rows)


if __name__ == "__main__":
    main()
