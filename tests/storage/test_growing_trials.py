"""The trials of a study that grows, as somebody sees them who looks again and again."""

from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from storage.growing_trials import GrowingTrials
from storage.store import Store
from storage.trials import read_trials
from tests.helpers.databases import new_study

pytestmark = pytest.mark.every_database
IN_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
"""Where numbers are given again."""


@pytest.fixture
def study(store: Store) -> optuna.Study:
    new_study(store, "another").add_trial(create_trial(value=1.0))  # whose rows are not ours
    return new_study(store)


@pytest.fixture
def reader(store: Store, study: optuna.Study) -> GrowingTrials:
    return GrowingTrials(store.engine, study._study_id)


def assert_current(reader: GrowingTrials, study: optuna.Study) -> None:
    engine = study._storage._backend.engine  # type: ignore[attr-defined]
    assert reader.read() == read_trials(engine, study._study_id)


def test_every_moment_of_a_study_is_seen(reader: GrowingTrials, study: optuna.Study) -> None:
    assert reader.read() == []
    study.enqueue_trial({"x": 0.5})
    study.enqueue_trial({"x": 0.25})
    assert_current(reader, study)
    first, second = study.ask(), study.ask()
    assert_current(reader, study)
    third = study.ask()
    for trial in (first, second, third):
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("number", trial.number)
        trial.report(0.5, 1)
        assert_current(reader, study)
    third.report(0.75, 2)
    study.tell(third, 0.75)  # not in the order in which they began
    assert_current(reader, study)
    study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.1}))
    study.tell(first, state=TrialState.FAIL)
    assert_current(reader, study)
    second.set_constraint("size", 1.0)
    assert_current(reader, study)
    study.tell(second, 0.25)
    study.enqueue_trial({"x": 0.1})
    assert_current(reader, study)
    assert [trial.number for trial in reader.read()] == list(range(5))
    assert reader.n_deletions == 0


def test_what_has_ended_is_not_read_again(store: Store, reader: GrowingTrials, study: optuna.Study) -> None:
    study.enqueue_trial({"x": 0.5})  # the first of them waits, and is no better known for that
    study.add_trials([create_trial(value=float(n), user_attrs={"n": n}) for n in range(20)])
    before = reader.read()
    running = study.ask()
    asked: list[tuple[object, ...]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    after = reader.read()
    [(statement, given)] = [one for one in asked if "trial_user_attributes" in str(one[0])]
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(str(statement), given).all()  # type: ignore[arg-type]
    assert len(rows) == 1  # that of the first that had ended, by which it knows the study
    assert all(old is new for old, new in zip(before[1:], after[1:], strict=True))
    assert after[0].state is TrialState.RUNNING
    study.tell(running, 1.0)
    assert reader.read()[0].state is TrialState.COMPLETE
    again = reader.read()
    assert all(old is new for old, new in zip(after[1:], again[1:], strict=True))


def test_who_changes_the_list_changes_a_copy(reader: GrowingTrials, study: optuna.Study) -> None:
    study.add_trial(create_trial(value=1.0))
    reader.read().clear()
    assert_current(reader, study)


def begun_anew(store: Store, study: optuna.Study) -> optuna.Study:
    """Another study of the same name; SQLite gives it and its trials the same numbers."""
    optuna.delete_study(study_name=study.study_name, storage=store.optuna)
    again = new_study(store, study.study_name)
    assert again._study_id == study._study_id
    return again


@IN_SQLITE
@pytest.mark.parametrize("n_anew", [0, 1, 2, 5])
@pytest.mark.parametrize("waits", [False, True])
def test_a_study_that_was_deleted_and_begun_anew_is_read_anew(
    store: Store, reader: GrowingTrials, study: optuna.Study, n_anew: int, waits: bool
) -> None:
    """Also where the first trial of both waits, and nothing tells the one from the other."""

    def fill(study: optuna.Study, n: int, value: float) -> None:
        if waits and n:
            study.enqueue_trial({"x": 0.5})
            n -= 1
        study.add_trials([create_trial(value=value) for _ in range(n)])

    fill(study, 3, 1.0)
    ids = [trial._trial_id for trial in reader.read()]
    again = begun_anew(store, study)
    fill(again, n_anew, 2.0)
    assert_current(reader, again)
    assert [trial.value for trial in reader.read() if trial.state.is_finished()] == [2.0] * (
        n_anew - (waits and n_anew > 0)
    )
    assert reader.n_deletions == 1
    assert [trial._trial_id for trial in reader.read()][:3] == ids[:n_anew]


@IN_SQLITE
def test_fewer_that_wait_are_fewer(store: Store, reader: GrowingTrials, study: optuna.Study) -> None:
    study.enqueue_trial({"x": 1.0})
    study.enqueue_trial({"x": 2.0})
    assert len(reader.read()) == 2
    begun_anew(store, study).enqueue_trial({"x": 3.0})
    [trial] = reader.read()
    assert trial.system_attrs["fixed_params"] == {"x": 3.0}


def test_a_deleted_study_has_none(store: Store, reader: GrowingTrials, study: optuna.Study) -> None:
    study.add_trials([create_trial(value=1.0)] * 2)
    assert len(reader.read()) == 2
    optuna.delete_study(study_name=study.study_name, storage=store.optuna)
    assert reader.read() == []
    assert reader.read() == []
    assert reader.n_deletions == 1


def test_many_may_ask_at_once_while_it_grows(reader: GrowingTrials, study: optuna.Study) -> None:
    def look(_: int) -> bool:
        trials = reader.read()
        return [trial.number for trial in trials] == list(range(len(trials)))

    with ThreadPoolExecutor(8) as visitors:
        asked = []
        for n in range(20):
            asked += [visitors.submit(look, i) for i in range(4)]
            study.tell(study.ask(), float(n))
        assert all(one.result() for one in asked)
    assert_current(reader, study)
    assert len(reader.read()) == 20
