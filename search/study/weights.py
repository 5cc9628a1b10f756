"""The weights of trained candidates, kept as artifacts of their trials."""

from collections.abc import Mapping

import torch
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from models.arch import MOST_PARAMS, ArchSpec
from models.build import build
from models.errors import MnistSearchError
from models.saved_tensors import load_saved
from search.study import attributes
from search.study.outcomes import outcome_of
from search.study.study import SearchStudy, candidate_of
from storage.errors import StorageError

_MOST_BYTES = 8 * MOST_PARAMS
"""Float32 and what goes with it, of the largest network."""


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
    """The weights of a network in a file by torch.save. Raises ValueError for what is damaged or of another network."""
    weights = load_saved(content, _MOST_BYTES)
    shapes = _shapes(weights) if isinstance(weights, dict) else {}
    with torch.device("meta"):
        wanted = _shapes(build(arch).state_dict())
    if shapes != wanted:
        raise ValueError("the weights of another network")
    return dict(weights)


def _shapes(weights: Mapping[str, object]) -> dict[str, object]:
    return {name: tensor.shape if isinstance(tensor, torch.Tensor) else None for name, tensor in weights.items()}
