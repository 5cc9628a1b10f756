"""Ledger: the one writer of trials. It records what a trial came to, then tells Optuna."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.artifacts import upload_artifact
from optuna.trial import FrozenTrial, TrialState

from search.measures.objective import is_held, sustained_accuracy
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.epochs import add_epoch
from trainer.training.records import EpochRecord

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
        add_epoch(self._store.engine, attributes.trial_id(trial), record.to_dict())
        trial.report(record.eval_accuracy, record.epoch)
        return trial.should_prune()

    def trained(
        self, trial: optuna.Trial, accuracies: Sequence[float], weights: bytes, seconds: float, clock: Clock
    ) -> float:
        """Keeps a candidate that was trained to the end with its weights; returns its sustained accuracy."""
        settings = self._study.settings
        value = sustained_accuracy(accuracies, settings.sustain)
        trial.set_user_attr(attributes.BEST_ACCURACY, max(accuracies))
        trial.set_user_attr(attributes.HELD, is_held(accuracies, settings.sustain, settings.target))
        trial.set_user_attr(attributes.ACTIVE_SECONDS, clock.active_seconds)
        trial.set_user_attr(attributes.ACTIVE_CORE_SECONDS, clock.core_seconds)
        trial.set_user_attr(attributes.WEIGHTS, self._keep(trial, "weights.pt", weights))
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
        queued_before = {attributes.GIVEN, attributes.RETRY_OF} & set(
            attrs
        )  # then it had a candidate before it was drawn
        if attributes.CANDIDATE in attrs or queued_before:
            again = {attributes.RETRY_OF: attrs.get(attributes.RETRY_OF, trial.number)}
            if attributes.GIVEN in attrs:
                again[attributes.GIVEN] = attrs[attributes.GIVEN]
            frozen = self._store.optuna.get_trial(attributes.trial_id(trial))
            params = frozen.system_attrs.get("fixed_params") or frozen.params
            self._study.optuna.enqueue_trial(params, user_attrs=again)
        self._set(trial, attributes.OUTCOME, Outcome.INTERRUPTED)
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
            trial.set_user_attr(attributes.REASON, reason)
        if seconds is not None:
            trial.set_user_attr(attributes.SECONDS, seconds)
        trial.set_user_attr(attributes.OUTCOME, outcome)
        self._study.optuna.tell(trial, value, state=_STATES[outcome])

    def _set(self, trial: optuna.Trial | FrozenTrial, key: str, value: str) -> None:
        self._store.optuna.set_trial_user_attr(attributes.trial_id(trial), key, value)

    def _keep(self, trial: optuna.Trial, file_name: str, content: bytes) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file_name
            path.write_bytes(content)
            return upload_artifact(artifact_store=self._store.artifacts(), file_path=str(path), study_or_trial=trial)
