"""What verifications say about the candidates of a study: the one place of the report that reads them."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from search.study import attributes
from search.study.study import SearchStudy
from search.verification.summary import summarise
from storage.verifications import Verification, verification_runs_of, verifications_of


@dataclass(frozen=True)
class Verified:
    """A trial whose candidate was trained again with fresh seeds and judged by the test images."""

    trial: FrozenTrial
    runs: list[dict[str, Any]]
    """Of each seed, in the order of the seeds, as `storage.verifications` keeps them."""
    summary: dict[str, Any]
    """What `search.verification.summary` makes of them, with the study's own target."""
    n_compared: int
    """Candidates among which the search chose this one."""

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The runs that did not diverge."""
        return [run for run in self.runs if not run["diverged"]]


def verified_trials(study: SearchStudy) -> list[Verified]:
    """The verified candidates: those at the target first, the smallest before all; then the others by accuracy.

    A verification that asked for a mean over other last epochs than the study does is left out.
    """
    latest = {
        (one.trial, one.candidate_id): one
        for one in verifications_of(study.store.engine, study.name)
        if one.summary is not None and one.trial is not None and _asks_the_same(study, one)
    }
    return sorted((_verified(study, one) for one in latest.values()), key=_rank)


def _asks_the_same(study: SearchStudy, one: Verification) -> bool:
    assert one.summary is not None
    return one.dataset == study.settings.dataset and one.summary["sustain"] == study.settings.sustain


def _verified(study: SearchStudy, one: Verification) -> Verified:
    assert one.summary is not None
    assert one.trial is not None
    kept = verification_runs_of(study.store.engine, one.candidate_id, one.dataset)
    runs = sorted(kept, key=lambda run: int(run["seed_number"]))[: one.summary["n_seeds"]]
    summary = summarise(runs, study.settings.target, study.settings.sustain)
    return Verified(study.trial(one.trial), runs, summary, one.n_compared)


def _rank(one: Verified) -> tuple[Any, ...]:
    params, accuracy = one.trial.user_attrs[attributes.PARAMS], one.summary["sustained_accuracy"]
    return (0, params, -accuracy) if one.summary["verified"] else (1, -accuracy, params)
