"""Searches that were stopped, killed or taken over: what goes on, and what is counted once."""

import time

import optuna
import pytest
from optuna.trial import TrialState

from models.candidate import Candidate
from models.recipe import Recipe
from models.template import Template
from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener, SearchState, TrialEnded
from search.dispatch.requeue import hand_back_running
from search.study.outcomes import Outcome, outcome_of
from search.study.study import resume_study
from search.study.warm_start import queue
from storage.epochs import epochs_of
from storage.errors import StudyBusyError
from storage.sessions import StudySession, active_seconds
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import begin, search
from trainer.training.records import EpochRecord
from trainer.workers.messages import Job


def test_what_was_in_training_when_a_search_was_stopped_goes_on_under_its_number_with_its_seed(store: Store) -> None:
    study = begin(store)
    session = StudySession(store.engine, study.study_id)
    engine = InlineEngine(small_digits(), after_epoch=lambda job, record: dispatcher.stop())
    dispatcher = Dispatcher(study, engine, Limits(3), session, Listener())
    dispatcher.run()
    session.end()
    [stopped] = [trial for trial in study.optuna.get_trials() if outcome_of(trial) is not Outcome.REJECTED]
    assert (stopped.state, outcome_of(stopped)) == (TrialState.WAITING, None)
    assert list(stopped.intermediate_values) == [1], "what was kept of it stays"

    again = InlineEngine(small_digits())
    state = search(resume_study(store, "s", {}), 3, again)
    assert again.jobs[0].candidate == engine.jobs[0].candidate
    assert (again.jobs[0].number, again.jobs[0].seed) == (engine.jobs[0].number, engine.jobs[0].seed)
    assert state.n_done == 3
    assert study.running() == []


def test_what_a_killed_dispatcher_left_running_is_run_again_and_counted_once(store: Store) -> None:
    study = begin(store)
    abandoned = study.optuna.ask()
    study.space.sample(abandoned, 2)  # killed between drawing and noting the candidate
    state = search(resume_study(store, "s", {}), 2)
    assert state.n_done == 2
    assert study.running() == []
    assert outcome_of(study.trial(abandoned.number)) is Outcome.INTERRUPTED


def test_a_queued_candidate_survives_a_kill_before_it_was_noted(store: Store) -> None:
    study = begin(store)
    candidate = Candidate(Template((3,), 3, (4,)).arch(), Recipe(epochs=2, batch_size=32))
    assert queue(study, {"mine": candidate}) == 1
    assert queue(study, {"mine": candidate}) == 0
    study.optuna.ask()  # taken from the queue, and killed at once
    engine = InlineEngine(small_digits())
    search(resume_study(store, "s", {}), 1, engine)
    assert engine.jobs[0].candidate == candidate.to_dict()


def test_who_has_lost_the_study_writes_no_more(store: Store) -> None:
    """Another dispatcher takes over while this one stands still, as a laptop that sleeps."""
    study = begin(store, epochs=5)
    session = StudySession(store.engine, study.study_id)

    def take_over(job: Job, record: EpochRecord) -> None:
        if record.epoch == 2:
            session.end()
            taken.append(StudySession(store.engine, study.study_id))
            hand_back_running(study)
            session._last_beat = float("-inf")

    taken: list[StudySession] = []
    dispatcher = Dispatcher(study, InlineEngine(small_digits(), take_over), Limits(3), session, Listener())
    with pytest.raises(StudyBusyError, match="another process has taken this study over, since this one stood still"):
        dispatcher.run()
    waiting = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert len(waiting) == 1, "handed back by the other"


