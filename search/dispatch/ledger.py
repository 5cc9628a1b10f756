"""Ledger: the one writer of trials. It records what a trial came to in the database, and tells the mirror.

A draw is written at once; what comes of it is collected, and written by `write` in one transaction for all that came
in together: of a batch of answers the database has everything or nothing, whenever this process is killed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.artifacts import upload_artifact
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from models.candidate import Candidate
from search.dispatch.live import LiveTrial
from search.dispatch.mirror import Row, StudyMirror
from search.measures.objective import is_held, sustained_accuracy
from search.measures.words import percent
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.epochs import epochs_of
from storage.patience import Patience
from storage.sessions import StudySession
from storage.training_states import training_state_of
from storage.trial_changes import TrialChanges
from storage.trials import trial_number
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


@dataclass(frozen=True)
class Course:
    """How the training of a trial went, as far as it came."""

    epochs: Sequence[EpochRecord]
    seconds: float
    worker: int | None
    """Which worker trained it, from 1."""


class Ledger:
    """Writes the trials of one study, as long as the session is its own; raises StudyLostError once it is not.

    A database that fails in a way that passes is waited for, in each method, as long as the patience lasts.
    """

    def __init__(
        self, study: SearchStudy, mirror: StudyMirror, session: StudySession, patience: Patience, provenance: str = ""
    ) -> None:
        """`provenance` says on what the workers train; it is kept with every trial that is to be trained."""
        self._study = study
        self._session = session
        self._patiently = patience.call
        self._provenance = provenance
        self._store = study.store
        self._optuna = study.store.optuna
        self._mirror = mirror
        self._changes = TrialChanges()

    def claim(self, shadow: optuna.Trial) -> bool:
        """Whether a drawn trial is ours: one that waited may have been taken or ended by somebody since."""
        row = self._mirror.row(shadow)
        if row is None:
            return True
        try:
            is_ours = self._patiently(lambda: self._optuna.set_trial_state_values(row.trial_id, TrialState.RUNNING))
        except UpdateFinishedTrialError:
            is_ours = False
        if not is_ours:
            self._mirror.tell(shadow, TrialState.FAIL)
        return is_ours

    def refuse(self, shadow: optuna.Trial, reason: str) -> None:
        """Ends a trial that waited with something that is no candidate."""
        row = self._mirror.row(shadow)
        assert row is not None
        refused = TrialChanges()
        refused.user_attr(row.trial_id, attributes.OUTCOME, Outcome.REJECTED)
        refused.user_attr(row.trial_id, attributes.REASON, " ".join(reason.split()))
        refused.end(row.trial_id, TrialState.FAIL)
        self._patiently(lambda: self._session.write(refused))
        self._mirror.tell(shadow, TrialState.FAIL)

    def begin(self, shadow: optuna.Trial, candidate: Candidate) -> LiveTrial:
        """Writes a trial whose candidate is to be trained; one that was in training before goes on where it was."""
        is_new = self._mirror.row(shadow) is None
        attrs = {**_attributes_of(candidate), attributes.TRAINED_ON: self._trained_on(shadow)}
        row = self._enter(shadow, attrs, TrialState.RUNNING)
        engine, trial_id = self._store.engine, row.trial_id
        state = None if is_new else self._patiently(lambda: training_state_of(engine, trial_id))
        if state is None:
            return LiveTrial(row, shadow, candidate)
        epochs = self._patiently(lambda: epochs_of(engine, trial_id))[: state.epoch]
        return LiveTrial(row, shadow, candidate, tuple(EpochRecord(**epoch) for epoch in epochs), state.content)

    def miss(self, shadow: optuna.Trial, candidate: Candidate, outcome: Outcome, reason: str) -> None:
        """Writes a trial whose candidate is not to be trained, and which ends with that."""
        attrs = {**_attributes_of(candidate), attributes.REASON: reason, attributes.OUTCOME: outcome}
        self._enter(shadow, attrs, _STATES[outcome])
        self._mirror.tell(shadow, _STATES[outcome])

    def write(self) -> None:
        """Writes what was kept of trials since the last time, in one transaction.

        Raises UpdateFinishedTrialError if somebody else has ended one of them: then nothing is written.
        """
        self._patiently(lambda: self._session.write(self._changes))
        self._changes = TrialChanges()

    def let_go(self) -> list[int]:
        """Forgets what was to be written of trials that somebody else has ended; returns their ids."""
        return self._patiently(lambda: self._changes.without_ended(self._store.engine))

    def tell_lost(self, trial: LiveTrial) -> None:
        """Tells the mirror of a trial that somebody else has ended, if it knows of no end yet."""
        if not self._mirror.frozen(trial.shadow).state.is_finished():
            self._mirror.tell(trial.shadow, TrialState.FAIL)

    def note(self, trial: LiveTrial, key: str, value: Any) -> None:
        """Keeps an attribute of a trial, until `write` in memory."""
        self._changes.user_attr(trial.row.trial_id, key, value)

    def epoch(self, trial: LiveTrial, record: EpochRecord, state: bytes = b"") -> bool:
        """Keeps an epoch, until `write` in memory, and returns whether the pruner wants the trial stopped.

        `state` is the training after it, from where it goes on if it is interrupted.
        """
        trial_id = trial.row.trial_id
        self._changes.epoch(trial_id, record.to_dict())
        self._changes.report(trial_id, record.epoch, record.eval_accuracy)
        if state:
            self._changes.training_state(trial_id, record.epoch, state)
        if record.epoch not in self._mirror.frozen(trial.shadow).intermediate_values:
            trial.shadow.report(record.eval_accuracy, record.epoch)
        return trial.shadow.should_prune()

    def why_pruned(self, trial: LiveTrial, epoch: int) -> str:
        """Why the pruner wanted a trial stopped after this epoch: the numbers that it compared."""
        best = max(self._mirror.frozen(trial.shadow).intermediate_values.values())
        return (
            f"{percent(best)} against a median of {percent(self._mirror.median(trial.shadow, epoch))} in epoch {epoch}"
        )

    def trained(self, trial: LiveTrial, course: Course, weights: bytes, clock: Clock) -> float:
        """Keeps a candidate that was trained to the end with its weights; returns its sustained accuracy.

        The weights become a file at once, all the rest waits for `write`. Raises OSError, with nothing kept, if the
        file cannot be written.
        """
        settings = self._study.settings
        accuracies = [record.eval_accuracy for record in course.epochs]
        value = sustained_accuracy(accuracies, settings.sustain)
        self.note(trial, attributes.WEIGHTS, self._keep(trial, "weights.pt", weights))
        self.note(trial, attributes.SUSTAINED_ACCURACY, value)
        self.note(trial, attributes.HELD, is_held(accuracies, settings.sustain, settings.target))
        self.note(trial, attributes.ACTIVE_SECONDS, clock.active_seconds)
        self.note(trial, attributes.ACTIVE_CORE_SECONDS, clock.core_seconds)
        self._end(trial, Outcome.TRAINED, "", course, value)
        return value

    def end(self, trial: LiveTrial, outcome: Outcome, reason: str, course: Course) -> None:
        """Ends a trial that was not trained to the end: in memory, until `write` in the database."""
        self._end(trial, outcome, reason, course)

    def _end(self, trial: LiveTrial, outcome: Outcome, reason: str, course: Course, value: float | None = None) -> None:
        if reason:
            self.note(trial, attributes.REASON, reason)
        for key, fact in _course_facts(course).items():
            self.note(trial, key, fact)
        self.note(trial, attributes.OUTCOME, outcome)
        ended = self._mirror.tell(trial.shadow, _STATES[outcome], value)
        self._changes.end(trial.row.trial_id, ended.state, ended.values)

    def _trained_on(self, shadow: optuna.Trial) -> str:
        """On what a trial is trained: all of it, should it go on elsewhere than it began."""
        before = str(shadow.user_attrs.get(attributes.TRAINED_ON, ""))
        if not before or before.endswith(self._provenance):
            return before or self._provenance
        return f"{before}; then {self._provenance}"

    def _enter(self, shadow: optuna.Trial, attrs: dict[str, Any], state: TrialState) -> Row:
        """Writes a drawn trial, in one transaction."""
        frozen = self._mirror.frozen(shadow)
        row = self._mirror.row(shadow)
        if row is not None:
            self._fill(row, frozen, attrs, state)
            return row
        template = create_trial(
            state=state,
            params=frozen.params,
            distributions=frozen.distributions,
            user_attrs=frozen.user_attrs | attrs,
            system_attrs=frozen.system_attrs,
        )
        # One that is written twice, since its connection was lost in between, is handed back at the end of the search,
        # and found to be a duplicate when it is drawn again.
        trial_id = self._patiently(lambda: self._optuna.create_new_trial(self._study.study_id, template))
        row = Row(trial_id, self._patiently(lambda: trial_number(self._store.engine, trial_id)))
        self._mirror.written(shadow, row)
        return row

    def _fill(self, row: Row, frozen: FrozenTrial, attrs: dict[str, Any], state: TrialState) -> None:
        """Writes what was drawn into the row of a trial that waited."""
        drawn = TrialChanges()
        for name, distribution in frozen.distributions.items():
            value = distribution.to_internal_repr(frozen.params[name])
            drawn.param(row.trial_id, name, value, distribution)
        for key, value in frozen.system_attrs.items():
            drawn.system_attr(row.trial_id, key, value)
        for key, value in attrs.items():
            drawn.user_attr(row.trial_id, key, value)
        if state.is_finished():
            drawn.end(row.trial_id, state)
        self._patiently(lambda: self._session.write(drawn))

    def _keep(self, trial: LiveTrial, file_name: str, content: bytes) -> str:
        """Puts a file into the artifact store, and returns its number there.

        The file comes first: a kill before the transaction leaves one that no trial names, and never a trial that
        names one that is not there. Optuna notes in an attribute what the file is: it is given the shadow for that,
        and what it wrote there goes into the transaction.
        """
        before = self._mirror.frozen(trial.shadow).system_attrs
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file_name
            path.write_bytes(content)
            files = self._patiently(self._store.artifacts).with_patience(self._patiently)
            artifact_id = upload_artifact(artifact_store=files, file_path=str(path), study_or_trial=trial.shadow)
        for key, value in self._mirror.frozen(trial.shadow).system_attrs.items():
            if key not in before:
                self._changes.system_attr(trial.row.trial_id, key, value)
        return artifact_id


def _course_facts(course: Course) -> dict[str, Any]:
    """What a training that is over came to; what there is none of is left out, so that the rest are all numbers."""
    facts: dict[str, Any] = {attributes.SECONDS: course.seconds}
    if course.worker is not None:
        facts[attributes.WORKER] = course.worker
    if course.epochs:
        best, last = max(course.epochs, key=lambda record: record.eval_accuracy), course.epochs[-1]
        facts |= {
            attributes.EPOCHS: len(course.epochs),
            attributes.SECONDS_PER_EPOCH: fmean(record.seconds for record in course.epochs),
            attributes.BEST_ACCURACY: best.eval_accuracy,
            attributes.BEST_EPOCH: best.epoch,
            attributes.GAP: last.train_accuracy - last.eval_accuracy,
        }
    return facts


def _attributes_of(candidate: Candidate) -> dict[str, Any]:
    return {
        attributes.CANDIDATE: candidate.to_dict(),
        attributes.CANDIDATE_ID: candidate.id,
        attributes.PARAMS: candidate.arch.params,
        attributes.MACS: candidate.arch.macs,
        attributes.RECEPTIVE_FIELD: candidate.arch.receptive_field,
    }
