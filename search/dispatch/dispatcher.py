"""The dispatcher: the one process that talks to Optuna and writes the database, while workers train."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError

from models.errors import MnistSearchError, WorkFailedError
from search.dispatch.gate import outgrown_reason
from search.dispatch.intake import Intake
from search.dispatch.ledger import Clock, Course, Ledger
from search.dispatch.listener import Listener, RunningTrial, SearchState, TrialEnded
from search.dispatch.live import LiveTrial
from search.dispatch.mirror import StudyMirror
from search.dispatch.requeue import hand_back_running, queue_failed
from search.engines.protocol import Engine
from search.study import attributes
from search.study.history import spent
from search.study.outcomes import PASSED_GATE, Outcome
from search.study.study import SearchStudy
from search.study.trials import best_of, smallest_of
from storage.active_clock import ActiveClock
from storage.errors import StorageFailedError, StudyLostError
from storage.patience import PATIENCE_SECONDS, Patience
from storage.sessions import StudySession
from trainer.workers.messages import Answer, BatchesDone, Broken, Diverged, EpochDone, Finished, Job, Lost, Ready, Slots

_POLL_SECONDS = 0.25
_MAX_FAILURES_IN_A_ROW = 3


class SearchFailedError(WorkFailedError):
    """The search cannot go on through no fault of a candidate; what is finished is kept."""


@dataclass(frozen=True)
class Limits:
    """When a search ends. Interrupting it is not a limit: see `Dispatcher.stop`."""

    n_trials: int
    """Candidates past the gate, in the study as a whole."""
    timeout_seconds: float | None = None
    """Of this session."""
    stop_at_target: bool = False
    patience_seconds: float = PATIENCE_SECONDS
    """For how long a database that is locked, or does not answer, is waited for."""


class _Running:
    """A trial in training; what it had before it was interrupted counts as its own."""

    def __init__(self, trial: LiveTrial, clock: ActiveClock) -> None:
        self.trial = trial
        self.epochs = list(trial.epochs)
        self.worker: int | None = None
        self._seconds_before = sum(record.seconds for record in trial.epochs)
        self._clock = clock
        self._began: float | None = None
        self._given = clock.seconds()

    def add(self, answer: EpochDone) -> None:
        """Takes in its next epoch."""
        if self._began is None:
            # Its worker may have been starting until now: the trial began with its first epoch.
            self._began = max(self._given, self._clock.seconds() - answer.record.seconds)
        self.epochs.append(answer.record)
        self.worker = answer.worker

    @property
    def seconds(self) -> float:
        began = self._given if self._began is None else self._began
        return self._seconds_before + self._clock.seconds() - began

    @property
    def course(self) -> Course:
        return Course(self.epochs, self.seconds, self.worker)


class Dispatcher:
    """Searches a study until a limit is reached; `run` may be called once."""

    def __init__(
        self,
        study: SearchStudy,
        engine: Engine,
        limits: Limits,
        session: StudySession,
        listener: Listener,
        provenance: str = "",
    ) -> None:
        """`provenance` says on what the workers train; it is kept with every trial."""
        self._study = study
        self._engine = engine
        self._limits = limits
        self._session = session
        self._listener = listener
        self._running: dict[int, _Running] = {}
        self._ended: list[tuple[_Running, TrialEnded]] = []
        self._clock = session.clock
        self._started = self._clock.seconds()
        self._stopping = False
        self._n_failures = 0
        self._is_lost = False
        self._core_seconds = spent(study).core_seconds
        self._exhausted: MnistSearchError | None = None
        patience = Patience(self._tell_waiting, self._is_ending, limits.patience_seconds)
        self._patiently = patience.call
        hand_back_running(study)
        queue_failed(study, limits.n_trials - study.n_past_gate())
        mirror = StudyMirror(study)
        self._ledger = Ledger(study, mirror, session, patience, provenance)
        self._intake = Intake(study, mirror, self._ledger, patience)
        self._state = self._first_state()
        study.store.leave_waiting_to_patience()

    def stop(self) -> None:
        """Makes `run` return soon; what is in training is queued to be run again. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> SearchState:
        """Searches, and returns how it stands at the end.

        Raises MnistSearchError if no candidate is to be had any more, under a budget that was never lowered;
        SearchFailedError if trainings keep breaking, StudyLostError if another dispatcher took the study over, and
        StorageFailedError if the database fails for longer than it is waited for.
        """
        self._listener.started(self._state)
        try:
            while not self._is_over():
                self._patiently(self._session.beat)
                self._count_slots()
                self._draw()
                self._handle_all(self._engine.poll(0 if self._has_room() else _POLL_SECONDS))
                self._state.session_seconds = self._clock.seconds() - self._started
                self._listener.changed(self._state)
            self._write()
        except KeyError:
            self._session.require()  # what is not there may have been deleted with the study
            raise
        except StudyLostError:
            self._is_lost = True
            raise
        finally:
            self._hand_back()
            self._study.refresh()
            self._listener.stopped(self._state)
        if self._exhausted is not None:
            if self._state.budget == self._study.settings.max_params:
                raise self._exhausted
            self._state.exhausted = str(self._exhausted)  # what was looked for is found: nothing smaller is to be had
        return self._state

    def _is_ending(self) -> bool:
        return self._stopping or self._is_timed_out()

    def _is_over(self) -> bool:
        if self._is_ending() or self._is_at_target():
            return True
        return not self._running and not self._wants_more()

    def _is_timed_out(self) -> bool:
        limit = self._limits.timeout_seconds
        return limit is not None and self._clock.seconds() - self._started >= limit

    def _is_at_target(self) -> bool:
        return self._limits.stop_at_target and self._state.smallest is not None

    def _wants_more(self) -> bool:
        n_under_way = self._state.n_done + len(self._running)
        return self._exhausted is None and n_under_way < self._limits.n_trials

    def _has_room(self) -> bool:
        return self._engine.n_free > 0 and self._wants_more() and self._intake.may_draw()

    def _draw(self) -> None:
        """One draw, if a slot waits for it: between two of them answers are handled, and a sign of life given."""
        if not self._has_room():
            return
        try:
            trial = self._intake.draw()
        except MnistSearchError as error:
            self._exhausted = error  # said once those in training have come to their end
            return
        self._state.counts[Outcome.REJECTED] = self._intake.n_rejected
        if trial is not None:
            self._submit(trial)
            self._stop_outgrown()  # one that goes on may have been drawn under a larger budget

    def _submit(self, trial: LiveTrial) -> None:
        self._running[trial.number] = _Running(trial, self._clock)
        last = trial.epochs[-1].eval_accuracy if trial.epochs else None
        shown = RunningTrial(trial.number, trial.candidate.arch.params, len(trial.epochs), last)
        self._state.running[trial.number] = shown
        seed = self._seed(trial)
        self._ledger.note(trial, attributes.TRAINING_SEED, seed)  # known after the trial: it goes with the next answers
        self._engine.submit(Job(trial.number, trial.candidate.to_dict(), seed, trial.state))

    def _seed(self, trial: LiveTrial) -> int:
        """The training's seed, from the study's and the trial's number (the first one's, for a candidate run again)."""
        return int(np.random.SeedSequence([self._study.settings.seed, trial.first_number]).generate_state(1)[0])

    def _handle_all(self, answers: Sequence[Answer]) -> None:
        """Handles what came in together, and writes what came of it in one transaction."""
        if not answers:
            return
        try:
            for answer in answers:
                self._handle(answer)
            self._stop_outgrown()
        finally:  # also where an answer ends the search: those before it are kept
            self._write()

    def _stop_outgrown(self) -> None:
        """Stops what is over the budget by now, where each network that clears the target lowers it.

        Not in a deterministic study: which epoch that would be is a matter of luck.
        """
        budget = self._state.budget = self._intake.budget
        if self._study.settings.deterministic:
            return
        outgrown = [one for one in self._running.values() if one.trial.candidate.arch.params >= budget]
        for running in outgrown:
            number, params = running.trial.number, running.trial.candidate.arch.params
            self._engine.stop(number)
            self._end(running, Outcome.PRUNED, outgrown_reason(params, budget))

    def _write(self) -> None:
        """Writes what is kept in memory, and then tells of the trials that ended: nothing is claimed that is not so."""
        while True:
            try:
                self._ledger.write()
                break
            except UpdateFinishedTrialError:
                for trial_id in self._ledger.let_go():
                    self._let_go(trial_id)
        while self._ended:
            _, ended = self._ended.pop(0)
            self._count(ended.number, ended.outcome)
            self._listener.ended(self._state, ended)

    def _let_go(self, trial_id: int) -> None:
        """Stops a trial that somebody has ended by hand, in optuna-dashboard or with Optuna; it does not count."""
        known = [*self._running.values(), *(running for running, _ in self._ended)]
        [running] = [one for one in known if one.trial.row.trial_id == trial_id]
        number = running.trial.number
        self._ledger.tell_lost(running.trial)
        self._ended = [(one, ended) for one, ended in self._ended if one is not running]
        if self._running.pop(number, None) is not None:
            self._engine.stop(number)
            del self._state.running[number]
        params, n_epochs = running.trial.candidate.arch.params, len(running.epochs)
        reason = "ended by somebody else"
        self._listener.ended(
            self._state, TrialEnded(number, Outcome.INTERRUPTED, params, None, n_epochs, running.seconds, reason)
        )

    def _handle(self, answer: Answer) -> None:
        if not isinstance(answer, (Ready, Slots, Lost)) and answer.number not in self._running:
            return  # an answer before it, of the same batch, was the last word on this trial
        match answer:
            case Ready():
                self._count_slots()
                self._listener.worker_ready(self._state, answer)
            case Slots():
                self._count_slots()
                self._listener.slots_fell(self._state, answer)
            case Lost():
                self._count_slots()
                self._listener.worker_lost(self._state, answer)
            case BatchesDone(number, share):
                self._state.running[number].epoch_share = share
            case EpochDone(number):
                self._epoch(self._running[number], answer)
            case Finished(number, weights, _):
                self._finish(self._running[number], weights)
            case Diverged(number, epoch):
                self._end(self._running[number], Outcome.DIVERGED, f"the loss was not finite in epoch {epoch}")
            case Broken(number, reason):
                self._fail(self._running[number], reason)

    def _epoch(self, running: _Running, answer: EpochDone) -> None:
        record = answer.record
        if record.epoch <= len(running.epochs):
            return  # known from before it was interrupted: what was kept of its training was of no use
        running.add(answer)
        if self._core_seconds is not None:
            self._core_seconds += record.core_seconds
        wants_stop = self._ledger.epoch(running.trial, record, answer.state)
        shown = self._state.running[answer.number]
        shown.epoch, shown.epoch_share, shown.accuracy = record.epoch, 0.0, record.eval_accuracy
        shown.record = record
        self._listener.epoch(self._state, shown)
        # After the last epoch there is nothing left to save by pruning: the candidate is trained.
        if wants_stop and record.epoch < self._study.settings.epochs:
            self._engine.stop(answer.number)
            self._end(running, Outcome.PRUNED, self._ledger.why_pruned(running.trial, record.epoch))

    def _finish(self, running: _Running, weights: bytes) -> None:
        clock = Clock(self._session.active_seconds, self._core_seconds)
        try:
            value = self._ledger.trained(running.trial, running.course, weights, clock)
        except OSError as error:
            raise SearchFailedError(f"the weights of a trained network cannot be kept: {error}") from error
        self._forget(running, Outcome.TRAINED, value)

    def _end(self, running: _Running, outcome: Outcome, reason: str) -> None:
        self._ledger.end(running.trial, outcome, reason, running.course)
        last = running.epochs[-1].eval_accuracy if running.epochs else None
        self._forget(running, outcome, last, reason)

    def _fail(self, running: _Running, reason: str) -> None:
        n_failures = self._n_failures + 1
        self._end(running, Outcome.FAILED, reason)
        self._n_failures = n_failures
        if self._n_failures >= _MAX_FAILURES_IN_A_ROW:
            raise SearchFailedError(f"{self._n_failures} trainings in a row broke; the last one: {reason}")

    def _forget(self, running: _Running, outcome: Outcome, accuracy: float | None, reason: str = "") -> None:
        number = running.trial.number
        del self._running[number]
        del self._state.running[number]
        self._n_failures = 0
        n_params, n_epochs = running.trial.candidate.arch.params, len(running.epochs)
        ended = TrialEnded(number, outcome, n_params, accuracy, n_epochs, running.seconds, reason)
        self._ended.append((running, ended))

    def _hand_back(self) -> None:
        """Hands back what has not ended, and is not another dispatcher's by now.

        A database that fails is left as it is: the next search hands back what it finds running.
        """
        if not self._is_lost:
            with suppress(StorageFailedError):
                hand_back_running(self._study)
        self._running.clear()
        self._ended.clear()
        self._state.running.clear()

    def _tell_waiting(self, text: str) -> None:
        self._listener.waiting(self._state, text)

    def _first_state(self) -> SearchState:
        settings, n_done = self._study.settings, self._study.n_past_gate()
        state = SearchState(
            study_name=self._study.name,
            n_total=max(self._limits.n_trials, n_done),
            epochs=settings.epochs,
            target=settings.target,
            n_workers=self._engine.n_workers,
            n_slots=self._engine.n_slots,
            counts=self._study.counts(),
            n_done=n_done,
            best=self._study.best(),
            smallest=self._study.smallest(),
            find=settings.find,
            budget=self._intake.budget,
        )
        state.n_done_before = n_done
        return state

    def _count_slots(self) -> None:
        """Notes how many trainings the engine runs at once, which its workers say when they are ready."""
        state = self._state
        state.n_workers, state.n_slots = self._engine.n_workers, self._engine.n_slots
        self._patiently(lambda: self._session.drives(state.n_workers, state.n_slots))

    def _count(self, number: int, outcome: Outcome) -> None:
        state = self._state
        state.n_done += outcome in PASSED_GATE
        state.counts[outcome] += 1
        if outcome is Outcome.TRAINED:
            trial = self._patiently(lambda: self._study.trial(number))
            state.best = best_of([trial, *filter(None, [state.best])])
            state.smallest = smallest_of([trial, *filter(None, [state.smallest])], state.target)
