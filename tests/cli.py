"""Running the command line: in this process for speed, or as a user does, in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli.app import main

COMMAND = [sys.executable, "-c", "from search.cli import main; main()"]

QUICK = [
    "--dataset", "digits", "--epochs", "1", "--sustain", "1", "--max-params", "2000", "--set", "stem_depth=1",
    "--set", "body_depth=1", "--set", "stem_width=2:6", "--set", "body_width=2:6", "--set", "transition_width=2:4",
    "--set", "n_expansions=0", "--set", "batch_size=64",
]  # fmt: skip
"""Options of a run whose trainings take a blink."""


def call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    code = stop.value.code
    assert isinstance(code, int)
    return code, captured.out, captured.err


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process of its own: studies and data are looked for in `folder` alone."""
    root = str(Path(__file__).parent.parent)
    changed = {"PYTHONPATH": root, "XDG_CACHE_HOME": str(folder), "PYTHONWARNINGS": "error::FutureWarning"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MNIST_SEARCH_")}
    return {**kept, **changed}


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own, working in `folder`."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(arguments: list[str], folder: Path, timeout_seconds: float = 240) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in a process of its own."""
    process = start(arguments, folder)
    out, err = process.communicate(timeout=timeout_seconds)
    return process.returncode, out, err
