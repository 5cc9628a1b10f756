"""The dispatcher on a real study, with real trainings on a few digits in this process."""

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.recipe import Recipe
from models.template import Template
from search.dispatch.dispatcher import Dispatcher, Limits, SearchFailedError, requeue_abandoned
from search.dispatch.listener import Listener, SearchState
from search.facts.cost import cost_facts
from search.space.space import Space
from search.study.outcomes import Outcome, outcome_of
from search.study.samplers import make_sampler
from search.study.settings import StudySettings
from search.study.study import SearchStudy, create_study, is_begun, open_study, resume_study
from search.study.warm_start import queue
from storage.epochs import epochs_of
from storage.errors import StudyBusyError
from storage.sessions import StudySession, active_seconds
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits
from trainer.training.records import EpochRecord
from trainer.workers.messages import Job

SMALL = {"stem_depth": "1", "body_depth": "1:2", "n_expansions": "0", "batch_size": "32", "ema_decay": "0"}
EASY = {**SMALL, "stem_width": "2:6", "body_width": "2:6", "transition_width": "2:6"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'test.db'}")


def begin(store: Store, ranges: dict[str, str] | None = None, **settings: Any) -> SearchStudy:
    values: dict[str, Any] = {
        "dataset": "digits",
        "epochs": 2,
        "sustain": 1,
        "max_params": 1500,
        "pruner": "none",
    } | settings
    space = Space.of(EASY if ranges is None else ranges, values["max_params"])
    return create_study(store, "s", StudySettings(**values, space=space.to_dict()))


def search(study: SearchStudy, n_trials: int, engine: InlineEngine | None = None, **limits: Any) -> SearchState:
    session = StudySession(study.store.engine, study.study_id)
    engine = engine or InlineEngine(small_digits())
    try:
        return Dispatcher(study, engine, Limits(n_trials, **limits), session, Listener()).run()
    finally:
        session.end()


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


def test_a_trained_trial_keeps_its_epochs_and_its_sustained_accuracy(store: Store) -> None:
    study = begin(store, epochs=3, sustain=2)
    search(study, 1)
    [trial] = study.trials(Outcome.TRAINED)
    records = epochs_of(store.engine, trial._trial_id)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert trial.value == pytest.approx((records[1]["eval_accuracy"] + records[2]["eval_accuracy"]) / 2)
    assert trial.intermediate_values == {r["epoch"]: r["eval_accuracy"] for r in records}
    assert trial.user_attrs["best_accuracy"] == max(record["eval_accuracy"] for record in records)


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


def test_a_stopped_search_queues_what_was_in_training_and_runs_it_again_with_its_seed(store: Store) -> None:
    study = begin(store)
    session = StudySession(store.engine, study.study_id)
    engine = InlineEngine(small_digits(), after_epoch=lambda job, record: dispatcher.stop())
    dispatcher = Dispatcher(study, engine, Limits(3), session, Listener())
    dispatcher.run()
    session.end()
    ended = Counter(outcome_of(trial) for trial in study.optuna.get_trials())
    assert (ended[Outcome.INTERRUPTED], ended[Outcome.TRAINED], study.running()) == (1, 0, [])

    again = InlineEngine(small_digits())
    state = search(resume_study(store, "s", {}), 3, again)
    assert again.jobs[0].candidate == engine.jobs[0].candidate
    assert again.jobs[0].seed == engine.jobs[0].seed
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


def test_a_diverged_candidate_ends_pruned_and_counts_as_past_the_gate(store: Store) -> None:
    study = begin(store, {**EASY, "lr": "90.0:100.0", "schedule": "constant", "label_smoothing": "0", "head": "conv"})
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
    assert {**study.counts(), "rejected": 0} == {"trained": 2, "pruned": 0, "rejected": 0, "diverged": 0, "failed": 1}
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
        assert trial.user_attrs["reason"] == f"below the median in epoch {n_epochs}"


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
    assert cost_facts(study)["seconds_to_target"] == pytest.approx(
        active_seconds(store.engine, study.study_id), abs=1.0
    )


def test_an_equal_candidate_is_not_trained_again(store: Store) -> None:
    study = begin(store)
    search(study, 1)
    [trained] = study.trials(Outcome.TRAINED)
    study.optuna.enqueue_trial(trained.params)
    engine = InlineEngine(small_digits())
    state = search(study, 2, engine)
    assert len(study.trials(Outcome.DUPLICATE)) == 1
    assert len(engine.jobs) == 1
    assert state.n_done == 2


