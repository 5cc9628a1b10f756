"""Pictures of what a user sees, for the documents: dashboard, report, and a search on a terminal, all of one study.

    python -m benchmarks.screenshots --storage sqlite:///FILE.db --study NAME --trial N --out docs/images

The study's folder is copied first; the search on the terminal goes on in the copy. Needs Chromium.
"""

import argparse
import base64
import contextlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from io import BytesIO, StringIO
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text
from selenium import webdriver

from benchmarks._browser import open_browser, set_size
from search.dashboard.access import Access
from search.dashboard.opening import Dashboard
from search.report.page import write_report
from search.study.study import open_study
from storage.store import Store

_DRAWN_SECONDS = 6.0
_SEARCH_SECONDS = 170.0
_ERASE = "\x1b[2K"
"""What rich begins each redrawn line of a live view with."""
_COLOURS = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", required=True, metavar="sqlite:///FILE.db")
    parser.add_argument("--study", required=True)
    parser.add_argument("--trial", type=int, required=True, help="the trial whose page is shown")
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_browser("--hide-scrollbars") as browser:
        url = _copied(options.storage, Path(folder))
        _dashboard(browser, url, options.study, options.trial, options.out)
        _report(browser, url, options.study, options.data_dir, Path(folder), options.out)
        _terminal(browser, url, options.study, Path(folder), options.out)


def _copied(storage: str, folder: Path) -> str:
    database = Path(storage.removeprefix("sqlite:///")).absolute()
    for source in database.parent.glob("mnist-search-artifacts"):
        shutil.copytree(source, folder / source.name)
    for source in database.parent.glob(f"{database.name}*"):
        shutil.copy(source, folder)
    return f"sqlite:///{folder / database.name}"


def _take(browser: webdriver.Chrome, url: str, size: tuple[int, int], out: Path, seconds: float) -> None:
    """A picture of a page in a window of this size; wider, if the page is."""
    width, height = size
    set_size(browser, width, height)
    browser.get(url)
    time.sleep(seconds)
    whole = max(width, browser.execute_script("return document.documentElement.scrollWidth"))
    clip = {"x": 0, "y": 0, "width": whole, "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    picture = Image.open(BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)
    print(f"{out}  {out.stat().st_size:,} bytes", flush=True)


def _dashboard(browser: webdriver.Chrome, url: str, study: str, trial: int, out: Path) -> None:
    dashboard = Dashboard(url, study, Access(read_only=True), port=0)
    thread = threading.Thread(target=dashboard.serve)
    thread.start()
    try:
        _take(browser, dashboard.url, (1280, 1960), out / "dashboard-study.png", _DRAWN_SECONDS)
        _take(browser, f"{dashboard.url}/note", (1280, 760), out / "dashboard-note.png", _DRAWN_SECONDS)
        of_trial = f"{dashboard.url}/trials?numbers={trial}"
        _take(browser, of_trial, (1280, 1340), out / "dashboard-trial.png", _DRAWN_SECONDS)
    finally:
        dashboard.stop()
        thread.join()


def _report(browser: webdriver.Chrome, url: str, study: str, data_dir: Path | None, folder: Path, out: Path) -> None:
    store = Store(url)
    write_report(open_study(store, study), data_dir, folder / "report.html")
    store.close()
    _take(browser, (folder / "report.html").as_uri(), (1100, 1500), out / "report.png", _DRAWN_SECONDS)


def _terminal(browser: webdriver.Chrome, url: str, study: str, folder: Path, out: Path) -> None:
    """The last view that a search drew on a terminal of 80 columns."""
    store = Store(url)
    n_done = open_study(store, study).n_past_gate()
    store.close()
    words = ["run", "--storage", url, "--study", study, "--trials", str(n_done + 20), "--timeout", str(_SEARCH_SECONDS)]
    text = _on_a_terminal([sys.executable, "-c", "from search.cli import main; main()", *words])
    views = [view for view in text.split(_ERASE) if "epoch" in view and " left" in view]
    console = Console(record=True, width=80, file=StringIO())
    console.print("$ mnist-search run --trials 100", style="bold")
    console.print(Text.from_ansi(views[-1].replace("\r", "").rstrip()))
    page = folder / "terminal.html"
    page.write_text(console.export_html(theme=MONOKAI, inline_styles=True))
    _take(browser, page.as_uri(), (760, 210), out / "terminal.png", 0.5)


def _on_a_terminal(command: list[str]) -> str:
    """What a command writes to a terminal of 80 columns and 24 lines."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # so a terminal says that nobody has it open any more
        while piece := os.read(ours, 65536):
            written += piece
    process.wait()
    return written.decode(errors="replace")


if __name__ == "__main__":
    main()
