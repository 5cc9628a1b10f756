"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from search.cli import completion
from search.cli.completion import one_of

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
Study = Annotated[
    str | None,
    typer.Option("--study", metavar="NAME", help="Name of the study. Default: the only one there is."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Folder of the images, in torchvision's layout. Default: MNIST_SEARCH_DATA, or the user's cache folder.",
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        autocompletion=one_of(completion.DATASETS),
        help="auto, mnist, fashion-mnist, kmnist or digits. Default: the study's, or auto (mnist, else digits).",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        autocompletion=one_of(completion.DEVICES),
        help="Where to train: auto, cpu, cuda or mps.",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        autocompletion=one_of(completion.PRECISIONS),
        help="Number format: auto (the fastest here), float32 or bfloat16.",
    ),
]
Workers = Annotated[
    str, typer.Option("--workers", help="Worker processes: a number, or auto (one for each core or GPU).")
]
Slots = Annotated[
    str,
    typer.Option(
        "--slots", help="Trainings at once in each worker: a number, or auto (1 on a CPU, measured on a GPU)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        autocompletion=completion.candidates,
        help="Which candidate: best, smallest, a trial number, a preset or a spec file.",
    ),
]

MAX_SLOTS = 256
MAX_WORKERS = 1_024
_DIGITS = 10
STORAGE_DEFAULT = "sqlite:///mnist-search.db"


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


def _number(text: str) -> int:
    """A whole number as it was typed; 0 of what is none, and of more digits than matter the first ones."""
    return int(text[:_DIGITS]) if text.isdecimal() else 0
