"""The weights of trained candidates, kept as artifacts of their trials."""

import io
from pickle import UnpicklingError

import torch
from optuna.trial import FrozenTrial

from models.errors import MnistSearchError
from search.study import attributes
from search.study.outcomes import outcome_of
from search.study.study import SearchStudy


def load_weights(study: SearchStudy, trial: FrozenTrial) -> dict[str, torch.Tensor]:
    """The state dict of a trial. Raises MnistSearchError if it has none, or its file is gone."""
    artifact = trial.user_attrs.get(attributes.WEIGHTS)
    if artifact is None:
        raise MnistSearchError(
            f"trial {trial.number} has no weights, it was {outcome_of(trial) or 'not finished'}: "
            f"train it with `mnist-search train {trial.number} --out DIR`"
        )
    gone = MnistSearchError(
        f"the weights of trial {trial.number} are gone from {study.store.artifact_folder}: "
        f"train it again with `mnist-search train {trial.number} --out DIR`"
    )
    try:
        with study.store.artifacts().open_reader(artifact) as file:
            content = file.read()
        weights: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError):  # missing, or cut off by a full disk or a power cut
        raise gone from None
    return weights
