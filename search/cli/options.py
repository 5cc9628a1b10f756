"""Options that several commands share."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import completion
from search.cli.completion import one_of

if TYPE_CHECKING:
    from search.engines.places import Place


def choice(name: str, values: tuple[str, ...], help: str) -> Any:
    """An option that takes one of these values, which its help and the completion of shells list."""
    return typer.Option(name, metavar=f"[{'|'.join(values)}]", autocompletion=one_of(values), help=help)


Storage = Annotated[
    str,
    typer.Option("--storage", envvar="MNIST_SEARCH_STORAGE", metavar="URL", help="Database of the studies."),
]
Artifacts = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        envvar="MNIST_SEARCH_ARTIFACTS",
        metavar="URL",
        help="Where files are kept, for the whole database: a folder, or s3://BUCKET/PREFIX. Default: beside it.",
    ),
]


def study_option(help_text: str) -> Any:
    """Return the option `--study`, which takes any name but an empty one: that of a variable that was never set."""
    return typer.Option("--study", metavar="NAME", callback=_require_name, help=help_text)


def _require_name(name: str | None) -> str | None:
    from models.errors import MnistSearchError

    if name is not None and not name.strip():
        raise MnistSearchError(f"--study {name!r} names no study: write its name, or leave the option out")
    return name


Study = Annotated[str | None, study_option("Name of the study. Default: the only one there is.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Folder of the images: IDX files, in it or in its MNIST/raw. "
        "Default: MNIST_SEARCH_DATA, or the user's cache folder.",
    ),
]
DatasetName = Annotated[
    str | None,
    choice("--dataset", completion.DATASETS, "Images. Default: the study's, or auto (mnist, else digits)."),
]
Device = Annotated[str, choice("--device", completion.DEVICES, "Where to train.")]
Precision = Annotated[
    str, choice("--precision", completion.PRECISIONS, "Number format. auto takes the fastest on this machine.")
]
Workers = Annotated[
    str,
    typer.Option("--workers", metavar="[auto|N]", help="Worker processes. auto starts one for each core or GPU."),
]
Slots = Annotated[
    str,
    typer.Option(
        "--slots", metavar="[auto|N]", help="Trainings at once in each worker. auto: 1 on a CPU, measured on a GPU."
    ),
]
Engine = Annotated[
    str, choice("--engine", completion.ENGINES, "What runs the workers: this machine, or a Ray cluster.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="Where the Ray cluster is: host:port, or auto. Default: one is started, on this machine alone.",
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        metavar="SHARE",
        help="What Ray gives each worker of a GPU, from 0 to 1. Default: 1, or 0 with --device cpu.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        autocompletion=completion.candidates,
        help="Which candidate: answer, best, smallest, a trial number, a preset or a spec file. Default: the answer.",
    ),
]

MAX_SLOTS = 256
MAX_WORKERS = 1_024
_DIGITS = 10
_NUMBER = r"([0-9]+(?:\.[0-9]*)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*d)?\s*(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s)?")
"""Days, hours, minutes and seconds, as people write them and as `seconds_text` prints them."""
_UNIT_SECONDS = (86_400, 3_600, 60, 1)
STORAGE_DEFAULT = "sqlite:///mnist-search.db"
ANSWER = "answer"
"""WHAT unless it is given: `search/verification/answer.py`."""


def storage_said(url: str) -> str | None:
    """What a command must say with `--storage` to mean this one; None where it may be left out."""
    return None if url == os.environ.get("MNIST_SEARCH_STORAGE", STORAGE_DEFAULT) else url


def n_workers(text: str) -> int | None:
    """The number of `--workers`; None is auto. Raises MnistSearchError for what is no such number."""
    from models.errors import MnistSearchError

    if text == "auto":
        return None
    n = _number(text)
    if n < 1:
        raise MnistSearchError(f"--workers {text}: use auto, or a number of at least 1")
    if n > MAX_WORKERS:
        raise MnistSearchError(f"--workers {text}: a machine runs {MAX_WORKERS:,} at most")
    return n


def n_slots(text: str) -> int | None:
    """The number of `--slots`; None is auto. Raises MnistSearchError for what is no such number."""
    from models.errors import MnistSearchError

    if text == "auto":
        return None
    n = _number(text)
    if not 1 <= n <= MAX_SLOTS:
        raise MnistSearchError(f"--slots {text}: use auto, or a number from 1 to {MAX_SLOTS}")
    return n


def place(
    engine: str, device: str, n_workers: int | None, ray_address: str | None, gpus_per_worker: float | None
) -> "Place":
    """Where `--engine` and the options that go with it say that workers run; a Ray cluster is connected to.

    Raises MnistSearchError for what cannot be, or is not there.
    """
    from models.errors import MnistSearchError
    from search.engines.places import here, on_ray

    if engine not in completion.ENGINES:
        raise MnistSearchError(f"unknown engine {engine!r}: use {' or '.join(completion.ENGINES)}")
    if engine == "ray":
        return on_ray(device, n_workers, ray_address, gpus_per_worker)
    for name, value in (("--ray-address", ray_address), ("--gpus-per-worker", gpus_per_worker)):
        if value is not None:
            raise MnistSearchError(f"{name} is for --engine ray: add that, or leave it out")
    return here(device, n_workers)


def seconds(name: str, text: str) -> float:
    """The seconds of a duration such as `90`, `90s`, `20m`, `1h30m` or `1.5h`; `name` is the option's.

    Raises MnistSearchError for a text that is no duration.
    """
    from models.errors import MnistSearchError

    try:
        return float(text)
    except ValueError:
        match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise MnistSearchError(f"{name} {text}: write a duration, such as 90s, 20m, 1h30m, or a number of seconds")
    return sum(float(number) * unit for number, unit in zip(match.groups(), _UNIT_SECONDS, strict=True) if number)


def _number(text: str) -> int:
    """A whole number as it was typed; 0 of what is none, and of more digits than matter the first ones."""
    return int(text[:_DIGITS]) if text.isdecimal() else 0
