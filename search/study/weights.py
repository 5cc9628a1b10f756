"""The weights of trained candidates, kept as artifacts of their trials."""

import io
import zipfile
from pickle import UnpicklingError

import torch
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from models.arch import MOST_PARAMS, ArchSpec
from models.build import build
from models.errors import MnistSearchError
from search.study import attributes
from search.study.outcomes import outcome_of
from search.study.study import SearchStudy, candidate_of
from storage.errors import StorageError

_DAMAGED = (
    *(OSError, EOFError, RuntimeError, UnpicklingError, zipfile.BadZipFile),
    *(ValueError, LookupError, TypeError, AttributeError, NotImplementedError),
)
"""What comes of a file that was cut off by a full disk or a power cut, or is no state dict at all."""
_MOST = 8 * MOST_PARAMS
"""Bytes: float32 and what goes with it, of the largest network."""


def load_weights(study: SearchStudy, trial: FrozenTrial) -> dict[str, torch.Tensor]:
    """The state dict of a trial. Raises MnistSearchError if it has none, or its file is gone."""
    artifact = trial.user_attrs.get(attributes.WEIGHTS)
    if artifact is None:
        raise MnistSearchError(
            f"trial {trial.number} has no weights, it was {outcome_of(trial) or 'not finished'}: "
            f"train it with `mnist-search train {trial.number} --out DIR`"
        )
    try:
        return _loaded(study, trial, artifact)
    except StorageError as error:
        raise MnistSearchError(f"the weights of trial {trial.number} cannot be read: {error}") from None


def _loaded(study: SearchStudy, trial: FrozenTrial, artifact: str) -> dict[str, torch.Tensor]:
    artifacts, candidate = study.store.artifacts(), candidate_of(trial)
    try:
        with artifacts.open_reader(artifact) as file:
            return state_dict_of(file.read(), candidate.arch)
    except (ArtifactNotFound, OSError, ValueError):
        raise MnistSearchError(
            f"the weights of trial {trial.number} are gone from {artifacts.place}: "
            f"train it again with `mnist-search train {trial.number} --out DIR`"
        ) from None


def state_dict_of(content: bytes, arch: ArchSpec) -> dict[str, torch.Tensor]:
    """The weights of a network in a file by torch.save, none of which is run: tensors are all that is read.

    Raises ValueError for what is damaged, unpacks to more than any network has, or holds another network's weights.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            n_bytes = sum(part.file_size for part in archive.infolist())
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True) if n_bytes <= _MOST else {}
        shapes = {name: tensor.shape for name, tensor in weights.items()}
    except _DAMAGED as error:
        raise ValueError(f"no weights: {type(error).__name__}") from error
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in build(arch).state_dict().items()}
    if shapes != wanted:
        raise ValueError("the weights of another network")
    return dict(weights)
