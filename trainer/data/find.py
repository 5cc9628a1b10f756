"""Which images are used: what is at hand, what can be fetched, and the embedded digits."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import MnistSearchError
from trainer.data.digits import load_digits
from trainer.data.images import IDX_DATASETS, Dataset, has_idx_dataset, load_idx_dataset
from trainer.data.names import DIGITS
from trainer.hardware.machine import cache_folder

AUTO = "auto"
DATASETS = (AUTO, *IDX_DATASETS, DIGITS)
DATA_VARIABLE = "MNIST_SEARCH_DATA"
_CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Found:
    """A dataset, and one line for the user on where it came from."""

    dataset: Dataset
    notice: str


def data_folder(option: Path | None) -> Path:
    """The folder of the datasets: the option, else MNIST_SEARCH_DATA, else the user's cache folder."""
    if option is not None:
        return option
    if os.environ.get(DATA_VARIABLE):
        return Path(os.environ[DATA_VARIABLE])
    return cache_folder() / "data"


def find_dataset(name: str, folder: Path) -> Found:
    """The dataset of this name. `auto` is MNIST where it is or can be had, and otherwise the embedded digits.

    Raises MnistSearchError for an unknown name, damaged files, or a dataset that is not to be had.
    """
    if name not in DATASETS:
        raise MnistSearchError(f"unknown dataset {name!r}: use {', '.join(DATASETS[:-1])} or {DATASETS[-1]}")
    if name == DIGITS:
        return Found(load_digits(), "the embedded digits (1,797 scans)")
    wanted = "mnist" if name == AUTO else name
    problem = None if has_idx_dataset(wanted, folder) else fetch(wanted, folder)
    if problem is None:
        return Found(load_idx_dataset(wanted, folder), f"{wanted} in {folder}")
    if name == AUTO:
        return Found(
            load_digits(),
            f"the embedded digits (1,797 scans): mnist is not in {folder} and could not be fetched ({problem})",
        )
    raise MnistSearchError(
        f"{wanted} is not in {folder} and could not be fetched ({problem}): put its four IDX files in "
        f"{folder / IDX_DATASETS[wanted] / 'raw'}, or name their folder with --data-dir or {DATA_VARIABLE}"
    )


def dataset_at_hand(name: str, folder: Path) -> Dataset | None:
    """The dataset of this name if it is here; nothing is fetched. Raises MnistSearchError for damaged files."""
    if name in IDX_DATASETS and not has_idx_dataset(name, folder):
        return None
    return find_dataset(name, folder).dataset


def fetch(name: str, folder: Path) -> str | None:
    """Fetches a dataset from torchvision's mirrors, md5 checked; returns None, or why it could not, in one line."""
    from torchvision import datasets

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as partial, _patient_and_quiet():
            getattr(datasets, IDX_DATASETS[name])(partial, train=True, download=True)
            target = folder / IDX_DATASETS[name] / "raw"
            target.mkdir(parents=True, exist_ok=True)
            for path in (Path(partial) / IDX_DATASETS[name] / "raw").iterdir():
                os.replace(path, target / path.name)
    except (OSError, RuntimeError) as error:
        # torchvision lists what each mirror answered; the last answer says enough.
        return " ".join(str(error).rpartition("got:")[2].split()).strip("<>")
    return None


@contextlib.contextmanager
def _patient_and_quiet() -> Iterator[None]:
    """Limits how long a mirror may be silent, and keeps torchvision's own lines out of the results."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_CONNECT_SECONDS)
    try:
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            yield
    finally:
        socket.setdefaulttimeout(before)
