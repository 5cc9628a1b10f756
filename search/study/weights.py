"""The weights of trained candidates, kept as artifacts of their trials."""

from pickle import UnpicklingError

import torch
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from models.errors import MnistSearchError
from search.study import attributes
from search.study.outcomes import outcome_of
from search.study.study import SearchStudy
from storage.errors import StorageError

_GONE = (ArtifactNotFound, OSError, EOFError, RuntimeError, UnpicklingError)
"""What comes of a file that is missing, or was cut off by a full disk or a power cut."""


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
    artifacts = study.store.artifacts()
    try:
        weights: dict[str, torch.Tensor] = torch.load(artifacts.open_reader(artifact), weights_only=True)
    except _GONE:
        raise MnistSearchError(
            f"the weights of trial {trial.number} are gone from {artifacts.place}: "
            f"train it again with `mnist-search train {trial.number} --out DIR`"
        ) from None
    return weights
