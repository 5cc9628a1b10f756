"""Who hangs, by hand: a clock that is set, and workers that are nothing but what they have said."""

from dataclasses import dataclass, field

import pytest

from search.engines.hangs import Hangs, Patience


@dataclass(eq=False)
class Silent:
    """A worker that says what the test says."""

    is_ready: bool = True
    is_pending: bool = False
    jobs: dict[int, object] = field(default_factory=lambda: dict.fromkeys([0]))


class Listening:
    """An engine that polls so many times, each of which takes a quarter of a second."""

    def __init__(self, *workers: Silent) -> None:
        self.workers = workers
        self.clock = 100.0
        self.hangs = Hangs(Patience(start=30, first_epoch=20, floor=5, factor=10), lambda: self.clock)
        self.listen(0.25)

    def listen(self, seconds: float, *talkers: Silent) -> list[tuple[Silent, str]]:
        found: list[tuple[Silent, str]] = []
        for _ in range(round(4 * seconds)):
            self.clock += 0.25
            self.hangs.listened(0.25)
            for worker in talkers:
                self.hangs.word(worker)
            found += self.hangs.hung(self.workers)
        return found


def test_before_an_epoch_was_heard_of_there_is_patience() -> None:
    worker = Silent()
    team = Listening(worker)
    assert team.listen(20) == []
    [found] = team.listen(0.25)
    assert found == (worker, "no epoch for 20 s, where 20 s is the most to be expected: it hangs")


@pytest.mark.parametrize(("seconds", "limit"), [(0.25, 5), (2, 20)])
def test_then_it_is_as_long_as_the_longest_epoch_many_times_over(seconds: float, limit: float) -> None:
    one, other = Silent(), Silent(jobs={1: None})
    team = Listening(one, other)
    for took in (seconds, 0.25):
        team.listen(took, one, other)
        team.hangs.epoch(0)
    assert team.listen(limit, one) == []
    [(found, reason)] = team.listen(0.25, one)
    assert found is other
    assert reason.endswith(f"where {limit} s is the most to be expected: it hangs")


def test_an_epoch_counts_from_when_its_worker_was_ready() -> None:
    worker = Silent(is_ready=False)
    team = Listening(worker)
    team.listen(25)
    worker.is_ready = True
    team.listen(0.25, worker)
    team.hangs.epoch(0)
    assert team.listen(5) == []
    assert team.listen(0.25)


def test_who_is_not_ready_has_a_time_of_its_own() -> None:
    worker = Silent(is_ready=False)
    team = Listening(worker)
    team.hangs.epoch(0)
    assert team.listen(30) == []
    assert team.listen(0.25) == [(worker, "not ready after 30 s: it hangs")]


def test_who_has_nothing_to_do_owes_no_word() -> None:
    worker = Silent(jobs={})
    team = Listening(worker)
    team.hangs.epoch(0)
    assert team.listen(100) == []
    worker.jobs[0] = None
    assert team.listen(5) == [], "from when it was given a job"
    assert team.listen(0.25)


def test_while_nobody_listened_nobody_was_silent() -> None:
    worker = Silent()
    team = Listening(worker)
    team.hangs.epoch(0)
    team.listen(2)
    for _ in range(2):
        team.clock += 3600  # a database, or a laptop's suspend
        assert team.listen(0.25) == []
    assert team.listen(10)


def test_an_epoch_in_which_all_stood_still_teaches_no_patience() -> None:
    worker = Silent()
    team = Listening(worker)
    team.hangs.epoch(0)
    team.listen(1)
    team.clock += 3600
    team.listen(1)
    team.hangs.epoch(0)
    team.hangs.word(worker)
    assert team.listen(10 * 3) == [], "the hour was heard by nobody"
    assert team.listen(1)


def test_patience_doubles_with_those_that_hang_until_there_is_an_epoch() -> None:
    worker = Silent()
    team = Listening(worker)
    waits = []
    for _ in range(4):
        n = 0
        while not team.listen(0.25):
            n += 1
        waits.append(n / 4)
        team.hangs.word(worker)  # as the one in its place
    assert waits == [20, 40, 80, 80]
    worker.jobs = {1: None}
    team.listen(0.25, worker)
    team.hangs.epoch(1)
    assert team.listen(5) == []
    assert team.listen(0.25)


def test_who_waits_for_a_place_owes_no_word_and_all_of_them_wait_no_longer_than_a_start_may_take() -> None:
    one, other = Silent(is_ready=False, is_pending=True), Silent()
    team = Listening(one, other)
    assert team.listen(40, other) == []
    assert not team.hangs.is_nobody_here(team.workers)
    other.is_pending = True
    assert team.listen(30) == []
    assert not team.hangs.is_nobody_here(team.workers)
    team.listen(0.25)
    assert team.hangs.is_nobody_here(team.workers)
