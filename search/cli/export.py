"""`mnist-search export`: a trained network as a bundle of files, and a bundle checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.messages import say

if TYPE_CHECKING:
    from search.shipping.chosen import Chosen
    from search.study.naming import Named
    from trainer.bundle.bundle import Story
    from trainer.data.images import Dataset, Images
    from trainer.formats.trained import TrainedNetwork

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
    if check is not None:
        _refuse_beside_check(what, seed, no_int8)
        _check(check, data_dir, json)
        return
    from search.cli.bundle_lines import print_bundle
    from search.shipping.attached import attach
    from search.shipping.story import story_of
    from trainer.bundle.aside import check_target
    from trainer.bundle.manifest import is_bundle
    from trainer.data.find import data_folder, find_dataset
    from trainer.data.split import split_data
    from trainer.formats.trained import TrainedNetwork

    check_target(out, is_bundle)  # before the work, which may take minutes
    named, chosen = _choose(what, seed, dataset, storage, study)
    found = find_dataset(chosen.dataset, data_folder(data_dir))
    say(f"data: {found.notice}")
    data = split_data(found.dataset, chosen.split)
    network = TrainedNetwork(chosen.candidate, chosen.weights, data.mean, data.std)
    story = story_of(what, named, chosen)
    manifest = make(network, found.dataset, data.train, story, out, not no_int8)
    if named.study is not None and (kept := attach(named.study, out, story.name)):
        say(f"kept with study {named.study.name} too, as {kept} among its artifacts")
    print_bundle(manifest, out, json)


def make(
    network: "TrainedNetwork", dataset: "Dataset", learned: "Images", story: "Story", out: Path, has_int8: bool
) -> dict[str, Any]:
    """Makes a bundle, saying on stderr what is done; returns its manifest."""
    from search.cli.interrupts import terminable
    from search.shipping.card import card_text
    from trainer.bundle.bundle import Workshop, make_bundle

    workshop = Workshop(card_text, has_int8, say=say)
    with terminable():
        return make_bundle(network, dataset, learned, story, out, workshop)


def _choose(
    what: str, seed: int | None, dataset: str | None, storage: str, study: str | None
) -> "tuple[Named, Chosen]":
    from search.cli.lookup import find_study, find_what
    from search.shipping.chosen import choose_network
    from storage.store import Store

    named = find_what(what, lambda: find_study(storage, study, for_reading=True))
    if named.study is not None:
        return named, choose_network(what, named, named.study.store, seed, dataset)
    store = Store(storage, for_reading=True) if Store.exists(storage) else None
    try:
        return named, choose_network(what, named, store, seed, dataset)
    finally:
        if store is not None:
            store.close()


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
