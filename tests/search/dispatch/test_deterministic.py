"""A deterministic study: the same trials in the same order, however many slots there are and whichever is quicker."""

from pathlib import Path
from typing import Any

import pytest

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener
from search.study.outcomes import Outcome, outcome_of
from search.study.study import SearchStudy, resume_study
from storage.epochs import epochs_of
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.racing import KilledError, RacingSlots
from tests.helpers.searches import EASY, begin

N_TRIALS = 14
RANGES = {**EASY, "lr": "0.00001:0.5:log", "schedule": "constant", "dropout": "0.2", "ema_decay": "0,0.9"}


def new_study(folder: Path, name: str, **settings: Any) -> SearchStudy:
    store = Store(f"sqlite:///{folder / name}.db")
    return begin(store, RANGES, epochs=4, pruner="median", **{"deterministic": True, "window": 3} | settings)


def go_on(study: SearchStudy, engine: RacingSlots, n_trials: int = N_TRIALS) -> None:
    session = StudySession(study.store.engine, study.study_id)
    try:
        Dispatcher(study, engine, Limits(n_trials), session, Listener()).run()
    finally:
        session.end()


def results(study: SearchStudy) -> list[tuple[object, ...]]:
    """All that a study came to, but for times."""
    study.refresh()
    return [
        (
            trial.number, trial.params, trial.user_attrs["candidate_id"], outcome_of(trial), trial.values,
            trial.intermediate_values, trial.user_attrs.get("reason"), trial.user_attrs.get("training_seed"),
            [epoch | {"seconds": 0, "core_seconds": 0} for epoch in epochs_of(study.store.engine, trial._trial_id)],
        )
        for trial in study.snapshot.all
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """By one slot."""
    study = new_study(tmp_path_factory.mktemp("undisturbed"), "one")
    go_on(study, RacingSlots(1, seed=0))
    found = results(study)
    outcomes = [outcome for _, _, _, outcome, *_ in found]
    assert Outcome.PRUNED in outcomes
    assert outcomes.count(Outcome.TRAINED) > 5
    return found


@pytest.mark.parametrize(("n_slots", "seed"), [(2, 1), (3, 2), (8, 3)])
def test_any_number_of_slots_at_any_speed_comes_to_the_same(
    tmp_path: Path, undisturbed: list[tuple[object, ...]], n_slots: int, seed: int
) -> None:
    study, engine = new_study(tmp_path, "many"), RacingSlots(n_slots, seed)
    go_on(study, engine)
    assert engine.ended != sorted(engine.ended), "or no slot has overtaken another"
    assert results(study) == undisturbed


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_it_comes_to_the_same(
    tmp_path: Path, undisturbed: list[tuple[object, ...]], seed: int
) -> None:
    study = new_study(tmp_path, "killed")
    n_kills, n_resumed = 0, 0
    while True:
        engine = RacingSlots(3, seed + n_kills, polls_left=17)
        try:
            session = StudySession(study.store.engine, study.study_id)
            dispatcher = Dispatcher(study, engine, Limits(N_TRIALS), session, Listener())
            dispatcher._hand_back = lambda: None  # type: ignore[method-assign]  # nobody does after a kill
            dispatcher.run()
            break
        except KilledError:
            n_kills += 1
            n_resumed += any(job.state for job in engine.jobs)
        finally:
            session.end()
            study = resume_study(study.store, study.name, {})
    assert n_kills > 2
    assert n_resumed > 0, "or nothing has gone on from the middle"
    assert results(study) == undisturbed


def test_the_slots_of_other_studies_learn_from_what_has_ended(tmp_path: Path) -> None:
    """So that the test above can fail: without the setting luck decides what a draw knows."""
    found = []
    for seed in (1, 2, 3):
        study = new_study(tmp_path, str(seed), deterministic=False)
        go_on(study, RacingSlots(3, seed), 2 * N_TRIALS)
        found.append([params for _, params, *_ in results(study)])
    assert found[0] != found[1] or found[0] != found[2]
