"""Runs `run_files.py` in a clean process, and returns what it found."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from models.errors import WorkFailedError

_TIMEOUT_SECONDS = 600


class FileFailedError(WorkFailedError):
    """A model file that could not be run, in one line."""

    keeps_what_is_done = False


@dataclass(frozen=True)
class FileRun:
    """What a model file came to on images."""

    logits: np.ndarray
    """(N, 10) float32."""
    run_by: str
    """The packages that ran it, with their versions."""
    latency_seconds: float | None = None
    """Of one image, on one thread; None if it was not timed."""
    images_per_second: float | None = None
    """In batches of 1,000, on one thread."""


def run_files(kinds: Sequence[tuple[str, Path]], images: np.ndarray, seconds: float = 0.0) -> list[FileRun]:
    """Runs model files, each with its kind as in `run_files.py`, on images (N, 28, 28) uint8, in one clean process.

    Each is timed if `seconds` is not 0, for so long alone and for so long in batches. Raises FileFailedError if one
    cannot be read or run.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "images.npy", Path(folder) / "logits.npz"
        _save(given, images)
        words = [f"{kind}={path}" for kind, path in kinds]
        facts = json.loads(_run([str(given), str(out), "--seconds", str(seconds), *words]))
        with np.load(out) as logits:
            return [FileRun(logits[str(i)], **of) for i, of in enumerate(facts)]


def _save(path: Path, images: np.ndarray) -> None:
    try:
        np.save(path, images)
    except OSError as error:  # numpy's own has no number and no reason
        raise FileFailedError(
            f"the temporary folder {tempfile.gettempdir()} cannot take {images.nbytes:,} bytes "
            f"({error.strerror or error}): make room in it, or name another with TMPDIR"
        ) from None


def _run(words: Sequence[str]) -> str:
    with as_file(files("trainer.alone") / "run_files.py") as script:
        # -P: the folder of the script is not looked into. PYTHONPATH is, since torch may be there; the script itself
        # sees to it that no module of ours came along.
        command = [sys.executable, "-P", "-W", "ignore", str(script), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise FileFailedError(f"{_paths(words)} took more than {_TIMEOUT_SECONDS} s to run") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise FileFailedError(f"{_paths(words)} cannot be run: {lines[-1]}")
    return done.stdout


def _paths(words: Sequence[str]) -> str:
    return ", ".join(word.partition("=")[2] for word in words if "=" in word)
