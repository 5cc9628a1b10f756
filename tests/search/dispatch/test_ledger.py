"""What is kept of a trial: its epochs as they come, and what it came to; of a batch everything or nothing."""

import math
from typing import Any

import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.pruners import ThresholdPruner
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from search.dispatch.dispatcher import Dispatcher, Limits, SearchFailedError
from search.dispatch.ledger import Clock, Course, Ledger
from search.dispatch.listener import Listener, SearchState, TrialEnded
from search.dispatch.live import LiveTrial
from search.dispatch.requeue import hand_back_running
from search.engines.protocol import Engine
from search.study.outcomes import PASSED_GATE, Outcome, outcome_of
from search.study.study import SearchStudy, open_study
from storage import sessions
from storage.epochs import epochs_of
from storage.errors import StorageFailedError, StudyBusyError
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.databases import WritingTransactions
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.many_slots import ManySlots
from tests.helpers.searches import begin, drawing, search
from trainer.training.records import EpochRecord
from trainer.workers.messages import Job


def test_a_trained_trial_keeps_its_epochs_and_its_sustained_accuracy(store: Store) -> None:
    study = begin(store, epochs=3, sustain=2)
    search(study, 1)
    [trial] = study.trials(Outcome.TRAINED)
    records = epochs_of(store.engine, trial._trial_id)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert trial.value == pytest.approx((records[1]["eval_accuracy"] + records[2]["eval_accuracy"]) / 2)
    assert trial.intermediate_values == {r["epoch"]: r["eval_accuracy"] for r in records}
    assert trial.user_attrs["best_accuracy"] == max(record["eval_accuracy"] for record in records)


def test_epochs_are_kept_as_they_come(store: Store) -> None:
    """An epoch is in the database before the next one begins: a crash loses at most the epoch under way."""
    seen: list[int] = []

    def count(job: Job, record: EpochRecord) -> None:
        trial = study.optuna.get_trials(deepcopy=False)[job.number]
        seen.append(len(epochs_of(store.engine, trial._trial_id)))

    study = begin(store, epochs=3)
    search(study, 1, InlineEngine(small_digits(), after_epoch=count))
    assert seen == [0, 1, 2]


# A batch of answers


def many(n: int, **options: Any) -> ManySlots:
    return ManySlots(*(InlineEngine(small_digits(), **options) for _ in range(n)))


class Told(Listener):
    """Keeps what it was told of ended trials, and how each then stood in the database."""

    def __init__(self, study: SearchStudy) -> None:
        self._study = study
        self.states: list[tuple[TrialState, Outcome | None, int]] = []

    def ended(self, state: SearchState, trial: TrialEnded) -> None:
        stored = self._study.trial(trial.number)
        n_epochs = len(epochs_of(self._study.store.engine, stored._trial_id))
        self.states.append((stored.state, outcome_of(stored), n_epochs))


def dispatcher_of(study: SearchStudy, engine: Engine, n_trials: int, listener: Listener) -> Dispatcher:
    session = StudySession(study.store.engine, study.study_id)
    return Dispatcher(study, engine, Limits(n_trials), session, listener, "a few digits")


def test_a_batch_of_answers_is_one_transaction_and_so_is_a_draw(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "BEAT_SECONDS", math.inf)
    study, engine = begin(store, epochs=3), many(4)
    engine.slots[1].breaks_at = {0}
    dispatcher = dispatcher_of(study, engine, 9, Listener())
    transactions = WritingTransactions(store)
    dispatcher.run()
    assert (study.counts()["trained"], study.counts()["failed"]) == (9, 1)
    assert engine.n_batches < 27, "27 epochs and 10 ends come in together"
    assert transactions.n == len(study.snapshot.all) + engine.n_batches + 1  # once it says how many slots it drives


def test_every_trial_keeps_on_what_and_with_which_seed_it_was_trained(store: Store) -> None:
    study, engine = begin(store), many(2)
    dispatcher_of(study, engine, 4, Listener()).run()
    kept = {trial.number: trial.user_attrs for trial in study.trials(*PASSED_GATE)}
    assert {number: attrs["training_seed"] for number, attrs in kept.items()} == {j.number: j.seed for j in engine.jobs}
    assert {attrs["trained_on"] for attrs in kept.values()} == {"a few digits"}


def test_a_trial_that_is_stopped_before_its_first_answer_keeps_its_seed(store: Store) -> None:
    class Stopping(Listener):
        def changed(self, state: SearchState) -> None:
            if state.running:
                dispatcher.stop()

    study, engine = begin(store), many(2)
    dispatcher = dispatcher_of(study, engine, 4, Stopping())
    dispatcher.run()
    assert engine.n_batches == 0
    [stopped] = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert stopped.user_attrs["training_seed"] == engine.jobs[0].seed


def test_an_end_is_told_when_it_is_written(store: Store) -> None:
    study, engine = begin(store, epochs=3), many(3)
    engine.slots[2].breaks_at = {0}
    told = Told(study)
    state = dispatcher_of(study, engine, 5, told).run()
    assert sorted(told.states, key=str) == [(TrialState.COMPLETE, Outcome.TRAINED, 3)] * 5 + [
        (TrialState.FAIL, Outcome.FAILED, 0)
    ]
    assert state.n_done == 5
    assert state.best is not None
    assert state.best.value == max(trial.value or 0 for trial in study.trials(Outcome.TRAINED))


