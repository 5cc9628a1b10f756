"""Searches killed with -9 at random moments and resumed, each compared with an undisturbed one of the same seed.

    python -m benchmarks.reliability.kills [--searches 200] [--parallel 2] [--checkout DIR] [--out FILE.jsonl]

In turn the dispatcher alone is killed, its whole process group, and a worker; every seventh search is killed three
times. A quarter of the moments is uniform over the time until the first epoch is stored, the others over the time from
then to the end of the process, as undisturbed searches take them. Then the same command runs to its end. What is judged
is in the database, and in the notes of the workers on what they trained. Writes a line for each search as it ends, and
goes on from there; the table is printed. Folders of searches that were not right are kept, in FILE.searches/.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._report import machine_line, markdown_table
from benchmarks.reliability._searches import (
    ROOT,
    SMALL,
    Checkout,
    Search,
    end_all,
    members,
    wait_for_epoch,
    wait_for_worker,
)
from benchmarks.reliability._stored import (
    StoredTrial,
    lost_epochs,
    n_counted_twice,
    n_past_gate,
    n_running,
    results,
    stored,
    trained_again,
)

N_TRIALS, N_SEEDS = 14, 10
RUN = [
    "--trials",
    str(N_TRIALS),
    "--epochs",
    "3",
    "--sustain",
    "1",
    "--workers",
    "2",
    *SMALL,
    "--set",
    "batch_size=128",
]
DETERMINISTIC = ["--deterministic", "--window", "2"]
TARGETS = ("dispatcher", "group", "worker")
STAGES = ("before its first epoch", "in training", "when nothing was in training")
_MOST_SECONDS = 600
_LEAVE_SECONDS = 10
_SOONER = 0.7
_SEVERAL_EVERY, _SEVERAL = 7, 3
ZERO = ("lost", "trained_again", "counted_twice", "running_at_end", "waiting_at_end", "left_alive")
"""What must be nought of every search."""


@dataclass
class Kill:
    """One kill, and what the database held at that moment."""

    seconds: float
    """From the start of the process that was killed."""
    stage: str
    before: list[StoredTrial] = field(repr=False)
    n_notes: int
    """Bytes of notes that there were."""


@dataclass(frozen=True)
class Plan:
    """Which search is disturbed, and how."""

    index: int

    @property
    def seed(self) -> int:
        return self.index % N_SEEDS

    @property
    def target(self) -> str:
        return TARGETS[self.index % len(TARGETS)]

    @property
    def is_early(self) -> bool:
        """Whether it is killed before its first epoch."""
        return self.index % 4 == 0

    @property
    def n_kills(self) -> int:
        return _SEVERAL if self.index % _SEVERAL_EVERY == _SEVERAL_EVERY - 1 else 1


@dataclass(frozen=True)
class Undisturbed:
    """What a search comes to that nobody disturbs, and how long it takes."""

    digest: str
    start_seconds: float
    """Until its first epoch is stored."""
    work_seconds: float
    """From there to the end of its process."""


class Experiment:
    """The undisturbed searches, and the disturbing of others."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self._checkout = checkout
        self._folder = folder
        self._commit = checkout.commit
        self._is_deterministic = checkout.has_option(DETERMINISTIC[0])
        self._expected: dict[int, Undisturbed] = {}

    def _search(self, name: str, seed: int) -> Search:
        deterministic = DETERMINISTIC if self._is_deterministic else []
        return Search(self._checkout, self._folder / name, [*RUN, "--seed", str(seed), *deterministic])

    def undisturbed(self, seed: int) -> None:
        """Runs a search of this seed to its end, or looks up what it came to."""
        search = self._search(f"undisturbed-{seed}", seed)
        times = search.folder.with_suffix(".json")
        if not times.exists():
            began = time.perf_counter()
            process = search.start()
            wait_for_epoch(search.folder, process)
            start_seconds = time.perf_counter() - began
            code = _finish(process)
            if code != 0 or n_past_gate(stored(search.folder)) != N_TRIALS:
                raise SystemExit(f"the undisturbed search of seed {seed} ended with {code}: see {search.said}")
            times.write_text(json.dumps([start_seconds, time.perf_counter() - began - start_seconds]))
        self._expected[seed] = Undisturbed(_digest(stored(search.folder)), *json.loads(times.read_text()))

    def disturbed(self, plan: Plan) -> dict[str, Any]:
        """Kills and resumes a search, and says what came of it."""
        search = self._search(f"{plan.index:03}", plan.seed)
        _clear(search)
        began = time.perf_counter()
        kills = list(self._kill(search, plan))
        process = search.start()
        code = _finish(process)
        facts = self._judged(search, plan, kills) | {"code": code, "left_alive": len(_left(process.pid))}
        facts["ok"] = code == 0 and facts["equal"] is not False and not any(facts[name] for name in ZERO)
        if facts["ok"]:
            _clear(search)
        seconds = round(time.perf_counter() - began, 1)
        return {
            "search": plan.index,
            "seed": plan.seed,
            "target": plan.target,
            "commit": self._commit,
            "seconds": seconds,
        } | facts

    def _kill(self, search: Search, plan: Plan) -> Iterator[Kill]:
        """Starts and kills as often as planned. A search that ends before its first kill begins anew, earlier."""
        rng, expected, n = random.Random(plan.index), self._expected[plan.seed], 0
        seconds = expected.start_seconds if plan.is_early else expected.work_seconds
        while n < plan.n_kills:
            kill = _killed(search, plan, rng.uniform(0, seconds), rng)
            if kill is not None:
                yield kill
            elif n == 0:
                seconds *= _SOONER
                _clear(search)
                continue
            n += 1

    def _judged(self, search: Search, plan: Plan, kills: list[Kill]) -> dict[str, Any]:
        after, notes = stored(search.folder), search.notes.read_bytes() if search.notes.exists() else b""
        trained = [(note["candidate"], note["epoch"]) for note in map(json.loads, notes.splitlines())]
        equal = _digest(after) == self._expected[plan.seed].digest if self._is_deterministic else None
        return {
            "kills": [[round(kill.seconds, 2), kill.stage] for kill in kills],
            "epochs_at_kill": sum(len(trial.epochs) for trial in kills[-1].before),
            "lost": sum(len(lost_epochs(kill.before, after)) for kill in kills),
            "trained_again": sum(len(trained_again(kill.before, kill.n_notes, notes)) for kill in kills),
            "unfinished_again": len(trained) - len(set(trained)),
            "counted_twice": n_counted_twice(after) + max(0, n_past_gate(after) - N_TRIALS),
            "running_at_end": n_running(after),
            "waiting_at_end": sum(trial.state == "WAITING" for trial in after),
            "past_gate": n_past_gate(after),
            "equal": equal,
        }


