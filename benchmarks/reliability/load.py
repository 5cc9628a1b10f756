"""One study of thousands of quick trials, driven by many workers, while others watch and read it.

    python -m benchmarks.reliability.load [--trials 5000] [--begin-with N] [--workers 8] [--checkout DIR] [--out FILE]

Workers are real processes that train real networks, for one epoch of three batches of the digits. Meanwhile a
`mnist-search dashboard` is asked what its page asks, every 10 s; `status --json` runs again 5 s after each answer; and
a process of Optuna's own reads all trials every 5 s. What the dispatcher costs is taken from the kernel's count of its
processor time, each hundred trials. With --begin-with there are N made-up trials before the first real one, of which a
part is past the gate: so the 5,000th trial's cost can be had without the hours of those before. "locked" is counted in
all that any of them says. Writes a JSON file, and prints the table.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks._made_trials import add_made_trials
from benchmarks._report import machine_line, markdown_table
from benchmarks.reliability._searches import PROGRAM, ROOT, SMALL, Checkout, Search
from benchmarks.reliability._stored import DATABASE, n_counted_twice, n_past_gate, n_running, stored
from search.space.space import Space
from search.study.settings import StudySettings
from search.study.study import create_study
from storage.store import Store

RUN = ["--epochs", "1", "--sustain", "1", *SMALL, "--set", "batch_size=512"]
SHOWN = (100, 1000, 2500, 5000)
_WINDOW = 100
_PAGE_SECONDS, _READ_SECONDS = 10.0, 5.0
_DONE = re.compile(r"(\d+)/\d+ trial |study \S+: (0) of ")
_OPTUNA = """
import sys, time, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
while True:
    try:
        study = optuna.load_study(study_name="digits", storage=sys.argv[1])
        while True:
            print(len(study.get_trials(deepcopy=False)), flush=True)
            time.sleep(float(sys.argv[2]))
    except KeyError:
        time.sleep(1)  # the study has not begun
    except Exception as error:
        print(f"failed: {error!r}", flush=True)
        time.sleep(1)