def test_nothing_is_kept_of_a_batch_with_a_trial_that_another_dispatcher_has_ended(store: Store) -> None:
    study = begin(store, epochs=4)
    study.optuna.pruner = ThresholdPruner(lower=1.5, n_warmup_steps=3)  # all three are to end in their third epoch

    def take_over(job: Job, record: EpochRecord) -> None:
        if record.epoch == 3 and not taken:
            dispatcher._session.end()
            sessions.append(StudySession(store.engine, study.study_id))
            taken.append(hand_back_running(open_study(store, "s")))

    taken: list[int] = []
    sessions: list[StudySession] = []
    told = Told(study)
    dispatcher = dispatcher_of(study, many(3, after_epoch=take_over), 9, told)
    with pytest.raises(StudyBusyError, match="another process has taken this study over"):
        dispatcher.run()
    assert taken == [3]
    waiting = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert [len(epochs_of(store.engine, trial._trial_id)) for trial in waiting] == [2, 2, 2]
    assert told.states == []


def test_an_end_that_cannot_be_written_is_not_told_and_its_candidate_runs_again(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(
            "CREATE TRIGGER full BEFORE INSERT ON trial_values BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        ))  # fmt: skip
    study = begin(store)
    told = Told(study)
    dispatcher = dispatcher_of(study, many(2), 3, told)
    with pytest.raises(IntegrityError, match="the disk is full"):
        dispatcher.run()
    assert (told.states, dispatcher._state.n_done, dispatcher._state.best) == ([], 0, None)
    assert study.running() == []
    [first, second] = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert [len(epochs_of(store.engine, trial._trial_id)) for trial in (first, second)] == [2, 2]
    assert "weights_artifact" not in first.user_attrs


def test_what_came_before_an_answer_that_ends_the_search_is_kept(store: Store) -> None:
    """The third failure in a row comes with the third epoch of another."""
    study, engine = begin(store, epochs=9), many(2)
    engine.slots[1].breaks_at = set(range(9))
    with pytest.raises(SearchFailedError, match="3 trainings in a row broke"):
        dispatcher_of(study, engine, 9, Listener()).run()
    assert len(study.trials(Outcome.FAILED)) == 3
    [interrupted] = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert len(epochs_of(store.engine, interrupted._trial_id)) == 3


# The ledger itself


def drawn(study: SearchStudy) -> tuple[Ledger, LiveTrial]:
    intake, ledger, _ = drawing(study)
    while (trial := intake.draw()) is None:
        pass
    return ledger, trial


def an_epoch(epoch: int, accuracy: float) -> EpochRecord:
    return EpochRecord(epoch, 0.5, accuracy, 0.25, accuracy, 0.1, 1.0, 1.0)


def test_the_pruner_is_asked_before_anything_is_written(store: Store) -> None:
    study = begin(store, epochs=3)
    study.optuna.pruner = ThresholdPruner(lower=0.5)
    ledger, trial = drawn(study)
    assert [ledger.epoch(trial, an_epoch(*one)) for one in ((1, 0.75), (2, 0.25))] == [False, True]
    assert epochs_of(store.engine, trial.row.trial_id) == []
    ledger.write()
    assert study.trial(trial.number).intermediate_values == {1: 0.75, 2: 0.25}


def test_the_weights_are_optunas_artifact_of_a_trained_trial(store: Store) -> None:
    study = begin(store)
    ledger, trial = drawn(study)
    ledger.epoch(trial, an_epoch(1, 0.75))
    ledger.trained(trial, Course([an_epoch(1, 0.75)], 2.0, 1), b"weights", Clock(1.0, None))
    ledger.write()
    [meta] = get_all_artifact_meta(study.trial(trial.number), storage=store.optuna)
    assert (meta.filename, meta.artifact_id) == ("weights.pt", study.trial(trial.number).user_attrs["weights_artifact"])
    with store.artifacts().open_reader(meta.artifact_id) as stored:
        assert stored.read() == b"weights"
    assert study.trial(trial.number).constraints["params"] < 0


def test_weights_that_cannot_be_kept_leave_the_trial_as_it_was(store: Store) -> None:
    study = begin(store)
    ledger, trial = drawn(study)
    before = study.trial(trial.number)
    store.artifact_folder.write_text("no folder")
    with pytest.raises(StorageFailedError, match=r"^the folder of files cannot be used \(.*mnist-search-artifacts"):
        ledger.trained(trial, Course([an_epoch(1, 0.75)], 2.0, 1), b"weights", Clock(1.0, None))
    ledger.write()
    assert study.trial(trial.number) == before


def test_a_trial_that_waited_is_taken_and_filled_in_two_transactions(store: Store) -> None:
    """First it has to be ours: another one may take it."""
    study = begin(store)
    fits = drawn(study)[1].shadow.params
    open_study(store, "s").optuna.enqueue_trial({**fits, "lr": 0.05})
    study.refresh()
    intake, _, mirror = drawing(study)
    transactions = WritingTransactions(store)
    trial = intake.draw()
    assert transactions.n == 2
    assert trial is not None
    stored, shadow = study.trial(trial.number), mirror.frozen(trial.shadow)
    assert (stored.params, stored.distributions) == (shadow.params, shadow.distributions)
    assert list(stored.params) == list(shadow.params)
    assert stored.system_attrs == shadow.system_attrs
    assert stored.user_attrs["candidate_id"] == trial.candidate.id
    assert (stored.params["lr"], stored.state) == (0.05, TrialState.RUNNING)
