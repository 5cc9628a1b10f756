"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_search.arguments import STORAGE_DEFAULT as STORAGE_DEFAULT
from search.cli import completion
from search.cli.completion import one_of


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

ANSWER = "answer"
"""WHAT unless it is given: `search/verification/answer.py`."""


def storage_said(url: str) -> str | None:
    """What a command must say with `--storage` to mean this one; None where it may be left out."""
    return None if url == os.environ.get("MNIST_SEARCH_STORAGE", STORAGE_DEFAULT) else url
