"""The gate: what is checked before a candidate may be trained."""

import optuna

from models.candidate import Candidate
from search.study import attributes


def excess_params(n_params: int, max_params: int) -> int:
    """By how much a network is over the budget: at most 0 for one with fewer than `max_params` parameters."""
    return n_params - (max_params - 1)


def mark_budget(trial: optuna.Trial, candidate: Candidate, max_params: int) -> bool:
    """Tells Optuna where the candidate stands to the budget, and returns whether it passes.

    The sampler ranks infeasible trials by how far they are over (Optuna 5: Trial.set_constraint).
    """
    excess = excess_params(candidate.arch.params, max_params)
    trial.set_constraint("params", excess)
    # optuna-dashboard 0.21 reads the list that Optuna 4 wrote, and would show every rejected trial as feasible.
    trial.storage.set_trial_system_attr(attributes.trial_id(trial), attributes.CONSTRAINTS, [float(excess)])
    return excess <= 0


def rejection_reason(n_params: int, max_params: int) -> str:
    """Why the gate rejected a network of this size."""
    return f"{n_params:,} parameters, the budget is fewer than {max_params:,}"


def outgrown_reason(n_params: int, max_params: int) -> str:
    """Why a candidate is no longer trained that was within the budget when it was drawn."""
    return f"{n_params:,} parameters: another network cleared the target, and fewer than {max_params:,} are wanted now"
