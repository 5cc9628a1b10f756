"""A bundle of a network that learned the digits in a second: made once, and read by many tests."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from models.candidate import Candidate
from models.recipe import Recipe
from search.shipping.card import card_text
from tests.helpers.trainings import LEARNER
from trainer.bundle.bundle import Story, Workshop, make_bundle
from trainer.data.digits import load_digits
from trainer.data.images import Dataset
from trainer.data.split import split_data
from trainer.formats.trained import TrainedNetwork
from trainer.training.train import Training

STORY = Story(
    "three-epochs",
    {"kind": "training", "seed": 0, "epochs": 3, "trained_on": "a test", "split": "test"},
    found={"as": "file", "name": "three-epochs"},
    commands={"train": "mnist-search train x.yaml"},
)
UNTIMED = Workshop(card_text, timed_seconds=0.0)


@cache
def digits() -> Dataset:
    return load_digits()


@cache
def network(seed: int = 0) -> TrainedNetwork:
    """A network that reads 19 of 20 digits; another one for each seed."""
    data = split_data(digits(), "test")
    candidate = Candidate(LEARNER, Recipe(epochs=3, batch_size=32, dropout=0.1))
    training = Training(candidate, data, seed)
    list(training)
    return TrainedNetwork(candidate, training.weights(), data.mean, data.std)


def make(folder: Path, of: TrainedNetwork | None = None, workshop: Workshop = UNTIMED) -> dict[str, Any]:
    """A bundle of that network; returns its manifest."""
    return make_bundle(of or network(), digits(), digits().train, STORY, folder, workshop)


def shared_bundle(factory: pytest.TempPathFactory) -> Path:
    """One bundle for all processes of a test run, timed; nobody writes into it."""
    base = factory.getbasetemp()
    root = base.parent if base.name.startswith("popen-") else base  # what the processes of pytest-xdist share
    folder = root / "bundle"
    with FileLock(root / "bundle.lock"):
        if not folder.exists():
            make(folder, workshop=Workshop(card_text, timed_seconds=0.02))
    return folder


def copied(bundle: Path, folder: Path) -> Path:
    """A bundle of one's own, to be damaged."""
    return Path(shutil.copytree(bundle, folder / "bundle"))
