"""What the winner gets wrong: its answers on the test images, and pictures of those it misreads."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from models.errors import MnistSearchError
from search.report.winner import Winner
from search.study.study import SearchStudy
from search.study.weights import load_weights
from search.verification.judged import median_run
from trainer.data.find import data_folder, dataset_at_hand
from trainer.data.images import Dataset, Images
from trainer.data.split import split_data
from trainer.formats.trained import TrainedNetwork

MOST_SHOWN = 60


@dataclass(frozen=True)
class Answers:
    """What networks said to the test images: a line of answers for each, the one to show in detail at `shown`."""

    test: Images
    lines: list[list[int]]
    shown: int
    whose: str
    """Which network `shown` is, for a caption."""

    @property
    def labels(self) -> list[int]:
        """The true digits."""
        return [int(label) for label in self.test.labels]


@dataclass(frozen=True)
class Mistake:
    """A test image that was misread: by how many networks, and what they took it for."""

    number: int
    label: int
    n_wrong: int
    taken_for: str
    picture: str
    """A data URI."""


def find_answers(study: SearchStudy, winner: Winner, data_dir: Path | None) -> Answers:
    """The winner's answers to the test images. Raises MnistSearchError, in words for the page, if there are none.

    Those of its verification, which were kept; else those of the network that the search kept the weights of.
    """
    dataset = _dataset(study.settings.dataset, data_dir)
    if winner.verified is not None:
        return _kept(winner, dataset.test)
    weights = load_weights(study, winner.trial)
    data = split_data(dataset, study.settings.split)
    network = TrainedNetwork(winner.candidate, weights, data.mean, data.std)
    whose = "one network of the search (its kept weights), on the test images; this informs and decides nothing"
    return Answers(dataset.test, [network.logits(dataset.test.pixels).argmax(1).tolist()], 0, whose)


def _dataset(name: str, data_dir: Path | None) -> Dataset:
    folder = data_folder(data_dir)
    dataset = dataset_at_hand(name, folder)  # a report fetches nothing
    if dataset is None:
        raise MnistSearchError(f"the images of {name} are not in {folder}: name their folder with --data-dir")
    return dataset


def _kept(winner: Winner, test: Images) -> Answers:
    runs = [run for run in winner.proof if len(run.get("predictions") or "") == len(test)]
    if not runs:
        raise MnistSearchError("the verification kept no answers to these test images")
    assert winner.verified is not None
    shown = runs.index(median_run(runs, winner.verified.summary["sustain"]))
    whose = f"seed {runs[shown]['seed_number']} of the verification, the median of {len(runs)}, on the test images"
    return Answers(test, [[int(digit) for digit in run["predictions"]] for run in runs], shown, whose)


def find_mistakes(answers: Answers) -> tuple[list[Mistake], int]:
    """The misread images, those that most networks misread first, MOST_SHOWN at most; and how many there are."""
    wrong = [
        (number, label, taken)
        for number, (label, *given) in enumerate(zip(answers.labels, *answers.lines, strict=True))
        if (taken := [answer for answer in given if answer != label])
    ]
    wrong.sort(key=lambda one: (-len(one[2]), one[0]))
    shown = [
        Mistake(number, label, len(taken), _taken_for(taken), _picture(answers.test.pixels[number]))
        for number, label, taken in wrong[:MOST_SHOWN]
    ]
    return shown, len(wrong)


def _taken_for(answers: Sequence[int]) -> str:
    """`7`, or `7 ×3, 9` where networks differ."""
    counts = Counter(answers).most_common()
    if len(answers) == 1:
        return str(answers[0])
    return ", ".join(f"{digit}\u00a0×{n}" if n > 1 else str(digit) for digit, n in counts)


def _picture(pixels: torch.Tensor) -> str:
    """A 28x28 image, dark on light, as a PNG in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(255 - pixels.numpy()).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
