"""Where candidates come from: draws, the queue, and what is done with those that are over the budget."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from models.errors import MnistSearchError
from search.dispatch.live import LiveTrial
from search.space.space import Space
from search.study.outcomes import Outcome
from search.study.settings import StudySettings
from search.study.study import create_study
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import EASY, SMALL, begin, drawing, search


def test_the_rejected_are_never_complete(tmp_path: Path) -> None:
    space = Space.of({"body_width": "10:40"}, 10_000)
    stored = StudySettings("digits", max_params=8_000, sampler="random", space=space.to_dict())
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    study = create_study(store, "study", stored)
    intake, _, _ = drawing(study)
    passed: list[LiveTrial] = []
    while len(passed) < 4:
        passed += filter(None, [intake.draw()])
    assert all(trial.candidate.arch.params < 8_000 for trial in passed)
    study.refresh()
    rejected = study.trials(Outcome.REJECTED)
    assert len(rejected) > 3
    for trial in rejected:
        n_params = trial.user_attrs["params"]
        assert n_params >= 8_000
        assert trial.state is TrialState.PRUNED
        assert trial.values is None
        assert trial.intermediate_values == {}
        assert trial.constraints["params"] == n_params - 7_999
        assert trial.user_attrs["reason"] == f"{n_params:,} parameters, the budget is fewer than 8,000"
        assert epochs_of(store.engine, trial._trial_id) == []
    assert len(rejected) + len(passed) == len(study.optuna.trials)
    assert study.n_past_gate() == 0  # the four are still running
    store.close()


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
    study = begin(store, {**SMALL, **narrow_ranges, "body_width": "2:4000"}, sampler="random")
    with pytest.raises(
        MnistSearchError,
        match=r"^20 draws in a row gave no new candidate under 1,500 parameters \(the smallest rejected has "
        r"[\d,]+\): narrow body_width, now 2:4000, in another --study$",
    ):
        search(study, 1)


def test_those_in_training_come_to_their_end_when_no_more_candidates_are_to_be_had(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.dispatch.intake.MAX_MISSES", 20)
    one = {**EASY, "stem_width": "3", "body_width": "3", "transition_width": "3", "body_depth": "1", "lr": "0.1"}
    fixed = {"stem_kernel": "3", "transition_place": "before-pool", "second_pool": "false", "order": "bn-relu",
             "head": "gap-1x1", "dropout_place": "blocks", "batch_size": "32", "weight_decay": "0.0001",
             "schedule": "constant", "dropout": "0", "rotation_degrees": "0", "translation_share": "0",
             "scale_share": "0", "label_smoothing": "0"}  # fmt: skip
    study = begin(store, one | fixed)
    with pytest.raises(
        MnistSearchError, match=r"^20 draws in a row repeated earlier candidates: the space is exhausted"
    ):
        search(study, 2)
    assert len(study.trials(Outcome.TRAINED)) == 1
    assert study.running() == []
