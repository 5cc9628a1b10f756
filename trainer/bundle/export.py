"""Ships a trained network: the frozen file, checked as it was written, and the spec it was made from."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.spec.file import dump_spec
from trainer.bundle.freeze import FrozenCheck, export_frozen, restore
from trainer.data.images import Dataset, TrainingData


@dataclass(frozen=True)
class Exported:
    """The files written, and how the frozen one was checked."""

    model: Path
    spec: Path
    check: FrozenCheck


def export_network(
    name: str,
    candidate: Candidate,
    weights: dict[str, torch.Tensor],
    data: TrainingData,
    dataset: Dataset,
    folder: Path,
) -> Exported:
    """Writes `NAME.pt2` and `NAME.yaml` into a folder, the first only once it was read back and checked.

    It is checked on the test images. Raises MnistSearchError if the folder cannot be written, FrozenMismatchError if
    the file does not compute what the network does.
    """
    stem = name.replace(" ", "-")
    model, spec = folder / f"{stem}.pt2", folder / f"{stem}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spec.write_text(dump_spec(candidate, name), encoding="utf-8")
    except OSError as error:
        raise MnistSearchError(f"{folder} cannot be written: {error.strerror}; name another with --out") from None
    network = restore(candidate.arch, weights)
    return Exported(model, spec, export_frozen(network, data.mean, data.std, model, dataset.test))
