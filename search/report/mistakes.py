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
from trainer.bundle.freeze import Frozen, restore
from trainer.data.find import data_folder, find_dataset
from trainer.data.images import IDX_DATASETS, Dataset, Images, has_idx_dataset
from trainer.data.split import split_data

MOST_SHOWN = 60
_BATCH = 500


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
    dataset = _dataset_at_hand(study.settings.dataset, data_dir)
    if winner.verified is not None:
        return _kept(winner, dataset.test)
    weights = load_weights(study, winner.trial)
    data = split_data(dataset, study.settings.split)
    network = Frozen(restore(winner.candidate.arch, weights), data.mean, data.std).eval()
    whose = "one network of the search (its kept weights), on the test images; this informs and decides nothing"
    return Answers(dataset.test, [_classify(network, dataset.test)], 0, whose)


def _dataset_at_hand(name: str, data_dir: Path | None) -> Dataset:
    folder = data_folder(data_dir)
    if name in IDX_DATASETS and not has_idx_dataset(name, folder):  # a report fetches nothing
        raise MnistSearchError(f"the images of {name} are not in {folder}: name their folder with --data-dir")
    return find_dataset(name, folder).dataset


def _kept(winner: Winner, test: Images) -> Answers:
    runs = [run for run in winner.proof if len(run.get("predictions") or "") == len(test)]
    if not runs:
        raise MnistSearchError("the verification kept no answers to these test images")
    by_accuracy = sorted(range(len(runs)), key=lambda i: runs[i]["sustained_accuracy"])
    shown = by_accuracy[len(runs) // 2]
    whose = f"seed {runs[shown]['seed_number']} of the verification, the median of {len(runs)}, on the test images"
    return Answers(test, [[int(digit) for digit in run["predictions"]] for run in runs], shown, whose)


def _classify(network: torch.nn.Module, images: Images) -> list[int]:
    pixels = images.pixels[:, None].float() / 255  # (N, 1, 28, 28)
    with torch.no_grad():
        return [int(answer) for batch in pixels.split(_BATCH) for answer in network(batch).argmax(1)]


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
