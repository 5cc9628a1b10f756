"""What verifications say about the candidates of a study: the one place of the report that reads them."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from search.outcomes import Outcome
from search.study import SearchStudy

try:
    from storage.verifications import verification_runs_of

    from search.verification.summary import summarise
except ImportError:  # to go when `verify` is there

    def verification_runs_of(*_: Any) -> list[dict[str, Any]]:
        return []

    def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
        raise NotImplementedError


_MOST_ASKED = 100
"""Trials of each ranking for whose verifications the storage is asked: nobody verifies the hundred and first."""


@dataclass(frozen=True)
class Verified:
    """A trial whose candidate was trained again with fresh seeds and judged by the test images."""

    trial: FrozenTrial
    runs: list[dict[str, Any]]
    summary: dict[str, Any]


def verified_trials(study: SearchStudy) -> list[Verified]:
    """The verified candidates: those at the target first, the smallest before all; then the others by accuracy."""
    found = []
    for trial in _likely(study):
        runs = verification_runs_of(study.store.engine, trial.user_attrs["candidate_id"], study.settings.dataset)
        if runs:
            found.append(Verified(trial, runs, summarise(runs)))
    return sorted(found, key=_rank)


def _rank(one: Verified) -> tuple[Any, ...]:
    params, accuracy = one.trial.user_attrs["params"], one.summary["sustained_accuracy"]
    return (0, params, -accuracy) if one.summary["verified"] else (1, -accuracy, params)


def _likely(study: SearchStudy) -> list[FrozenTrial]:
    trained = study.trials(Outcome.TRAINED)
    by_accuracy = sorted(trained, key=lambda t: -(t.value or 0.0))[:_MOST_ASKED]
    at_target = [trial for trial in trained if (trial.value or 0.0) >= study.settings.target]
    smallest = sorted(at_target, key=lambda t: t.user_attrs["params"])[:_MOST_ASKED]
    return list({trial.number: trial for trial in (*smallest, *by_accuracy)}.values())
