"""What the dashboard costs: whoever waits for its page, and the search that runs beside it.

    python -m benchmarks.dashboard [--trials 200 5000] [--seconds 120]

Studies of made-up trials are opened in a browser as a user does: the server is started, and the page opened as soon as
it listens; beside it the same by optuna-dashboard alone. Then a real search on the digits runs with `--dashboard`, and
its page stays open. Writes `benchmarks/results/dashboard.md`. Needs Chromium.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from selenium import webdriver

from benchmarks._browser import open_browser, set_size
from benchmarks._report import machine_line, markdown_table
from benchmarks.large_study import make

RESULTS = Path(__file__).parent / "results" / "dashboard.md"
_OURS = "from search.cli import main; main()"
_ALONE = "import sys; from optuna_dashboard import run_server; run_server(sys.argv[1], port=int(sys.argv[2]))"
_PROMPT_SECONDS = 0.2
_PROMPT_ANSWERS = 5
_WATCHED_SECONDS = 60.0
_MOST_SECONDS = 180.0
_SHOWN = "return document.body.innerText.includes('Best Trial (number=')"


def pages(command: Sequence[str], url: str) -> tuple[str, str, str, str, str]:
    """Until the server listens, until its page shows the study and answers, and the same when it is opened again.

    Between the two the longest pause of the page, and the work of the server: those of a minute in which the page asks
    again every 10 s. A page answers once five questions to it in a row took less than .2 s each.
    """
    began = time.perf_counter()
    with _process(command) as process, open_browser() as browser:
        set_size(browser, 1400, 1000)
        _wait(lambda: _listens(url))
        listening = time.perf_counter() - began
        shown = _open_seconds(browser, url)
        worked, ended, longest = _work_seconds(process.pid), time.perf_counter() + _WATCHED_SECONDS, 0.0
        while time.perf_counter() < ended:
            longest = max(longest, _answer_seconds(browser))
            time.sleep(0.05)
        share = (_work_seconds(process.pid) - worked) / _WATCHED_SECONDS
        again = _open_seconds(browser, url)
    return f"{listening:.1f} s", f"{shown:.1f} s", f"{again:.1f} s", f"{longest:.1f} s", f"{100 * share:.1f} %"


def _open_seconds(browser: webdriver.Chrome, url: str) -> float:
    opened = time.perf_counter()
    browser.get(url)
    _wait(lambda: bool(browser.execute_script(_SHOWN)))
    _wait(lambda: all(_answer_seconds(browser) < _PROMPT_SECONDS for _ in range(_PROMPT_ANSWERS)))
    return time.perf_counter() - opened


def beside_a_search(seconds: float) -> tuple[str, str, str]:
    """Processor seconds of a dashboard until it is up, and then its share of one core while its page is open.

    Last the trials that the search got done meanwhile.
    """
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        words = ["run", "--dashboard", "--dataset", "digits", "--trials", "1000", "--timeout", str(seconds)]
        process = subprocess.Popen(
            [sys.executable, "-c", _OURS, *words], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        url = next(found[1] for line in process.stderr if (found := re.match(r"dashboard: (\S+)", line)))
        [beside] = [pid for pid in _children(process.pid) if os.getpriority(os.PRIO_PROCESS, pid) > 0]
        start = worked = _work_seconds(beside)
        set_size(browser, 1400, 1000)
        browser.get(url)
        began = time.perf_counter()
        while process.poll() is None and time.perf_counter() - began < seconds - 10:
            worked = _work_seconds(beside)
            time.sleep(1)
        share = (worked - start) / (time.perf_counter() - began)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    n_trials = re.search(r"trials +(\d+) past the gate", out)
    return f"{start:.1f} s", f"{100 * share:.2f} %", n_trials[1] if n_trials else "-"


@contextlib.contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + _MOST_SECONDS
    while not holds():
        if time.perf_counter() > deadline:
            raise SystemExit(f"nothing after {_MOST_SECONDS:.0f} s")
        time.sleep(0.05)


def _listens(url: str) -> bool:
    found = re.match(r"http://([^:/]+):(\d+)", url)
    assert found is not None
    with contextlib.suppress(OSError), socket.create_connection((found[1], int(found[2])), timeout=1):
        return True
    return False


def _answer_seconds(browser: webdriver.Chrome) -> float:
    """How long the page lets a question wait: it answers none while it draws."""
    began = time.perf_counter()
    browser.execute_script("return 1")
    return time.perf_counter() - began


def _work_seconds(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 5000])
    parser.add_argument("--seconds", type=float, default=120.0, help="of the search")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in options.trials:
            database = make(Path(folder), n)
            for name in ("mnist-search dashboard", "optuna-dashboard"):
                port = _free_port()
                ours = [_OURS, "dashboard", "--port", str(port), "--storage", database]
                words = ours if name.startswith("mnist") else [_ALONE, database, str(port)]
                url = f"http://127.0.0.1:{port}/dashboard/studies/1"
                rows.append((f"{n:,} trials, {name}", *pages([sys.executable, "-c", *words], url)))
                print(*rows[-1], sep=" | ", flush=True)
    columns = ("", "listens after", "page shows the study and answers after", "opened again",
               "longest pause of the page later", "the server's work while it is open, of a core")  # fmt: skip
    beside = beside_a_search(options.seconds)
    text = (
        f"# What the dashboard costs\n\n{machine_line()}.\n"
        f"`python -m benchmarks.dashboard --trials {' '.join(map(str, options.trials))} "
        f"--seconds {options.seconds:g}`\n\nIn a browser on the same machine, the page opened as soon as the server "
        f"listens.\n\n{markdown_table(columns, rows)}\n"
        f"Beside a search on the digits, its page open all the time ({beside[2]} candidates in "
        f"{options.seconds:.0f} s): {beside[0]} of a core until it was up, then {beside[1]} of one of "
        f"{os.cpu_count()} cores.\n"
    )
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