def test_a_trial_that_somebody_ends_by_hand_is_let_go_and_the_search_goes_on(store: Store) -> None:
    """As the button of optuna-dashboard does: once in the middle of a training, once at its very end."""
    study = begin(store, epochs=3)

    def end_by_hand(job: Job, record: EpochRecord) -> None:
        if (len(engine.jobs), record.epoch) in ((1, 1), (3, 3)):
            store.optuna.set_trial_state_values(study.trial(job.number)._trial_id, TrialState.FAIL)

    heard: list[Outcome] = []

    class Hearing(Listener):
        def ended(self, state: SearchState, trial: TrialEnded) -> None:
            heard.append(trial.outcome)

    engine = InlineEngine(small_digits(), end_by_hand)
    session = StudySession(store.engine, study.study_id)
    state = Dispatcher(study, engine, Limits(3), session, Hearing()).run()
    session.end()
    lost, trained = Outcome.INTERRUPTED, Outcome.TRAINED
    assert heard == [lost, trained, lost, trained, trained]
    assert state.n_done == len(study.trials(Outcome.TRAINED)) == 3
    assert [trial.state for trial in study.optuna.get_trials()].count(TrialState.FAIL) == 2
    assert study.running() == []


def test_a_study_that_is_deleted_in_the_middle_ends_its_search_in_a_line(store: Store) -> None:
    study = begin(store, epochs=3)
    session = StudySession(store.engine, study.study_id)
    engine = InlineEngine(small_digits(), lambda job, record: store.optuna.delete_study(study.study_id))
    dispatcher = Dispatcher(study, engine, Limits(3), session, Listener())
    with pytest.raises(StudyBusyError, match=r"^somebody has deleted this study meanwhile$"):
        dispatcher.run()
    session.end()


def test_a_copy_of_a_search_that_was_stopped_half_way_goes_on(store: Store) -> None:
    """Its training between two epochs was not copied: the trial is trained from its beginning, with its seed."""
    study = begin(store, epochs=3)
    session = StudySession(store.engine, study.study_id)
    engine = InlineEngine(small_digits(), after_epoch=lambda job, record: dispatcher.stop())
    dispatcher = Dispatcher(study, engine, Limits(1), session, Listener())
    dispatcher.run()
    session.end()
    optuna.copy_study(from_study_name="s", from_storage=store.optuna, to_storage=store.optuna, to_study_name="copy")
    again = InlineEngine(small_digits())
    copy = resume_study(store, "copy", {})
    search(copy, 1, again)
    assert [(job.number, job.seed, job.state) for job in again.jobs] == [
        (engine.jobs[0].number, engine.jobs[0].seed, b"")
    ]
    trained = copy.trial(again.jobs[0].number)
    assert outcome_of(trained) is Outcome.TRAINED
    assert [epoch["epoch"] for epoch in epochs_of(store.engine, trained._trial_id)] == [1, 2, 3]
    search(study, 1)
    assert study.trial(trained.number).value == trained.value, "the study itself goes on from its last epoch"


def test_time_in_which_the_machine_was_suspended_counts_nowhere(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """For 44 minutes in the middle of an epoch: neither as active, nor in the time left, nor against --timeout."""
    real, asleep, lefts, ends = time.monotonic, [0.0], list[float | None](), list[TrialEnded]()
    monkeypatch.setattr(time, "monotonic", lambda: real() + asleep[0])

    class Watching(Listener):
        def ended(self, state: SearchState, trial: TrialEnded) -> None:
            ends.append(trial)

        def changed(self, state: SearchState) -> None:
            lefts.append(state.seconds_left)

    def sleep(_job: Job, record: EpochRecord) -> None:
        asleep[0] += 44 * 60

    study = begin(store)
    state = search(study, 3, InlineEngine(small_digits(), sleep), Watching(), timeout_seconds=1000)
    assert state.n_done == 3
    assert asleep[0] >= 6 * 44 * 60
    assert active_seconds(store.engine, study.study_id) < 600
    assert max(left for left in lefts if left is not None) < 600
    assert max(end.seconds for end in ends) < 600
    assert all(trial.user_attrs["active_seconds"] < 600 for trial in study.trials(Outcome.TRAINED))
