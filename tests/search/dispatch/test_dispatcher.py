"""The dispatcher on a real study, with real trainings on a few digits in this process."""

import statistics
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.dispatch.dispatcher import Dispatcher, Limits, SearchFailedError
from search.dispatch.listener import Listener, RunningTrial, SearchState
from search.measures.words import percent
from search.study.history import n_epochs_trained
from search.study.outcomes import Outcome, outcome_of
from search.study.study import candidate_of, resume_study
from storage.epochs import epochs_of
from storage.sessions import StudySession, driven
from storage.store import Store
from tests.helpers.inline import BatchEngine, InlineEngine, small_digits
from tests.helpers.searches import EASY, SMALL, begin, search
from trainer.workers.messages import Answer, BatchesDone, Ready, Slots

NUMBERS = (
    "params", "macs", "receptive_field", "training_seed", "worker", "seconds", "epochs", "seconds_per_epoch",
    "sustained_accuracy", "best_accuracy", "best_epoch", "gap",
)  # fmt: skip


def test_trials_counts_only_candidates_past_the_gate_and_rejected_ones_are_never_trained(store: Store) -> None:
    study = begin(store, {**SMALL, "stem_width": "2:40", "body_width": "2:40", "transition_width": "2:6"})
    state = search(study, 4)
    rejected = study.trials(Outcome.REJECTED)
    assert state.n_done == study.n_past_gate() == len(study.trials(Outcome.TRAINED)) == 4
    assert rejected, "a space this wide must have some"
    for trial in rejected:
        assert trial.state is TrialState.PRUNED
        assert trial.value is None
        assert trial.user_attrs["params"] >= 1500
        assert trial.constraints["params"] == trial.user_attrs["params"] - 1499
        assert epochs_of(store.engine, trial._trial_id) == []
    assert all(t.user_attrs["params"] < 1500 for t in study.trials(Outcome.TRAINED))


def test_resuming_goes_on_to_the_total_with_fresh_draws(store: Store) -> None:
    search(begin(store), 2)
    resumed = resume_study(store, "s", {})
    search(resumed, 5)
    candidates = [trial.user_attrs["candidate_id"] for trial in resumed.trials(Outcome.TRAINED)]
    assert len(candidates) == len(set(candidates)) == 5
    state = search(resume_study(store, "s", {}), 5)
    assert (state.n_done, state.n_done_before) == (5, 5)


def test_the_same_seed_searches_the_same_with_one_worker(tmp_path: Path) -> None:
    def values(name: str, seed: int) -> list[tuple[str, float | None]]:
        store = Store(f"sqlite:///{tmp_path / name}")
        study = begin(store, seed=seed)
        search(study, 3)
        return [(trial.user_attrs["candidate_id"], trial.value) for trial in study.trials(Outcome.TRAINED)]

    assert values("a.db", 3) == values("b.db", 3)
    assert values("c.db", 4) != values("d.db", 5)


def test_a_diverged_candidate_ends_pruned_and_counts_as_past_the_gate(store: Store) -> None:
    rates = {"lr": "90.0:100.0", "schedule": "constant", "label_smoothing": "0"}
    study = begin(store, {**EASY, **rates, "head": "conv", "second_pool": "true"})
    state = search(study, 6)
    diverged = study.trials(Outcome.DIVERGED)
    assert diverged, "six trainings at a rate of 90 or more: one at least must diverge"
    assert state.n_done == 6
    assert all(trial.state is TrialState.PRUNED for trial in diverged)
    assert diverged[0].user_attrs["reason"].startswith("the loss was not finite in epoch ")


def test_a_broken_training_is_failed_and_the_search_goes_on(store: Store) -> None:
    engine = InlineEngine(small_digits())
    engine.breaks_at = {1}
    study = begin(store)
    state = search(study, 3, engine)
    assert {**study.counts(), "rejected": 0} == {"trained": 3, "pruned": 0, "rejected": 0, "diverged": 0, "failed": 1}
    assert state.n_done == 3


