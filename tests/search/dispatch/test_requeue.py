"""What did not come to its end: handed back as it is, or queued again as a new trial."""

import pytest
from optuna.trial import TrialState

from search.dispatch.requeue import MAX_RUNS, hand_back_running, queue_failed
from search.study import attributes
from search.study.outcomes import Outcome, outcome_of
from search.study.study import SearchStudy, resume_study
from storage.store import Store
from storage.training_states import training_state_of
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import begin, search


def failing(study: SearchStudy, n_trials: int, *positions: int) -> InlineEngine:
    """One session, in which the jobs at these positions fail."""
    engine = InlineEngine(small_digits())
    engine.breaks_at = set(positions)
    search(study, n_trials, engine)
    return engine


def test_what_failed_is_tried_again_with_its_seed_in_the_next_session(store: Store) -> None:
    first = failing(begin(store), 2, 0)
    study = resume_study(store, "s", {})
    assert (study.counts()["failed"], study.n_past_gate()) == (1, 2)
    again = failing(study, 3)
    assert (again.jobs[0].candidate, again.jobs[0].seed) == (first.jobs[0].candidate, first.jobs[0].seed)
    assert again.jobs[0].number != first.jobs[0].number
    study.refresh()
    assert (study.counts()["failed"], study.n_past_gate()) == (1, 3)
    assert study.trial(again.jobs[0].number).user_attrs[attributes.RETRY_OF] == first.jobs[0].number


def test_what_fails_again_and_again_is_given_up(store: Store) -> None:
    study = begin(store)
    seen = [failing(study, 1, 0).jobs[0].candidate]
    for n_trials in range(2, 2 + MAX_RUNS):
        study = resume_study(store, "s", {})
        seen.append(failing(study, n_trials, 0).jobs[0].candidate)
    assert seen[:MAX_RUNS] == [seen[0]] * MAX_RUNS
    assert seen[0] not in seen[MAX_RUNS:]


@pytest.mark.parametrize(("most", "n_queued"), [(0, 0), (1, 1), (9, 2)])
def test_no_more_is_queued_again_than_is_wanted(store: Store, most: int, n_queued: int) -> None:
    failing(begin(store), 3, 0, 2)
    study = resume_study(store, "s", {})
    assert queue_failed(study, most) == n_queued
    assert queue_failed(study, 9) == 2 - n_queued, "what waits already is not queued twice"


def test_what_never_had_a_candidate_ends(store: Store) -> None:
    """A trial that another program asked for, and left running."""
    study = begin(store)
    study.optuna.ask()
    assert hand_back_running(study) == 1
    [trial] = study.snapshot.all
    assert (trial.state, outcome_of(trial)) == (TrialState.FAIL, Outcome.INTERRUPTED)


def test_the_state_of_a_training_goes_with_its_end(store: Store) -> None:
    study = begin(store, epochs=3)
    kept: list[int | None] = []

    def look(job: object, record: object) -> None:
        state = training_state_of(store.engine, study.running()[0]._trial_id) if study.running() else None
        kept.append(state.epoch if state else None)
        study.refresh()

    study.refresh()
    search(study, 1, InlineEngine(small_digits(), after_epoch=look))
    assert kept == [None, 1, 2]
    [trained] = study.trials(Outcome.TRAINED)
    assert training_state_of(store.engine, trained._trial_id) is None
