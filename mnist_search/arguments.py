"""Arguments that functions of the API share, as the options of the command line give them."""

import multiprocessing
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from models.errors import MnistSearchError

if TYPE_CHECKING:
    from search.dispatch.dispatcher import Limits
    from search.engines.places import Place

STORAGE_DEFAULT = "sqlite:///mnist-search.db"
_MAX_SLOTS = 256
_MAX_WORKERS = 1_024
_DIGITS = 10
_NUMBER = r"([0-9]+(?:\.[0-9]*)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*d)?\s*(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s)?")
"""Days, hours, minutes and seconds, as people write them and as `seconds_text` prints them."""
_UNIT_SECONDS = (86_400, 3_600, 60, 1)


def storage_url(storage: str | None) -> str:
    """Return the URL of the database: as given, else MNIST_SEARCH_STORAGE, else a file in the working folder."""
    return storage or os.environ.get("MNIST_SEARCH_STORAGE") or STORAGE_DEFAULT


def worker_count(workers: int | str) -> int | None:
    """Return the number of `--workers`; None is auto. Raise MnistSearchError if it is not such a number."""
    if workers == "auto":
        return None
    n = _number(str(workers))
    if n < 1:
        raise MnistSearchError(f"--workers {workers}: use auto, or a number of at least 1")
    if n > _MAX_WORKERS:
        raise MnistSearchError(f"--workers {workers}: a machine runs {_MAX_WORKERS:,} at most")
    return n


def slot_count(slots: int | str) -> int | None:
    """Return the number of `--slots`; None is auto. Raise MnistSearchError if it is not such a number."""
    if slots == "auto":
        return None
    n = _number(str(slots))
    if not 1 <= n <= _MAX_SLOTS:
        raise MnistSearchError(f"--slots {slots}: use auto, or a number from 1 to {_MAX_SLOTS}")
    return n


def find_place(
    engine: str, device: str, n_workers: int | None, ray_address: str | None, gpus_per_worker: float | None
) -> "Place":
    """Return where workers run. Connects to the Ray cluster, if that is asked for.

    Raises:
        MnistSearchError: Options contradict each other, or the device or cluster is not available.
    """
    from search.engines.opening import ENGINES
    from search.engines.places import here, on_ray

    if engine not in ENGINES:
        raise MnistSearchError(f"unknown engine {engine!r}: use {' or '.join(ENGINES)}")
    if engine == "ray":
        return on_ray(device, n_workers, ray_address, gpus_per_worker)
    for name, value in (("--ray-address", ray_address), ("--gpus-per-worker", gpus_per_worker)):
        if value is not None:
            raise MnistSearchError(f"{name} is for --engine ray: add that, or leave it out")
    return here(device, n_workers)


def search_limits(
    trials: int, timeout: float | str | None, patience: float | str | None, stop_at_target: bool
) -> "Limits":
    """Return when a search ends. Raise MnistSearchError for a limit that is not possible."""
    from search.dispatch.dispatcher import Limits
    from storage.patience import PATIENCE_SECONDS

    if trials < 1:
        raise MnistSearchError(f"--trials {trials}: search for at least 1 candidate")
    timeout_seconds = None if timeout is None else seconds("--timeout", timeout)
    if timeout_seconds is not None and not timeout_seconds > 0:
        raise MnistSearchError(f"--timeout {timeout}: give a time above 0")
    patience_seconds = PATIENCE_SECONDS if patience is None else seconds("--patience", patience)
    if not 0 <= patience_seconds < float("inf"):
        raise MnistSearchError(f"--patience {patience}: give a time of 0 or more")
    return Limits(trials, timeout_seconds, stop_at_target, patience_seconds)


def seconds(name: str, duration: float | str) -> float:
    """Return the seconds of a duration such as `90`, `90s`, `20m`, `1h30m` or `1.5h`; `name` is the option's.

    Raises:
        MnistSearchError: The text is not a duration.
    """
    try:
        return float(duration)
    except ValueError:
        match = _DURATION.fullmatch(str(duration).strip().lower())
    if match is None or not any(match.groups()):
        raise MnistSearchError(f"{name} {duration}: write a duration, such as 90s, 20m, 1h30m, or a number of seconds")
    return sum(float(number) * unit for number, unit in zip(match.groups(), _UNIT_SECONDS, strict=True) if number)


def range_texts(ranges: Mapping[str, object] | Sequence[str] | None) -> tuple[str, ...]:
    """Return ranges as the texts NAME=RANGE of `--set`; a list of values is a choice among them."""
    if not isinstance(ranges, Mapping):
        return tuple(ranges or ())
    return tuple(f"{name}={_range_text(value)}" for name, value in ranges.items())


def refuse_starting_process(name: str) -> None:
    """Raise MnistSearchError in a process that is being started and imports the user's script to do so.

    A script without `if __name__ == "__main__":` would otherwise begin its search again in each process that it starts.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise MnistSearchError(
            f"{name}() was called while a process of this script starts, which imports the script again: "
            'put the call below `if __name__ == "__main__":`'
        )


def _range_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _number(text: str) -> int:
    """Return a whole number as it was typed: 0 if it is none, and the first digits if there are more than matter."""
    return int(text[:_DIGITS]) if text.isdecimal() else 0