def test_three_broken_trainings_in_a_row_end_the_search(store: Store) -> None:
    engine = InlineEngine(small_digits())
    engine.breaks_at = set(range(10))
    with pytest.raises(
        SearchFailedError,
        match=r"^3 trainings in a row broke; the last one: its worker ended with exit code -9$",
    ):
        search(begin(store), 9, engine)


def test_the_median_pruner_stops_weak_candidates_before_their_last_epoch(store: Store) -> None:
    # A third of the learning rates teach nothing in six epochs: the median pruner must find them.
    study = begin(store, {**EASY, "lr": "0.00001:0.5:log", "schedule": "constant"}, epochs=6, pruner="median")
    search(study, 14)
    pruned = study.trials(Outcome.PRUNED)
    assert pruned
    for trial in pruned:
        n_epochs = len(epochs_of(store.engine, trial._trial_id))
        assert 2 <= n_epochs < 6
        before = [one for one in study.trials(Outcome.TRAINED) if one.number < trial.number]
        bar = statistics.median(one.intermediate_values[n_epochs] for one in before)
        best = max(trial.intermediate_values.values())
        assert best < bar
        assert trial.user_attrs["reason"] == (f"{percent(best)} against a median of {percent(bar)} in epoch {n_epochs}")


def test_what_a_training_came_to_can_be_sorted_by(store: Store) -> None:
    study = begin(store, {**EASY, "body_width": "2:24"}, epochs=3)
    search(study, 3)
    for trial in study.trials(Outcome.TRAINED):
        records = epochs_of(store.engine, trial._trial_id)
        best = max(records, key=lambda record: record["eval_accuracy"])
        assert {key: trial.user_attrs[key] for key in ("epochs", "best_epoch", "best_accuracy", "worker")} == {
            "epochs": 3, "best_epoch": best["epoch"], "best_accuracy": best["eval_accuracy"], "worker": 1,
        }  # fmt: skip
        assert trial.user_attrs["sustained_accuracy"] == trial.value
        assert trial.user_attrs["gap"] == records[-1]["train_accuracy"] - records[-1]["eval_accuracy"]
        assert trial.user_attrs["seconds_per_epoch"] == pytest.approx(sum(r["seconds"] for r in records) / 3)
        assert trial.user_attrs["receptive_field"] == candidate_of(trial).arch.receptive_field
    for trial in study.optuna.get_trials():
        held = [key for key in NUMBERS if key in trial.user_attrs]
        assert len(held) == len(NUMBERS) or outcome_of(trial) is not Outcome.TRAINED
        assert [key for key in held if type(trial.user_attrs[key]) not in (int, float)] == []


def test_what_is_said_of_a_trial_behind_its_end_in_the_same_batch_is_ignored(tmp_path: Path) -> None:
    """A worker goes on until it sees the stop; and a search of one slot is the same whatever the timing."""

    def search_with(name: str, engine: InlineEngine) -> list[tuple[object, ...]]:
        ranges = {**EASY, "lr": "0.00001:0.5:log", "schedule": "constant"}
        study = begin(Store(f"sqlite:///{tmp_path / name}"), ranges, epochs=6, pruner="median")
        search(study, 14, engine)
        return [
            (trial.user_attrs["candidate_id"], outcome_of(trial), trial.values, trial.intermediate_values)
            for trial in study.optuna.get_trials()
        ]

    one_by_one = search_with("a.db", InlineEngine(small_digits()))
    at_once = search_with("b.db", BatchEngine(small_digits()))
    assert Outcome.PRUNED in [outcome for _, outcome, *_ in one_by_one]
    assert at_once == one_by_one


class Growing(BatchEngine):
    """Has three slots once its worker is ready, then two, then one of a worker that is replaced."""

    def __init__(self) -> None:
        super().__init__(small_digits())
        self._says: list[tuple[int, list[Answer]]] = [
            (3, [Ready(1.0, 1, 3)]), (2, [Slots(2, "no memory")]), (1, [])
        ]  # fmt: skip
        self.n_given: list[int] = []

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if not self._says:
            self.n_given.append(len(self._queue))
            return super().poll(timeout_seconds) if timeout_seconds else []
        self.n_slots, said = self._says.pop(0)
        return [*said, *super().poll(0)]


