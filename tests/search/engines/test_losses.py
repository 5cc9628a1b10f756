"""The policy for what is lost, by hand."""

import pytest

from search.engines.losses import Given, Losses
from search.engines.protocol import EngineError
from trainer.training.records import EpochRecord
from trainer.workers.messages import EpochDone, Job


def done(epoch: int, state: bytes = b"") -> EpochDone:
    return EpochDone(0, EpochRecord(epoch, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), state=state)


def test_a_job_has_a_second_run_and_no_third() -> None:
    given = Given(Job(0, {}, 0))
    assert given.deserves_another_run()
    assert not given.deserves_another_run()


def test_a_second_run_s_records_are_news_from_where_the_first_broke_off() -> None:
    given = Given(Job(0, {}, 0))
    assert [given.is_news(done(epoch)) for epoch in (1, 2, 1, 2, 3)] == [True, True, False, False, True]


def test_a_second_run_goes_on_from_the_last_state_that_was_heard_of() -> None:
    given = Given(Job(0, {"a": 1}, 5, b"given"))
    states = []
    for message in (done(1, b"one"), done(2, b"two"), done(1, b"one again"), done(3)):
        given.is_news(message)
        states.append(given.job.state)
    assert states == [b"one", b"two", b"two", b"two"]
    assert given.job == Job(0, {"a": 1}, 5, b"two")


def test_three_losses_in_a_row_are_too_many_and_a_sign_of_life_between_them_forgives_all() -> None:
    losses = Losses()
    for _ in range(2):
        losses.worker_lost(0, "a first reason")
        losses.worker_lost(0, "a second reason")
        losses.sign_of_life()
    losses.worker_lost(0, "one")
    losses.worker_lost(0, "two")
    with pytest.raises(EngineError, match=r"^3 workers in a row were lost; the last one: three$"):
        losses.worker_lost(0, "three")


def test_several_that_are_lost_at_once_are_one_loss_each() -> None:
    losses = Losses()
    for place in range(16):
        losses.worker_lost(place, "the system had no memory left")
        losses.worker_lost(place, "nor had it for the next")
    with pytest.raises(EngineError):
        losses.worker_lost(7, "and again")
