"""A study that is watched while it grows: what is said of it is current, and not worked out more often than that."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import optuna
import pytest

from search.dashboard import watched as watched_module
from search.dashboard.watched import WatchedStudy
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.store import Store
from tests.helpers.growing_studies import begin, empty_study, end, train, trained
from tests.helpers.made_studies import add_verification


class Clocks:
    """Time as a test wants it: that of the wall, and what making a page takes of a core."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cost = 0.0
        self._spent = 0.0

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        self._spent += self.cost / 2  # asked before and after
        return 2 * self._spent


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(watched_module, "time", SimpleNamespace(monotonic=made.monotonic, thread_time=made.thread_time))
    return made


@pytest.fixture
def study(store: Store) -> SearchStudy:
    study = empty_study(store)
    trained(study, 0, 0.9, 0.97, 0.97)
    return study


def test_the_page_changes_when_a_trial_ends_and_when_a_verification_does(study: SearchStudy, clocks: Clocks) -> None:
    watched = WatchedStudy(study)
    first = watched.page()
    assert "1 trained" in first[0]
    trained(study, 1, 0.9, 0.992, 0.992)
    clocks.now += 2
    second = watched.page()
    assert "2 trained" in second[0]
    assert second[1] != first[1]
    best = watched.best()
    assert best is not None
    assert best.number == 1
    add_verification(study, 0, [0.995] * 5)
    clocks.now += 2
    third = watched.page()
    assert "5 fresh seeds" in third[0]
    best = watched.best()
    assert best is not None
    assert best.number == 0


def test_it_is_made_again_after_a_while_only_and_only_if_anything_changed(study: SearchStudy, clocks: Clocks) -> None:
    watched = WatchedStudy(study)
    page = watched.page()
    clocks.now += 1000
    assert watched.page() is page
    trained(study, 1, 0.9, 0.9, 0.9)
    page = watched.page()  # long due
    assert "2 trained" in page[0]
    trained(study, 1, 0.9, 0.9, 0.9)
    clocks.now += 1.9
    assert watched.page() is page
    clocks.now += 0.2
    assert "3 trained" in watched.page()[0]


def test_a_page_that_costs_more_is_made_less_often(study: SearchStudy, clocks: Clocks) -> None:
    """A hundredth of a core it may take."""
    watched = WatchedStudy(study)
    clocks.cost = 0.5
    page = watched.page()
    trained(study, 1, 0.9, 0.9, 0.9)
    clocks.now += 49
    assert watched.page() is page
    clocks.now += 2
    assert watched.page() is not page


def test_while_trials_are_at_work_it_goes_on(study: SearchStudy, clocks: Clocks) -> None:
    """Epochs are told of, though no trial ends."""
    trial_id = begin(study, 1)
    watched = WatchedStudy(study)
    assert "epoch 0 of 3" in watched.page()[0]
    train(study, trial_id, 0.5)
    assert "epoch 0 of 3" in watched.page()[0]
    clocks.now += 2
    assert "epoch 1 of 3, 50.00%" in watched.page()[0]


def test_notes_are_made_once_a_trial_and_anew_when_it_changes(study: SearchStudy) -> None:
    trial_id = begin(study, 1)
    watched = WatchedStudy(study)
    watched.trials()
    before = [watched.note(0), watched.note(1)]
    train(study, trial_id, 0.5)
    watched.trials()
    assert watched.note(0) is before[0]
    assert "after epoch 1 of 3" in str(watched.note(1))
    assert (watched.note(-1), watched.note(2)) == (None, None)


def test_a_snapshot_is_of_its_moment(study: SearchStudy) -> None:
    watched = WatchedStudy(study)
    now = watched.study_now()
    trained(study, 1, 0.9, 0.9, 0.9)
    assert len(watched.trials()) == 2
    assert len(now.snapshot.all) == 1
    assert len(watched.study_now().snapshot.all) == 2


def test_another_study_in_its_place_has_nothing_of_it(study: SearchStudy, clocks: Clocks) -> None:
    """By the same name and number, with as many trials that ended, and as many verifications."""
    add_verification(study, 0, [0.995] * 5)
    watched = WatchedStudy(study)
    watched.page()
    state = watched.facts_state
    optuna.delete_study(study_name=study.name, storage=study.store.optuna)
    again = empty_study(study.store)
    end(again, begin(again, 2), Outcome.FAILED, reason="bad luck")
    assert watched.best() is None
    assert watched.facts_state != state
    assert "bad luck" in str(watched.note(0))
    clocks.now += 2
    assert "5 fresh seeds" not in watched.page()[0]


def test_many_may_ask_at_once_while_it_grows(study: SearchStudy) -> None:
    watched = WatchedStudy(study)

    def look(_: int) -> bool:
        n = len(watched.trials())
        best = watched.best()
        return best is not None and watched.note(n - 1) is not None and bool(watched.page()[0])

    with ThreadPoolExecutor(6) as visitors:
        asked = [visitors.submit(look, i) for i in range(12)]
        for _ in range(3):
            trained(study, 1, 0.9, 0.95, 0.95)
            asked += [visitors.submit(look, i) for i in range(4)]
        assert all(one.result() for one in asked)
    assert len(watched.trials()) == 4
