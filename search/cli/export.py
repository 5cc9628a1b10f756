"""`mnist-search export`: a trained network as a bundle of files, and a bundle checked."""

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options

EXAMPLE = "Example: mnist-search export --out model"
DEFAULT_OUT = Path("mnist-search-export")

NoInt8 = Annotated[bool, typer.Option("--no-int8", help="Leave out what is in int8.")]


def command(
    what: options.What = options.ANSWER,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the bundle.")] = DEFAULT_OUT,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=1, metavar="N", help="Which seed of its verification. Default: the median one."),
    ] = None,
    no_int8: NoInt8 = False,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="DIR",
            help="Check a bundle instead. This runs what is in it: only one that you would run.",
        ),
    ] = None,
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Write a trained network as files for torch, ONNX and C. Each is run, by itself, over the test images."""
    given = {name: value for name, value in locals().items() if name not in ("check", "json")}
    if check is not None:
        _refuse_beside_check(what, seed, no_int8)
        _check(check, data_dir, json)
        return
    from mnist_search import export
    from search.cli.bundle_lines import print_bundle
    from search.cli.terminal import Terminal

    print_bundle(export(**given, watcher=Terminal()), out, json)


def _refuse_beside_check(what: str, seed: int | None, no_int8: bool) -> None:
    from models.errors import MnistSearchError

    if what != options.ANSWER or seed is not None or no_int8:
        raise MnistSearchError("--check DIR checks a bundle that is there: leave out WHAT, --seed and --no-int8")


def _check(folder: Path, data_dir: Path | None, as_json: bool) -> None:
    from search.cli.bundle_lines import print_checked
    from trainer.bundle.check import check_bundle
    from trainer.data.find import data_folder, dataset_at_hand
    from trainer.data.images import Images

    def find_test(name: str) -> Images | None:
        found = dataset_at_hand(name, data_folder(data_dir))
        return None if found is None else found.test

    print_checked(check_bundle(folder, find_test), folder, as_json)
