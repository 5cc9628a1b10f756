"""A search for the smallest network: what clears the target makes the budget its own size."""

from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.dispatch.budget import Budget
from search.dispatch.listener import Listener, SearchState, TrialEnded
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.settings import SMALLEST, StudySettings
from search.study.study import SearchStudy, resume_study
from search.study.trials import budget_after, front_of
from storage.store import Store
from tests.helpers.inline import BatchEngine, TurnsEngine, small_digits
from tests.helpers.searches import EASY, SMALL, begin, search

SETTINGS = StudySettings("digits", find=SMALLEST, max_params=5_000, target=0.9, margin=0.01)


def trained(params: int, accuracy: float) -> FrozenTrial:
    return create_trial(state=TrialState.COMPLETE, value=accuracy, user_attrs={attributes.PARAMS: params})


def easy(store: Store, **settings: object) -> SearchStudy:
    """A study whose target half of the candidates reach."""
    space = {**SMALL, "stem_width": "2:16", "body_width": "2:16", "transition_width": "2:12"}
    return begin(store, space, max_params=5_000, find=SMALLEST, target=0.05, margin=0.01, **settings)


def budgets_of(study: SearchStudy) -> list[int]:
    """The budget under which each candidate was drawn, by the constraint that was kept."""
    drawn = [t for t in study.snapshot.all if attributes.PARAMS in t.user_attrs and t.constraints]
    return [round(t.user_attrs[attributes.PARAMS] - t.constraints["params"] + 1) for t in drawn]


def test_only_what_clears_the_target_by_the_margin_moves_the_budget() -> None:
    assert budget_after(SETTINGS, []) == 5_000
    assert budget_after(SETTINGS, [(3_000, 0.905), (2_000, 0.89)]) == 5_000
    assert budget_after(SETTINGS, [(3_000, 0.91), (4_000, 0.99), (2_000, 0.9)]) == 3_000
    assert budget_after(StudySettings("digits", max_params=5_000), [(3_000, 1.0)]) == 5_000


def test_the_front_is_what_no_smaller_network_beats() -> None:
    trials = [trained(5, 0.9), trained(3, 0.8), trained(4, 0.7), trained(5, 0.95), trained(9, 0.95)]
    assert [(t.user_attrs[attributes.PARAMS], t.value) for t in front_of(trials)] == [(3, 0.8), (5, 0.95)]
    assert front_of([]) == []


def test_constraints_are_stated_anew_and_pruners_see_what_is_within_the_budget() -> None:
    """Optuna would keep them as they were first stated: all of these within a budget of 5,000."""
    budget = Budget(SETTINGS)
    trials: list[FrozenTrial] = []
    for number, (params, accuracy) in enumerate([(4_000, 0.95), (3_000, 0.92), (2_999, 0.5), (1_000, 0.4)]):
        trial = trained(params, accuracy)
        trial.number = number
        trial.set_constraint("params", params - 4_999)
        trial.system_attrs = {**trial.system_attrs, "constraints": [params - 4_999.0], "other": 1}
        budget.sized(number, params)
        trials.append(trial)
    told = budget.restated(trials)
    assert [t.constraints for t in told] == [{"params": 1_001}, {"params": 1}, {"params": 0}, {"params": -1_999}]
    assert all(t.system_attrs["other"] == 1 for t in told)
    assert [t.constraints["params"] for t in trials] == [-999, -1_999, -2_000, -3_999], "what it was given stays"
    assert [t.number for t in budget.within(trials)] == [2, 3]
    assert budget.after(trials[:1]) == 4_000


def test_each_network_that_clears_the_target_makes_the_budget_its_own_size(store: Store) -> None:
    study = easy(store)
    state = search(study, 8)
    assert state.find == SMALLEST
    budgets = budgets_of(study)
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[0] == study.settings.max_params > budgets[-1] >= state.budget == study.budget()
    smallest = study.smallest()
    assert smallest is not None
    sizes = [t.user_attrs[attributes.PARAMS] for t in study.trials(Outcome.TRAINED) if (t.value or 0) >= 0.06]
    assert state.budget == min(sizes)
    assert sizes == sorted(set(sizes), reverse=True), "each that clears it is smaller than those before"


def test_it_goes_on_with_the_budget_that_it_had(store: Store) -> None:
    search(easy(store), 5)
    resumed = resume_study(store, "s", {})
    before = resumed.budget()
    assert before < resumed.settings.max_params
    n_trials = len(resumed.snapshot.all)
    search(resumed, 8)
    assert all(budget <= before for budget in budgets_of(resumed)[n_trials:])


def test_what_is_in_training_and_larger_is_stopped(store: Store) -> None:
    """Two slots: while one clears the target, a larger network is in the other."""
    ended: list[TrialEnded] = []

    class Listening(Listener):
        def ended(self, state: SearchState, trial: TrialEnded) -> None:
            ended.append(trial)

    study = easy(store)
    search(study, 10, TurnsEngine(small_digits(), 3), listener=Listening())
    outgrown = [t for t in study.trials(Outcome.PRUNED) if "are wanted now" in t.user_attrs["reason"]]
    assert outgrown
    for trial in outgrown:
        assert trial.state is TrialState.PRUNED
        assert trial.user_attrs[attributes.PARAMS] >= study.budget()
        [told] = [one for one in ended if one.number == trial.number]
        assert told.outcome is Outcome.PRUNED
    assert not study.running()


def test_a_deterministic_one_is_the_same_with_one_slot_and_with_three(tmp_path: Path) -> None:
    def trials(name: str, engine: BatchEngine | None) -> list[object]:
        store = Store(f"sqlite:///{tmp_path / name}")
        study = easy(store, deterministic=True, window=3)
        search(study, 6, engine)
        return [(t.number, t.user_attrs.get("candidate_id"), t.value, t.constraints) for t in study.snapshot.all]

    assert trials("a.db", None) == trials("b.db", BatchEngine(small_digits(), 3))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_space_without_anything_smaller_ends_the_search_and_says_so(store: Store, sampler: str) -> None:
    """Four networks there are: once the smallest has cleared the target, nothing is left to draw."""
    space = {**EASY, "stem_width": "2,3", "body_width": "2,3"}
    study = begin(store, space, find=SMALLEST, target=0.01, margin=0.0, sampler=sampler)
    state = search(study, 200)
    assert "draws in a row gave no new candidate under" in state.exhausted
    assert study.budget() < study.settings.max_params
