"""How a network reads digits that its dataset's makers had no hand in: what a user of `predict` may expect."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.formats.folded import FoldedNetwork
from trainer.pictures.framing import framing_of
from trainer.pictures.origins import LabelledPicture, default_font_digits, scanned_digits
from trainer.pictures.seeing import see

_EVERY = 6
"""A sixth of the scans: finding and framing a digit takes 14 ms, and there are 1,797."""
_MOST_MISTAKES = 5


def read_other_origins(network: FoldedNetwork, dataset: str) -> list[dict[str, Any]]:
    """For each origin how many digits there were, the share that is right, and the most frequent mistakes."""
    scans = islice(scanned_digits(), 0, None, _EVERY)
    return [
        _read(network, dataset, "every sixth of scikit-learn's scans of 8x8, enlarged", scans),
        _read(
            network, dataset, "printed digits of Pillow's font, three sizes, turned by up to 8°", default_font_digits()
        ),
    ]


def _read(network: FoldedNetwork, dataset: str, origin: str, pictures: Iterable[LabelledPicture]) -> dict[str, Any]:
    labels: list[int] = []
    seen: list[np.ndarray] = []
    n_refused = 0
    for one in pictures:
        try:
            seen.append(see(one.picture, framing_of(dataset)))
            labels.append(one.label)
        except MnistSearchError:
            n_refused += 1
    with torch.no_grad():
        answers = network.module()(torch.from_numpy(np.stack(seen))[:, None]).argmax(1).tolist()
    wrong = Counter((label, answer) for label, answer in zip(labels, answers, strict=True) if label != answer)
    n = len(labels) + n_refused
    return {
        "origin": origin,
        "n": n,
        "n_right": len(labels) - wrong.total(),
        "accuracy": (len(labels) - wrong.total()) / n,
        "n_not_found": n_refused,
        "mistakes": [{"is": a, "read_as": b, "n": k} for (a, b), k in wrong.most_common(_MOST_MISTAKES)],
    }
