"""`mnist-search export`: the frozen model file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.measures.words import bytes_text, percent

if TYPE_CHECKING:
    from trainer.bundle.export import Exported

EXAMPLE = "Example: mnist-search export best --out model"


def command(
    what: options.What = "best",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.")] = Path(
        "mnist-search-export"
    ),
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Write a trained candidate as one file that needs only torch. It is read back and checked on the test images."""
    from models.errors import MnistSearchError
    from search.cli.lookup import find_study
    from search.study.naming import find_candidate
    from search.study.weights import load_weights
    from trainer.bundle.export import export_network
    from trainer.data.find import data_folder, find_dataset
    from trainer.data.split import split_data

    named = find_candidate(what, lambda: find_study(storage, study, for_reading=True))
    if named.study is None or named.trial is None:
        raise MnistSearchError(
            f"{what} has no trained weights: train and export it with `mnist-search train {what} --out DIR`"
        )
    weights = load_weights(named.study, named.trial)
    settings = named.study.settings
    dataset = find_dataset(settings.dataset, data_folder(data_dir)).dataset
    data = split_data(dataset, settings.split)
    print_exported(export_network(named.label, named.candidate, weights, data, dataset, out), as_json=json)


def print_exported(exported: "Exported", as_json: bool) -> None:
    """Prints what was written, on stdout."""
    from search.cli.tables import print_json

    check = exported.check
    if as_json:
        print_json(exported_facts(exported))
        return
    size, right = bytes_text(check.size_bytes), percent(check.accuracy)
    print(f"{exported.model}  {size}, checked on {check.n_images:,} test images: {right} right,")
    print(f"  each classified as the trained network does, logits within {check.max_difference:.1g}")
    print(f"{exported.spec}  its layers and recipe")
    print("load it with torch alone; images are (B, 1, 28, 28) of 0..1, the answer is 10 logits:")
    print(f'  torch.export.load("{exported.model}").module()(images)')


def exported_facts(exported: "Exported") -> dict[str, Any]:
    """What was written, as plain data."""
    check = exported.check
    return {
        "model": str(exported.model),
        "spec": str(exported.spec),
        "size_bytes": check.size_bytes,
        "n_images": check.n_images,
        "n_same": check.n_same,
        "max_difference": check.max_difference,
        "accuracy": check.accuracy,
    }