def _killed(search: Search, plan: Plan, seconds: float, rng: random.Random) -> Kill | None:
    """Starts the search and kills at this moment; None if it had ended by then.

    Whatever is left of a killed dispatcher has to end by itself: nobody waits for it. Where a worker is killed the
    search goes on, and its end is waited for.
    """
    began = time.perf_counter()
    process = search.start()
    if not plan.is_early:
        wait_for_epoch(search.folder, process)
    time.sleep(seconds)
    victim = wait_for_worker(process, rng) if plan.target == "worker" else process.pid
    if victim is None or process.poll() is not None:
        return None
    before = stored(search.folder) if plan.target == "worker" else []
    n_notes = search.notes.stat().st_size if search.notes.exists() else 0
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if plan.target == "group" else os.kill)(victim, signal.SIGKILL)
    kill_seconds = time.perf_counter() - began
    _finish(process)
    if plan.target != "worker":
        before = stored(search.folder)
    return Kill(kill_seconds, _stage(before), before, n_notes)


def _stage(trials: list[StoredTrial]) -> str:
    if not any(trial.epochs for trial in trials):
        return STAGES[0]
    return STAGES[1 if n_running(trials) else 2]


def _finish(process: subprocess.Popen[Any]) -> int:
    """The exit code of a command; one that does not end is killed with all that belongs to it."""
    try:
        return process.wait(_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        end_all(process.pid)
        return process.wait()


def _left(session: int) -> list[int]:
    """Processes of a search that are there still when it has been over for a while."""
    deadline = time.monotonic() + _LEAVE_SECONDS
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _digest(trials: list[StoredTrial]) -> str:
    return hashlib.sha256(json.dumps(results(trials)).encode()).hexdigest()


def _clear(search: Search) -> None:
    shutil.rmtree(search.folder, ignore_errors=True)
    for file in (search.notes, search.said):
        file.unlink(missing_ok=True)


def summary(lines: list[dict[str, Any]]) -> str:
    """The table over all searches, by what was killed."""
    groups = {target: [line for line in lines if line["target"] == target] for target in TARGETS}
    columns = ("", *(f"{target} killed" for target in TARGETS), "all")
    rows = [("searches", *_each(groups, lines, len)), ("kills", *_each(groups, lines, _n_kills))]
    for stage in STAGES:
        rows.append((f"kills {stage}", *_each(groups, lines, lambda of, stage=stage: _n_kills(of, stage))))
    counted = {
        "epochs in the database at the last kill": "epochs_at_kill", "of them lost": "lost",
        "of them trained again": "trained_again", "epochs not yet in it, trained again": "unfinished_again",
        "trials counted twice": "counted_twice", "trials RUNNING at the end": "running_at_end",
        "trials WAITING at the end": "waiting_at_end", "processes left alive": "left_alive",
    }  # fmt: skip
    for name, key in counted.items():
        rows.append((name, *_each(groups, lines, lambda of, key=key: sum(line[key] for line in of))))
    rows.append(("ended with exit code 0", *_each(groups, lines, lambda of: sum(line["code"] == 0 for line in of))))
    if any(line["equal"] is not None for line in lines):
        equal = _each(groups, lines, lambda of: sum(line["equal"] is True for line in of))
        rows.append(("equal to the undisturbed search to the last bit", *equal))
    return markdown_table(columns, rows)


def _each(groups: dict[str, list[Any]], lines: list[Any], count: Any) -> list[str]:
    return [f"{count(of):,}" for of in (*groups.values(), lines)]


def _n_kills(lines: list[dict[str, Any]], stage: str | None = None) -> int:
    return sum(stage in (None, kill[1]) for line in lines for kill in line["kills"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS, help="leave out the other searches")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "reliability-kills.jsonl")
    options = parser.parse_args()
    folder = options.out.with_suffix(".searches").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    checkout = Checkout(options.checkout.absolute(), folder)
    lines = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {line["search"] for line in lines}
    plans = [plan for plan in map(Plan, range(options.searches)) if plan.index not in done]
    plans = [plan for plan in plans if plan.target in options.targets]
    experiment = Experiment(checkout, folder)
    with ThreadPoolExecutor(options.parallel) as pool, options.out.open("a") as file:
        list(pool.map(experiment.undisturbed, sorted({plan.seed for plan in plans})))
        for future in as_completed([pool.submit(experiment.disturbed, plan) for plan in plans]):
            lines.append(future.result())
            print(json.dumps(lines[-1]), file=file, flush=True)
            print(json.dumps(lines[-1]), flush=True)
    commits = ", ".join(sorted({line["commit"] for line in lines}))
    print(f"\n{machine_line()}; {commits}\n\n{summary(lines)}")


if __name__ == "__main__":
    main()
