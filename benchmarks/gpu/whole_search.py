"""`mnist-search run --trials 200` as a user types it, with its database; and `verify` behind it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu.candidates import floor_of
from benchmarks.gpu.setting import Row, Setting

_NEEDED = ("optuna", "sqlalchemy", "alembic", "typer", "rich", "yaml")
_ROOT = Path(__file__).parents[2]


def whole_search(setting: Setting, data_dir: Path | None, keep: Path | None = None) -> list[Row]:
    """A row each, from the start of the process to its end. The study is left in the folder `keep`, if there is one."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return [Row("mnist-search run --trials 200", f"not run: {', '.join(missing)} not installed")]
    n, epochs, seeds = (4, 2, 2) if setting.is_trial else (200, 8, 10)
    with tempfile.TemporaryDirectory() if keep is None else nullcontext(_made(keep)) as folder:
        common = ["--storage", f"sqlite:///{folder}/study.db", "--json"]
        data = ["--data-dir", str(data_dir), "--dataset", "mnist"] if data_dir else ["--dataset", "digits"]
        on = ["--device", setting.device.partition(":")[0]]
        run = ["run", "--trials", str(n), "--epochs", str(epochs), *data, *on, *common]
        seconds, done = _timed(run, folder, setting)
        if done.returncode:
            return [_failed("mnist-search run", done.stderr)]
        facts = json.loads(done.stdout)
        counts = ", ".join(f"{facts[key]} {key}" for key in ("trained", "pruned", "diverged", "failed", "rejected"))
        best = facts["best"] or {}
        floor = floor_of(facts["epochs_trained"], setting)
        accuracy, n_params = 100 * best.get("sustained_accuracy", 0.0), best.get("params")
        text = f"{seconds:.0f} s: {counts}; best {accuracy:.2f} %, {n_params} parameters"
        rows = [Row(f"mnist-search run --trials {n} --epochs {epochs}", text, "under 300 s", seconds < 300, floor)]
        verify = ["verify", "best", "--seeds", str(seeds), *(data[:2] if data_dir else []), *on, *common]
        seconds, done = _timed(verify, folder, setting)
        if done.returncode:
            return [*rows, _failed("mnist-search verify", done.stderr)]
        return [*rows, Row(f"mnist-search verify best --seeds {seeds}", f"{seconds:.0f} s", "under 30 s", seconds < 30)]


def _made(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder.resolve())


def _timed(arguments: list[str], folder: str, setting: Setting) -> tuple[float, subprocess.CompletedProcess[str]]:
    start = time.perf_counter()
    command = [sys.executable, "-c", "from search.cli import main; raise SystemExit(main())", *arguments]
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # what is missing there may have been brought
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    limit = max(60.0, setting.seconds_left)
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, 124, "", f"stopped after {limit:.0f} s")
    return time.perf_counter() - start, done


def _failed(what: str, said: str) -> Row:
    last = (said.strip().splitlines() or ["nothing was said"])[-1]
    return Row(what, f"failed: {last}", "exit code 0", is_met=False, is_check=True)
