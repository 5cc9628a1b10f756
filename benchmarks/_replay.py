"""Trainings that are over, shown once more to a pruner: what it would have saved, and what it would have lost."""

import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.trial import TrialState

ORDERS = 100
"""What is pruned depends on who came before: means are over as many random orders of the candidates."""


@dataclass(frozen=True)
class Curve:
    """The accuracies of a training by epoch, and what it is worth in the end."""

    accuracies: Sequence[float]
    value: float


@dataclass(frozen=True)
class Replayed:
    """Means over the orders."""

    saved: float
    """Share of the epochs that were not trained."""
    best_pruned: float
    """Share of the orders in which the best candidate was stopped."""
    lost: float
    """By how much the best that was left is worse than the best of all."""


def replay(curves: Sequence[Curve], pruner: BasePruner) -> Replayed:
    """Shows the trainings to `pruner`, one after the other."""
    best = max(curve.value for curve in curves)
    n_epochs = sum(len(curve.accuracies) for curve in curves)
    saved, losses = [], []
    for seed in range(ORDERS):
        order = random.Random(seed).sample(curves, len(curves))
        n_trained, kept = _search(order, pruner)
        saved.append(1 - n_trained / n_epochs)
        losses.append(best - max(curve.value for curve in kept))
    return Replayed(fmean(saved), fmean(loss > 0 for loss in losses), fmean(losses))


def _search(order: Sequence[Curve], pruner: BasePruner) -> tuple[int, list[Curve]]:
    """Epochs trained, and the candidates that were trained to the end."""
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        study = optuna.create_study(direction="maximize", pruner=pruner)
    n_trained, kept = 0, []
    for curve in order:
        trial = study.ask()
        for epoch, accuracy in enumerate(curve.accuracies, 1):
            trial.report(accuracy, epoch)
            n_trained += 1
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, curve.value)
            kept.append(curve)
    return n_trained, kept
