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
from trainer.data.images import Dataset, has_idx_dataset, load_idx_dataset
from trainer.data.layouts import IDX_DATASETS, IdxFiles, find_idx_files, images_in, listed, torchvision_folder
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
    return _kept_folder()


def find_dataset(name: str, folder: Path) -> Found:
    """The dataset of this name. `auto` is MNIST where it is or can be had, and otherwise the embedded digits.

    Raises MnistSearchError for an unknown name, damaged files, or a dataset that is not to be had; and for `auto` if
    the user named a folder that holds other images.
    """
    if name not in DATASETS:
        raise MnistSearchError(f"unknown dataset {name!r}: use {', '.join(DATASETS[:-1])} or {DATASETS[-1]}")
    if name == DIGITS:
        unused = f"; the images in {folder} are not used" if _others(folder) else ""
        return Found(load_digits(), f"the embedded digits (1,797 scans){unused}")
    wanted = _wanted(name)
    files = find_idx_files(wanted, folder)
    if files.missing:
        _refuse_other_images(name, files, folder)
        problem = fetch(wanted, folder)
        if problem is not None:
            return _instead(name, files, folder, problem)
    return Found(load_idx_dataset(wanted, folder), f"{wanted} in {folder}")


def _refuse_other_images(name: str, files: IdxFiles, folder: Path) -> None:
    """Raises MnistSearchError where the user's own images would be passed over for what is fetched, or for the digits.

    Files in torchvision's folder may be left from a fetch: the next one makes them whole.
    """
    if files.found and files.place != torchvision_folder(_wanted(name), folder):
        raise MnistSearchError(f"{files.text}: put these beside them, gzipped or not")
    if name == AUTO and not files.found and (names := _others(folder)):
        raise MnistSearchError(
            f"{folder} holds {listed(names)}, but not the IDX files of mnist ({listed(files.missing)}): put those "
            f"there, or choose with --dataset: mnist is fetched, {DIGITS} need no files"
        )


def _instead(name: str, files: IdxFiles, folder: Path, problem: str) -> Found:
    """The digits, in place of what could not be fetched. Raises MnistSearchError where they would not do."""
    wanted, target = _wanted(name), torchvision_folder(_wanted(name), folder)
    if files.found:
        reason, advice = (
            f"{files.text}, which could not be fetched ({problem})",
            "put these beside them, gzipped or not",
        )
    else:
        held = f", which holds {listed(names)}," if (names := _others(folder)) else ""
        reason = f"{wanted} is not in {folder}{held} and could not be fetched ({problem})"
        advice = f"put its four IDX files in {target}, or name their folder with --data-dir or {DATA_VARIABLE}"
    if name == AUTO and not (files.found and _is_named(folder)):
        return Found(load_digits(), f"the embedded digits (1,797 scans): {reason}")
    raise MnistSearchError(f"{reason}: {advice}")


def _wanted(name: str) -> str:
    return "mnist" if name == AUTO else name


def _others(folder: Path) -> list[str]:
    """The files of a folder that the user named which may hold images."""
    return images_in(folder) if _is_named(folder) else []


def _kept_folder() -> Path:
    """Where datasets are fetched to, if the user names no folder."""
    return cache_folder() / "data"


def _is_named(folder: Path) -> bool:
    return folder != _kept_folder()


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
            target = torchvision_folder(name, folder)
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