"""


class Dispatcher:
    """A search that runs, and what it had cost at each hundredth trial."""

    def __init__(self, search: Search) -> None:
        self.windows: list[dict[str, float]] = []
        self._folder = search.folder
        self._began = time.monotonic()
        # Lines are counted as they come: they go through a pipe, and into the file from here.
        self._process = search.start(said=subprocess.PIPE)  # type: ignore[arg-type]
        self._said = search.said

    def follow(self) -> int:
        """Reads what it says until it ends, and returns its exit code."""
        assert self._process.stderr is not None
        with self._said.open("wb") as file:
            for line in self._process.stderr:
                file.write(line)
                found = _DONE.match(line.decode(errors="replace"))
                if found is not None and (n := int(found[1] or found[2])) % _WINDOW == 0:
                    self._note(n)
        return self._process.wait()

    def _note(self, n_trials: int) -> None:
        files = self._folder.glob(f"{DATABASE}*")
        window = {
            "trials": n_trials,
            "wall_seconds": time.monotonic() - self._began,
            "cpu_seconds": _cpu_seconds(self._process.pid),
            "memory_bytes": _memory_bytes(self._process.pid),
            "database_bytes": sum(file.stat().st_size for file in files if not file.name.endswith("-shm")),
        }
        self.windows.append(window)
        print(json.dumps(window), flush=True)


class Watchers:
    """Everybody who looks at the study meanwhile, what they asked for, and what went wrong."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._url = f"sqlite:///{search.folder / DATABASE}"
        self._over = threading.Event()
        self.said: list[str] = []
        """All that any of them said that is no answer."""
        self.counts = {"page": 0, "status": 0, "optuna": 0, "failed": 0}
        self._longest: dict[str, float] = {}

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Lets them look as long as this lasts."""
        lives = [threading.Thread(target=life) for life in (self._page, self._status, self._optuna)]
        for life in lives:
            life.start()
        try:
            yield
        finally:
            self._over.set()
            for life in lives:
                life.join()

    @property
    def facts(self) -> dict[str, Any]:
        return {"asked": self.counts, "longest_answer_seconds": self._longest, "said": self.said[:20]}

    def _command(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        environment = self._search.checkout.environment()
        return subprocess.Popen(
            words, cwd=self._search.folder, env=environment, text=True, stdout=subprocess.PIPE, **options
        )

    def _page(self) -> None:
        """The dashboard, and a client that asks as its page does: for what it does not have, and what matters most."""
        with self._command(*PROGRAM, "dashboard", stderr=subprocess.STDOUT) as dashboard:
            try:
                assert dashboard.stdout is not None
                address = next(found[0] for line in dashboard.stdout if (found := re.search(r"http://[\d.:]+", line)))
                n_ended = n_trained = 0
                while not self._over.wait(_PAGE_SECONDS):
                    page = self._timed("page", lambda: _get(f"{address}/api/studies/1?after={n_ended}"))  # noqa: B023
                    if page is None:
                        continue
                    n_ended, n_new = _after(n_ended, page["trials"])
                    if n_new > 0:
                        n_trained += n_new
                        self._timed("page", lambda: _get(f"{address}/api/studies/1/param_importances"))
            finally:
                dashboard.terminate()
                self.said += dashboard.communicate()[0].splitlines()

    def _status(self) -> None:
        while not self._over.wait(_READ_SECONDS):
            self._timed("status", self._status_once)

    def _status_once(self) -> None:
        with self._command(*PROGRAM, "status", "--json", stderr=subprocess.PIPE) as status:
            out, err = status.communicate()
        if status.returncode == 0:
            json.loads(out)
        elif " yet: " not in err:  # there is no study
            raise RuntimeError(f"status ended with {status.returncode}: {err}")

    def _optuna(self) -> None:
        with self._command(
            sys.executable, "-c", _OPTUNA, self._url, str(_READ_SECONDS), stderr=subprocess.STDOUT
        ) as one:
            self._over.wait()
            one.terminate()
            for line in one.communicate()[0].splitlines():
                if line.isdigit():
                    self.counts["optuna"] += 1
                else:
                    self._failed(line)

    def _timed(self, name: str, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            answer = ask()
        except Exception as error:  # whatever it is: it is counted, and told
            self._failed(f"{name}: {error!r}")
            return None
        self.counts[name] += 1
        self._longest[name] = max(self._longest.get(name, 0.0), time.perf_counter() - began)
        return answer

    def _failed(self, what: str) -> None:
        self.counts["failed"] += 1
        self.said.append(what)


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url}: {error.code} {error.read()[:300]!r}") from None


def _after(n_ended: int, trials: list[dict[str, Any]]) -> tuple[int, int]:
    """How many trials the page has that change no more, and how many of those it was sent are trained."""
    ended = 0
    for trial in trials:
        if trial["state"] not in ("Complete", "Pruned", "Fail"):
            break
        ended += 1
    return n_ended + ended, sum(trial["state"] == "Complete" for trial in trials[:ended])


def _cpu_seconds(pid: int) -> float:
    """Processor seconds of a process so far, its threads' included and its children's not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int) -> int:
    """What is resident of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def begin(folder: Path, n_trials: int) -> None:
    """Makes the study that the search goes on with: of its settings, with so many made-up trials."""
    ranges = dict(word.split("=") for word in RUN if "=" in word)
    settings = StudySettings(
        "digits", max_params=2000, sustain=1, epochs=1, space=Space.of(ranges, max_params=2000).to_dict()
    )
    store = Store(f"sqlite:///{folder / DATABASE}")
    add_made_trials(create_study(store, "digits", settings), n_trials)
    store.close()


def table(windows: list[dict[str, float]]) -> str:
    """What a trial cost in the hundred before each of the numbers shown."""
    at = {int(window["trials"]): window for window in windows}
    rows = []
    for n in SHOWN:
        if n in at and n - _WINDOW in at:
            first = at[n - _WINDOW]
            cpu, wall = (1000 * (at[n][key] - first[key]) / _WINDOW for key in ("cpu_seconds", "wall_seconds"))
            sizes = (at[n]["memory_bytes"] / 2**20, at[n]["database_bytes"] / 2**20)
            rows.append((f"{n:,}", f"{cpu:.0f} ms", f"{wall:.0f} ms", f"{sizes[0]:,.0f} MiB", f"{sizes[1]:,.1f} MiB"))
    columns = ("at trial", "dispatcher's processor time a trial", "wall a trial", "dispatcher's memory", "database")
    return markdown_table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--begin-with", type=int, default=0, metavar="N", help="made-up trials that are there already")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--out", type=Path, default=Path("load.json"))
    options = parser.parse_args()
    folder = options.out.with_suffix(".study").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkout = Checkout(options.checkout.absolute(), folder.parent)
    words = ["--trials", str(options.trials), "--workers", str(options.workers), *RUN]
    search = Search(checkout, folder, words)
    if options.begin_with:
        begin(folder, options.begin_with)
    watchers, dispatcher = Watchers(search), Dispatcher(search)
    with watchers.at_work():
        code = dispatcher.follow()
    trials, said = stored(folder), [*search.said.read_text().splitlines(), *watchers.said]
    facts = {
        "on": machine_line(), "commit": checkout.commit, "code": code, "workers": options.workers,
        "made_up": options.begin_with,
        "past_gate": n_past_gate(trials), "trials": len(trials), "running": n_running(trials),
        "counted_twice": n_counted_twice(trials), "locked": sum("locked" in line.lower() for line in said),
        **watchers.facts, "windows": dispatcher.windows,
    }  # fmt: skip
    options.out.write_text(json.dumps(facts, indent=1) + "\n")
    print({name: fact for name, fact in facts.items() if name != "windows"})
    print(f"\n{table(dispatcher.windows)}")


if __name__ == "__main__":
    main()
