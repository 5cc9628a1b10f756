"""Running the command line: in this process for speed, or as a user does, in one of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from models.presets import get_preset
from search.cli.app import main
from search.engines.opening import ENGINES
from tests.helpers.inline import InlineEngine
from trainer.fused.kernels import load_kernels
from trainer.hardware.machine import cache_folder
from trainer.training.precision import choose_precision

COMMAND = [sys.executable, "-c", "from mnist_search.__main__ import main; main()"]

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


def run_here(arguments: list[str], folder: Path) -> None:
    """A search in this process, which leaves its study in `folder`; fixtures of a wider scope than a test use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr("trainer.training.precision._MEASURING_SECONDS", 0.05)
        patch.setitem(ENGINES, "local", lambda data, _devices, _dtype, _slots: InlineEngine(data))
        share_kernels(folder)
        with pytest.raises(SystemExit) as stop:
            main(arguments)
    assert stop.value.code == 0


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process of its own: studies and data are looked for in `folder` alone.

    What the program works out once for a machine is put there, or every test would wait for it again.
    """
    kept_folder = folder / cache_folder().name
    for name, content in _worked_out().items():
        kept_folder.mkdir(exist_ok=True, mode=0o700)
        if not (kept_folder / name).exists():  # never written over: this process may have loaded that very file
            (kept_folder / name).write_bytes(content)
    root = str(Path(__file__).parents[2])
    changed = {"PYTHONPATH": root, "XDG_CACHE_HOME": str(folder), "PYTHONWARNINGS": "error::FutureWarning"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MNIST_SEARCH_")}
    return {**kept, **changed}


@cache
def _worked_out() -> dict[str, bytes]:
    """The kernels, and the number format of a search, as files of the cache folder."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", folder)
        patch.setattr("trainer.training.precision._MEASURING_SECONDS", 0.05)
        choose_precision("auto", "cpu", get_preset("a-step5").candidate)
        share_kernels(Path(folder))
        return {file.name: file.read_bytes() for file in cache_folder().iterdir()}


def share_kernels(folder: Path) -> None:
    """Puts the kernels where a process looks whose cache lies in `folder`: compiling them takes seconds."""
    kernels = load_kernels()
    place = folder / cache_folder().name
    if kernels is not None and not (place / Path(kernels._name).name).exists():
        place.mkdir(exist_ok=True, mode=0o700)
        shutil.copy(kernels._name, place)


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
