"""Ledger: the one writer of trials. It records what a trial came to, then tells Optuna."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.artifacts import upload_artifact
from optuna.trial import FrozenTrial, TrialState

from search.objective import is_held, sustained_accuracy
from search.outcomes import OUTCOME_ATTR, Outcome
from search.study import CANDIDATE_ATTR, SearchStudy
from storage.epochs import add_epoch
from trainer.train import EpochRecord

WEIGHTS_ATTR = "weights_artifact"
RETRY_ATTR = "retry_of"
GIVEN_ATTR = "given"
"""The candidate itself, of a trial that was queued with one instead of being sampled."""

_STATES = {
    Outcome.TRAINED: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    Outcome.REJECTED: TrialState.PRUNED,
    Outcome.DIVERGED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
    Outcome.INTERRUPTED: TrialState.FAIL,
    Outcome.DUPLICATE: TrialState.FAIL,
}
"""Never COMPLETE but for the trained: the dashboard's best trial looks at nothing else. The sampler ignores FAIL."""


@dataclass(frozen=True)
class Clock:
    """What a study had cost by the time a trial ended."""

    active_seconds: float
    """Time for which a dispatcher worked on it."""
    core_seconds: float | None
    """Processor time of all its trainings, those under way included."""


class Ledger:
    """Writes the trials of one study."""

    def __init__(self, study: SearchStudy) -> None:
        self._study = study
        self._store = study.store

    def epoch(self, trial: optuna.Trial, record: EpochRecord) -> bool:
        """Keeps an epoch and returns whether the pruner wants the trial stopped."""
        add_epoch(self._store.engine, trial._trial_id, record.to_dict())
        trial.report(record.eval_accuracy, record.epoch)
        return trial.should_prune()

    def trained(
        self, trial: optuna.Trial, accuracies: Sequence[float], weights: bytes, seconds: float, clock: Clock
    ) -> float:
        """Keeps a candidate that was trained to the end with its weights; returns its sustained accuracy."""
        settings = self._study.settings
        value = sustained_accuracy(accuracies, settings.sustain)
        trial.set_user_attr("best_accuracy", max(accuracies))
        trial.set_user_attr("held", is_held(accuracies, settings.sustain, settings.target))
        trial.set_user_attr("active_seconds", clock.active_seconds)
        trial.set_user_attr("active_core_seconds", clock.core_seconds)
        trial.set_user_attr(WEIGHTS_ATTR, self._keep(trial, "weights.pt", weights))
        self._end(trial, Outcome.TRAINED, seconds=seconds, value=value)
        return value

    def end(self, trial: optuna.Trial, outcome: Outcome, reason: str = "", seconds: float | None = None) -> None:
        """Ends a trial that was not trained to the end."""
        self._end(trial, outcome, reason, seconds)

    def interrupt(self, trial: optuna.Trial | FrozenTrial, reason: str) -> None:
        """Ends a trial that was stopped half-way; its candidate waits to be run again.

        First queued, then ended: whoever is killed in between leaves a candidate queued twice, of which the second
        is recognised as a duplicate, and never one that is lost.
        """
        attrs = trial.user_attrs
        queued_before = {GIVEN_ATTR, RETRY_ATTR} & set(attrs)  # then it had a candidate before it was drawn
        if CANDIDATE_ATTR in attrs or queued_before:
            again = {RETRY_ATTR: attrs.get(RETRY_ATTR, trial.number)}
            if GIVEN_ATTR in attrs:
                again[GIVEN_ATTR] = attrs[GIVEN_ATTR]
            frozen = self._store.optuna.get_trial(trial._trial_id)
            params = frozen.system_attrs.get("fixed_params") or frozen.params
            self._study.optuna.enqueue_trial(params, user_attrs=again)
        self._set(trial, OUTCOME_ATTR, Outcome.INTERRUPTED)
        self._set(trial, "reason", reason)
        self._study.optuna.tell(trial.number, state=TrialState.FAIL)

    def _end(
        self,
        trial: optuna.Trial,
        outcome: Outcome,
        reason: str = "",
        seconds: float | None = None,
        value: float | None = None,
    ) -> None:
        if reason:
            trial.set_user_attr("reason", reason)
        if seconds is not None:
            trial.set_user_attr("seconds", seconds)
        trial.set_user_attr(OUTCOME_ATTR, outcome)
        self._study.optuna.tell(trial, value, state=_STATES[outcome])

    def _set(self, trial: optuna.Trial | FrozenTrial, key: str, value: str) -> None:
        self._store.optuna.set_trial_user_attr(trial._trial_id, key, value)

    def _keep(self, trial: optuna.Trial, file_name: str, content: bytes) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file_name
            path.write_bytes(content)
            return upload_artifact(artifact_store=self._store.artifacts(), file_path=str(path), study_or_trial=trial)