def test_the_search_follows_the_number_of_slots(store: Store) -> None:
    study, heard = begin(store), list[tuple[str, int, int]]()

    class Hearing(Listener):
        def worker_ready(self, state: SearchState, worker: Ready) -> None:
            heard.append(("ready", state.n_workers, state.n_slots))

        def slots_fell(self, state: SearchState, worker: Slots) -> None:
            heard.append((worker.reason, state.n_workers, state.n_slots))

        def changed(self, state: SearchState) -> None:
            assert driven(store.engine, study.study_id) == (1, state.n_slots)

    session, engine = StudySession(store.engine, study.study_id), Growing()
    state = Dispatcher(study, engine, Limits(8), session, Hearing()).run()
    assert heard == [("ready", 1, 3), ("no memory", 1, 2)]
    assert max(engine.n_given) == 1
    assert (state.n_done, state.n_workers, state.n_slots) == (8, 1, 1)
    assert driven(store.engine, study.study_id) == (1, 1)
    session.end()


class Telling(InlineEngine):
    """Tells between two answers that half of an epoch is done."""

    is_turn = False

    def poll(self, timeout_seconds: float) -> list[Answer]:
        self.is_turn = not self.is_turn
        is_half_way = self.is_turn and self._answers is not None
        return [BatchesDone(self.jobs[-1].number, 0.5)] if is_half_way else super().poll(timeout_seconds)


def test_how_far_an_epoch_is_is_shown_and_kept_nowhere(tmp_path: Path) -> None:
    shares: set[float] = set()

    class Hearing(Listener):
        def epoch(self, state: SearchState, trial: RunningTrial) -> None:
            assert trial.epoch_share == 0, "an epoch's end takes it back"

        def changed(self, state: SearchState) -> None:
            shares.update(one.epoch_share for one in state.running.values())

    kept = []
    for engine in (InlineEngine(small_digits()), Telling(small_digits())):
        store = Store(f"sqlite:///{tmp_path / type(engine).__name__}.db")
        study = begin(store, epochs=2)
        session = StudySession(store.engine, study.study_id)
        Dispatcher(study, engine, Limits(3), session, Hearing()).run()
        session.end()
        trials = [(t.state, t.value, t.params, t.intermediate_values) for t in study.snapshot.all]
        kept.append((trials, n_epochs_trained(study)))
    assert kept[0] == kept[1]
    assert shares == {0.0, 0.5}


def test_a_timeout_ends_the_session_and_keeps_what_is_finished(store: Store) -> None:
    study = begin(store)
    state = search(study, 10_000, timeout_seconds=1.5)
    assert 0 < state.n_done < 10_000
    assert study.running() == []


def test_stop_at_target_ends_at_the_first_candidate_that_reaches_it(store: Store) -> None:
    study = begin(store, target=0.02)
    state = search(study, 50, stop_at_target=True)
    assert state.n_done < 50
    assert state.smallest is not None
    assert (state.smallest.value or 0) >= 0.02


def test_the_seed_of_a_training_follows_from_the_study_and_the_trial(tmp_path: Path) -> None:
    def seeds(name: str, seed: int) -> list[int]:
        engine = InlineEngine(small_digits())
        search(begin(Store(f"sqlite:///{tmp_path / name}"), seed=seed), 3, engine)
        return [job.seed for job in engine.jobs]

    first = seeds("a.db", 0)
    assert len(set(first)) == 3
    assert set(first).isdisjoint(seeds("b.db", 1))


def test_broken_trainings_between_sound_ones_do_not_end_the_search(store: Store) -> None:
    engine = InlineEngine(small_digits())
    engine.breaks_at = {0, 1, 3, 4, 6}
    assert search(begin(store), 8, engine).n_done == 8
