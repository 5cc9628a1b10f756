"""Real workers that stand still: they are noticed, replaced and ended, and nobody waits for them meanwhile."""

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import torch

from search.engines.hangs import Patience
from search.engines.local import LocalEngine
from search.engines.protocol import EngineError
from tests.helpers.engines import harmed, pids_of, stand_still
from tests.helpers.inline import small_digits
from tests.helpers.odd_workers import say_half_a_word, say_nothing, write_before_reading
from tests.helpers.running import left_alive
from tests.helpers.workers import Harmful, alone, ends_of, made_job, network_alone, records_of, train_all_of
from trainer.data.images import TrainingData
from trainer.workers.messages import Answer, Broken, EpochDone, Finished, Lost

SHORT = Patience(start=120, first_epoch=60, floor=3.0, factor=2.0)
"""The first epoch of a worker takes a hundred times as long as the next one, of such small jobs."""


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


def test_a_worker_that_stands_still_within_an_epoch_is_replaced_and_its_jobs_go_on(
    data: TrainingData, tmp_path: Path
) -> None:
    jobs = [made_job(number, 6, dropout=0.3, ema_decay=0.9) for number in range(3)]
    harmful = Harmful(tmp_path, jobs[1].seed, 1, "stop")
    with closing(harmed(harmful, data, 2, ["cpu", "cpu"], patience=SHORT)) as engine:
        heard = train_all_of(engine, jobs)
        [lost] = engine.lost
    assert 1 in lost
    [said] = [one for one in heard if isinstance(one, Lost)]
    assert said.reason.startswith("no epoch for ")
    assert ends_of(heard) == dict.fromkeys(range(3), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
        assert network_alone(job, data) in heard


@pytest.mark.slow
def test_a_candidate_that_stops_its_worker_each_time_is_broken(data: TrainingData, tmp_path: Path) -> None:
    jobs = [made_job(0, 4), made_job(1, 2)]
    with closing(harmed(Harmful(tmp_path, jobs[0].seed, 9, "stop"), data, 1, patience=SHORT)) as engine:
        heard = train_all_of(engine, jobs)
    assert ends_of(heard) == {0: Broken, 1: Finished}
    [broken] = [one for one in heard if isinstance(one, Broken)]
    assert broken.reason.startswith("no epoch for ")


class Mute(LocalEngine):
    """Its workers never become ready."""

    _work = staticmethod(say_nothing)


def test_workers_that_never_become_ready_end_the_work(data: TrainingData) -> None:
    patience = replace(SHORT, start=0.3)
    with closing(Mute(data, ["cpu"], torch.float32, 1, patience)) as engine:
        engine.submit(made_job(0))
        heard = list[Answer]()

        def listen() -> None:
            while True:
                heard.extend(engine.poll(0.1))

        with pytest.raises(EngineError, match=r"^3 workers in a row were lost; the last one: not ready after \d s: it"):
            listen()
    assert ends_of(heard) == {0: Broken}


class Verbose(LocalEngine):
    """Its worker writes a lot before it reads."""

    _work = staticmethod(write_before_reading)


def test_dispatcher_and_worker_never_wait_for_each_other(data: TrainingData) -> None:
    jobs = [replace(made_job(number), candidate={"is": "x" * 4_000}) for number in range(256)]
    with closing(Verbose(data, ["cpu"], torch.float32)) as engine:
        while engine.n_slots == 1:
            engine.poll(60)
        heard = list[Answer]()
        # In a thread, so that a test that fails does not hang: 256 jobs are more than a line holds.
        training = Thread(target=lambda: heard.extend(train_all_of(engine, jobs)), daemon=True)
        training.start()
        training.join(60)
        assert not training.is_alive()
    assert ends_of(heard) == dict.fromkeys(range(256), Finished)


class HalfAWord(LocalEngine):
    """Its worker stops within its first message after Ready, and reads nothing."""

    _work = staticmethod(say_half_a_word)


def test_nobody_waits_for_a_worker_that_stops_in_the_middle_of_a_word_and_hears_nothing(data: TrainingData) -> None:
    jobs = [replace(made_job(number), state=bytes(1_000_000)) for number in range(8)]
    began = time.monotonic()
    with closing(HalfAWord(data, ["cpu"], torch.float32, 8, SHORT)) as engine:
        while engine.n_slots == 1:
            engine.poll(60)
        ready = time.monotonic()
        for job in jobs:
            engine.submit(job)
        assert engine.poll(0.01) == []
        assert time.monotonic() - ready < 5
        closing_at = time.monotonic()
    assert time.monotonic() - closing_at < 4, f"after {closing_at - began:.1f} s"


def test_those_that_stand_still_do_not_delay_the_end(data: TrainingData) -> None:
    engine = LocalEngine(data, ["cpu", "cpu"], torch.float32)
    heard = list[Answer]()
    for number in range(2):
        engine.submit(made_job(number, 1000))
    while len({one.number for one in heard if isinstance(one, EpochDone)}) < 2:
        heard += engine.poll(60)
    pids = pids_of(engine)
    for pid in pids:
        stand_still(pid)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 2
    assert left_alive(pids, 0) == []
