"""export() and load_model(): what `mnist-search export` does, and the way back from its files."""

from pathlib import Path
from typing import Any

from mnist_search.arguments import storage_url
from mnist_search.proving import What, name_of, word_of
from mnist_search.watching import Watcher
from models.errors import MnistSearchError
from search.shipping.attached import attach
from search.shipping.card import card_text
from search.shipping.chosen import Chosen, choose_network
from search.shipping.story import story_of
from search.study.naming import Named
from search.verification.answer import ANSWER
from storage.store import Store
from trainer.bundle.aside import check_target
from trainer.bundle.bundle import Story, Workshop, make_bundle
from trainer.bundle.manifest import is_bundle
from trainer.data.find import data_folder, find_dataset
from trainer.data.images import Dataset, Images
from trainer.data.split import split_data
from trainer.formats.trained import TrainedNetwork
from trainer.inference.model import Model, open_model

DEFAULT_OUT = "mnist-search-export"


def export(
    what: What = ANSWER,
    out: str | Path = DEFAULT_OUT,
    *,
    seed: int | None = None,
    no_int8: bool = False,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    storage: str | None = None,
    study: str | None = None,
    progress: bool = True,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Write a trained network as files for torch, ONNX and C, each run over the test images; return the manifest.

    The arguments are the options of `mnist-search export`, which `mnist-search export --help` explains.

    Args:
        what: A trial of a study (`study.answer`), a Candidate that was verified, or what the command line takes.
        out: Folder of the bundle; one that is there is replaced.
        seed: Number of the seed of its verification. None takes the median one.
        progress: Print messages on stderr.
        watcher: Receives messages in the place of `progress`, as the command line does.

    Raises:
        MnistSearchError: There is no trained network of that name, or the folder holds something else.
        StorageError: The database cannot be used.
    """
    watcher, folder = watcher or Watcher(progress), Path(out)
    if seed is not None and seed < 1:
        raise MnistSearchError(f"--seed {seed}: the seeds of a verification count from 1")
    check_target(folder, is_bundle)  # before the work, which may take minutes
    named, chosen = _choose(what, seed, dataset, storage_url(storage), study, watcher)
    found = find_dataset(chosen.dataset, data_folder(Path(data_dir) if data_dir else None))
    watcher.say(f"data: {found.notice}")
    data = split_data(found.dataset, chosen.split)
    network = TrainedNetwork(chosen.candidate, chosen.weights, data.mean, data.std)
    story = story_of(word_of(what), named, chosen)
    manifest = write_bundle(network, found.dataset, data.train, story, folder, not no_int8, watcher)
    if named.study is not None and (kept := attach(named.study, folder, story.name)):
        watcher.say(f"kept with study {named.study.name} too, as {kept} among its artifacts")
    return manifest


def write_bundle(
    network: TrainedNetwork,
    dataset: Dataset,
    learned: Images,
    story: Story,
    out: Path,
    has_int8: bool,
    watcher: Watcher,
) -> dict[str, Any]:
    """Write the bundle of a trained network, whose training images were `learned`; return its manifest."""
    with watcher.clearing():
        return make_bundle(network, dataset, learned, story, out, Workshop(card_text, has_int8, say=watcher.say))


def load_model(path: str | Path) -> Model:
    """Return the model of a bundle, or of one of its files: `.pt2`, `.onnx`, `.safetensors` or `.c`.

    `logits(images)` and `answers(images)` take an array (N, 28, 28) of uint8, light on black.

    Raises:
        MnistSearchError: There is no such file, it is damaged, or it needs a package that is not installed.
    """
    return open_model(Path(path))


def _choose(
    what: What, seed: int | None, dataset: str | None, storage: str, study: str | None, watcher: Watcher
) -> tuple[Named, Chosen]:
    word, named = word_of(what), name_of(what, storage, study, watcher, for_reading=True)
    if named.study is not None:
        return named, choose_network(word, named, named.study.store, seed, dataset)
    store = Store(storage, for_reading=True) if Store.exists(storage) else None
    try:
        return named, choose_network(word, named, store, seed, dataset)
    finally:
        if store is not None:
            store.close()