def test_a_space_with_nothing_under_the_budget_ends_with_the_range_to_narrow(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.dispatch.intake.MAX_MISSES", 20)
    narrow_ranges = {"stem_width": "2:6", "transition_width": "2:6", "body_depth": "1", "order": "bn-relu"}
    study = begin(store, {**SMALL, **narrow_ranges, "body_width": "2:9000"})
    study.optuna.sampler = RandomSampler(seed=0)
    with pytest.raises(
        MnistSearchError,
        match=r"^20 draws in a row gave no new candidate under 1,500 parameters \(the smallest rejected has "
        r"[\d,]+\): narrow body_width, now 2:9000, in another --study$",
    ):
        search(study, 1)


def test_best_is_the_most_accurate_and_smallest_the_smallest_at_target(store: Store) -> None:
    study = begin(store, target=0.05)
    search(study, 6)
    trained = study.trials(Outcome.TRAINED)
    best, smallest = study.best(), study.smallest()
    assert best is not None
    assert smallest is not None
    assert best.value == max(trial.value or 0.0 for trial in trained)
    at_target = [t for t in trained if (t.value or 0.0) >= 0.05]
    assert smallest.user_attrs["params"] == min(trial.user_attrs["params"] for trial in at_target)


def test_counts_agree_with_the_database_by_plain_sql(store: Store, tmp_path: Path) -> None:
    study = begin(store, {**SMALL, "stem_width": "2:30", "body_width": "2:30", "transition_width": "2:6"})
    search(study, 4)
    rows = (
        sqlite3.connect(tmp_path / "test.db")
        .execute(
            "SELECT a.value_json, t.state, COUNT(*) FROM trials t JOIN trial_user_attributes a USING (trial_id) "
            "WHERE a.key = 'outcome' GROUP BY 1, 2"
        )
        .fetchall()
    )
    by_sql = {(json.loads(outcome), state): n for outcome, state, n in rows}
    counts = open_study(store, "s").counts()
    assert by_sql == {
        ("trained", "COMPLETE"): counts["trained"],
        ("rejected", "PRUNED"): counts["rejected"],
    }


def test_the_seed_of_a_training_follows_from_the_study_and_the_trial(tmp_path: Path) -> None:
    def seeds(name: str, seed: int) -> list[int]:
        engine = InlineEngine(small_digits())
        search(begin(Store(f"sqlite:///{tmp_path / name}"), seed=seed), 3, engine)
        return [job.seed for job in engine.jobs]

    first = seeds("a.db", 0)
    assert len(set(first)) == 3
    assert set(first).isdisjoint(seeds("b.db", 1))


def test_epochs_are_kept_as_they_come(store: Store) -> None:
    """An epoch is in the database before the next one begins: a crash loses at most the epoch under way."""
    seen: list[int] = []

    def count(job: Job, record: EpochRecord) -> None:
        trial = study.optuna.get_trials(deepcopy=False)[job.number]
        seen.append(len(epochs_of(store.engine, trial._trial_id)))

    study = begin(store, epochs=3)
    search(study, 1, InlineEngine(small_digits(), after_epoch=count))
    assert seen == [0, 1, 2]


def test_a_queued_candidate_survives_a_kill_before_it_was_noted(store: Store) -> None:
    study = begin(store)
    candidate = Candidate(Template((3,), 3, (4,)).arch(), Recipe(epochs=2, batch_size=32))
    assert queue(study, {"mine": candidate}) == 1
    assert queue(study, {"mine": candidate}) == 0
    study.optuna.ask()  # taken from the queue, and killed at once
    engine = InlineEngine(small_digits())
    search(resume_study(store, "s", {}), 1, engine)
    assert engine.jobs[0].candidate == candidate.to_dict()


def test_a_study_killed_at_its_birth_is_begun_again(store: Store) -> None:
    optuna.create_study(study_name="s", storage=store.optuna, direction="maximize")
    assert not is_begun(store, "s")
    assert search(begin(store), 1).n_done == 1
    assert is_begun(store, "s")


def test_who_has_lost_the_study_writes_no_more(store: Store) -> None:
    """Another dispatcher takes over while this one stands still, as a laptop that sleeps."""
    study = begin(store, epochs=5)
    session = StudySession(store.engine, study.study_id)

    def take_over(job: Job, record: EpochRecord) -> None:
        if record.epoch == 2:
            session.end()
            taken.append(StudySession(store.engine, study.study_id))
            requeue_abandoned(study)
            session._last_beat = float("-inf")

    taken: list[StudySession] = []
    dispatcher = Dispatcher(study, InlineEngine(small_digits(), take_over), Limits(3), session, Listener())
    with pytest.raises(StudyBusyError, match="another process has taken this study over, since this one stood still"):
        dispatcher.run()
    waiting = study.optuna.get_trials(states=(TrialState.WAITING,))
    assert len(waiting) == 1, "queued once, by the other"


def test_those_in_training_come_to_their_end_when_no_more_candidates_are_to_be_had(store: Store) -> None:
    one = {**EASY, "stem_width": "3", "body_width": "3", "transition_width": "3", "body_depth": "1", "lr": "0.1"}
    fixed = {"stem_kernel": "3", "transition_place": "before-pool", "second_pool": "false", "order": "bn-relu",
             "head": "gap-1x1", "dropout_place": "blocks", "batch_size": "32", "weight_decay": "0.0001",
             "schedule": "constant", "dropout": "0", "rotation_degrees": "0", "translation_share": "0",
             "scale_share": "0", "label_smoothing": "0"}  # fmt: skip
    study = begin(store, one | fixed)
    with pytest.raises(MnistSearchError, match="draws in a row repeated earlier candidates: the space is exhausted"):
        search(study, 2)
    assert len(study.trials(Outcome.TRAINED)) == 1
    assert study.running() == []


def test_broken_trainings_between_sound_ones_do_not_end_the_search(store: Store) -> None:
    engine = InlineEngine(small_digits())
    engine.breaks_at = {0, 1, 3, 4, 6}
    assert search(begin(store), 8, engine).n_done == 8


def test_a_sampler_does_not_learn_from_candidates_that_were_given(tmp_path: Path) -> None:
    """The same draws with and without trials that have no parameters and the best values of all."""

    def drawn(name: str, n_given: int) -> list[dict[str, Any]]:
        study = begin(Store(f"sqlite:///{tmp_path / name}"))
        study.optuna.sampler = make_sampler("tpe", 5, 0)
        for _ in range(n_given):
            study.optuna.add_trial(optuna.trial.create_trial(value=1.0))
        for number in range(16):
            trial = study.optuna.ask()
            study.space.sample(trial, 2)
            study.optuna.tell(trial, -abs(trial.params["lr"] - 0.1) - 0.001 * number)
        return [trial.params for trial in study.optuna.get_trials()[n_given:]]

    assert drawn("a.db", 0) == drawn("b.db", 9)
