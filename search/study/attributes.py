"""The names of all that this program keeps in Optuna's attributes, and the only way to Optuna's private numbers.

A study's attributes and a trial's are JSON, and whoever reads the database with Optuna alone sees them by these names.
"""

import optuna
from optuna.trial import FrozenTrial

# Of a study.
SETTINGS = "settings"

# Of a trial, from its draw on.
CANDIDATE = "candidate"
CANDIDATE_ID = "candidate_id"
PARAMS = "params"
MACS = "macs"
RECEPTIVE_FIELD = "receptive_field"
GIVEN = "given"
"""The candidate itself, of a trial that was queued with one instead of being sampled."""
WARM_START = "warm_start"
"""The name under which it was given."""
RETRY_OF = "retry_of"
"""The number of the trial that was stopped half-way, and whose candidate and seed this one has."""

# Of a trial, from its training.
TRAINED_ON = "trained_on"
TRAINING_SEED = "training_seed"
WORKER = "worker"
"""The number of the worker that trained it, from 1: at its last epoch."""

# Of a trial, at its end. Those that are numbers can be sorted by in optuna-dashboard.
OUTCOME = "outcome"
REASON = "reason"
SECONDS = "seconds"
EPOCHS = "epochs"
SECONDS_PER_EPOCH = "seconds_per_epoch"
SUSTAINED_ACCURACY = "sustained_accuracy"
"""Its value, which Optuna also gives a pruned trial: the last that it reported. Only a trained one has this."""
BEST_ACCURACY = "best_accuracy"
BEST_EPOCH = "best_epoch"
GAP = "gap"
"""Training accuracy minus evaluation accuracy, in the last epoch."""
HELD = "held"
ACTIVE_SECONDS = "active_seconds"
"""For which dispatchers had worked on the study by then."""
ACTIVE_CORE_SECONDS = "active_core_seconds"
"""Processor time of all trainings of the study by then."""
WEIGHTS = "weights_artifact"

# A trial's system attributes.
FIXED_PARAMS = "fixed_params"
"""Optuna's own: the values that a trial was queued with."""
ARTIFACT = "artifacts:"
"""Optuna's own, the beginning of its name: what an artifact is. A study's too. One that was deleted says null."""
CONSTRAINTS = "constraints"
"""The list that Optuna 4 wrote, and that optuna-dashboard 0.21 still reads."""


def trial_id(trial: optuna.Trial | FrozenTrial) -> int:
    """The number of a trial in the database."""
    return trial._trial_id


def study_id(study: optuna.Study | optuna.study._frozen.FrozenStudy) -> int:
    """The number of a study in the database."""
    return study._study_id
