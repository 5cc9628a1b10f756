"""The engine of this machine: real worker processes, their slots, and what becomes of those that die."""

from contextlib import closing
from pathlib import Path

import pytest
import torch

from search.engines.local import LocalEngine
from search.engines.protocol import EngineError
from tests.helpers.engines import harmed, pids_of
from tests.helpers.inline import small_digits
from tests.helpers.odd_workers import die
from tests.helpers.running import left_alive
from tests.helpers.workers import Harmful, alone, ends_of, made_job, records_of, train_all_of
from trainer.data.images import TrainingData
from trainer.workers.messages import Answer, Broken, EpochDone, Finished, Lost, Ready


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


def test_three_slots_of_one_worker_train_what_three_workers_do(data: TrainingData) -> None:
    jobs = [made_job(number, batch_size=8 * (number + 1)) for number in range(5)]
    with closing(LocalEngine(data, ["cpu"], torch.float32, 3)) as one:
        assert (one.n_workers, one.n_slots) == (1, 1), "until it is ready"
        of_slots = train_all_of(one, jobs)
        assert (one.n_workers, one.n_slots) == (1, 3)
    with closing(LocalEngine(data, ["cpu"] * 3, torch.float32)) as three:
        of_workers = train_all_of(three, jobs)
        assert (three.n_workers, three.n_slots) == (3, 3)
    assert ends_of(of_slots) == ends_of(of_workers) == dict.fromkeys(range(5), Finished)
    for job in jobs:
        assert records_of(of_slots, job.number) == records_of(of_workers, job.number) == alone(job, data)
    assert {one for one in of_slots if isinstance(one, Finished)} == {
        one for one in of_workers if isinstance(one, Finished)
    }
    assert [one.slots for one in of_slots if isinstance(one, Ready)] == [3]


def test_who_is_with_a_worker_that_is_killed_once_is_trained_as_if_nothing_had_been(
    data: TrainingData, tmp_path: Path
) -> None:
    jobs = [made_job(number, 20) for number in range(3)]
    with closing(harmed(Harmful(tmp_path, jobs[2].seed, 1, "kill"), data, 3)) as engine:
        heard = train_all_of(engine, jobs)
        assert engine.lost == [{0, 1, 2}]
        assert engine.n_slots == 3
    assert [one for one in heard if isinstance(one, Lost)] == [Lost("its worker ended with exit code -9", 3)]
    assert ends_of(heard) == dict.fromkeys(range(3), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


def test_slots_beside_a_suspect_are_free_for_others(data: TrainingData, tmp_path: Path) -> None:
    jobs = [made_job(number, 500) for number in range(3)]
    with closing(harmed(Harmful(tmp_path, jobs[0].seed, 1, "kill"), data, 3)) as engine:
        heard: list[Answer] = []
        for job in jobs:
            engine.submit(job)
        while sum(isinstance(one, Ready) for one in heard) < 2:
            heard += engine.poll(60)
        assert sum(isinstance(one, Lost) for one in heard) == 1
        assert engine.n_free == 2, "one is run again, and two wait for it to end"


def test_who_takes_its_worker_along_twice_is_broken_and_its_neighbours_are_trained(
    data: TrainingData, tmp_path: Path
) -> None:
    jobs = [made_job(number, 8) for number in range(5)]
    with closing(harmed(Harmful(tmp_path, jobs[1].seed, 9, "lose"), data, 3)) as engine:
        heard = train_all_of(engine, jobs)
        first, second = engine.lost
    assert first == {0, 1, 2}
    assert 1 in second
    assert not second & {0, 2}, "the others that were there are run again without it"
    assert ends_of(heard) == {0: Finished, 1: Broken, 2: Finished, 3: Finished, 4: Finished}
    assert Broken(1, "RuntimeError: CUDA error: an illegal access") in heard
    assert len(records_of(heard, 1)) == 2, "each run broke in its second epoch"
    for job in jobs[:1] + jobs[2:]:
        assert records_of(heard, job.number) == alone(job, data)


def test_a_graph_that_cannot_be_captured_costs_the_graphs_and_no_candidate(data: TrainingData, tmp_path: Path) -> None:
    jobs = [made_job(number) for number in range(3)]
    with closing(harmed(Harmful(tmp_path, jobs[1].seed, 99, "capture"), data, 3)) as engine:
        heard = train_all_of(engine, jobs)
        assert len(engine.lost) == 1
        assert [worker.settings.uses_graphs for worker in engine._workers] == [False]
    [lost] = [one for one in heard if isinstance(one, Lost)]
    assert lost.reason == (
        "CaptureError: CUDA graph capture failed: CUDA error: operation not permitted; "
        "MNIST_SEARCH_GRAPHS=0 trains without graphs"
    )
    assert ends_of(heard) == dict.fromkeys(range(3), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


@pytest.mark.parametrize(("n_times", "end"), [(1, Finished), (2, Broken)])
def test_a_training_that_raises_is_run_once_more_and_no_worker_is_lost(
    data: TrainingData, tmp_path: Path, n_times: int, end: type
) -> None:
    jobs = [made_job(0), made_job(1)]
    with closing(harmed(Harmful(tmp_path, jobs[0].seed, n_times, "raise"), data, 2)) as engine:
        heard = train_all_of(engine, jobs)
        assert engine.lost == []
        assert len(list(tmp_path.glob("harm-*"))) == n_times
    assert ends_of(heard) == {0: end, 1: Finished}
    assert (Broken(0, "RuntimeError: of ours") in heard) == (end is Broken)
    assert records_of(heard, 0) == alone(jobs[0], data)[: 3 if end is Finished else 2]
    assert records_of(heard, 1) == alone(jobs[1], data)


def test_a_worker_of_one_slot_in_which_a_training_raises_is_replaced(data: TrainingData, tmp_path: Path) -> None:
    jobs = [made_job(0), made_job(1)]
    with closing(harmed(Harmful(tmp_path, jobs[0].seed, 1, "raise"), data, 1)) as engine:
        heard = train_all_of(engine, jobs)
    [lost] = [one for one in heard if isinstance(one, Lost)]
    assert (lost.reason, lost.n_jobs) == ("RuntimeError: of ours", 1)
    assert ends_of(heard) == {0: Finished, 1: Finished}
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


def test_nothing_is_said_of_a_job_that_is_stopped_and_its_slot_is_free(data: TrainingData) -> None:
    endless, jobs = made_job(0, 1000), [made_job(1), made_job(2)]
    with closing(LocalEngine(data, ["cpu"], torch.float32, 2)) as engine:
        engine.submit(endless)
        engine.submit(made_job(4, 1000))
        engine.stop(4)  # while it waits: there is a single slot until the worker is ready
        heard = list[Answer]()
        while not any(isinstance(one, EpochDone) for one in heard):
            heard += engine.poll(60)
        engine.stop(0)
        engine.submit(made_job(3, 1000))
        engine.stop(3)
        later = train_all_of(engine, jobs)
    assert ends_of(later) == {1: Finished, 2: Finished}
    assert {one.number for one in later if isinstance(one, EpochDone)} == {1, 2}


class Stillborn(LocalEngine):
    """Its workers end with exit code 3 and have said nothing."""

    _work = staticmethod(die)

    def __init__(self) -> None:
        super().__init__(small_digits(8, 8), ["cpu"], torch.float32, 8)


@pytest.mark.parametrize(("n_jobs", "n_broken"), [(0, 0), (1, 1)])
def test_workers_that_always_end_are_not_replaced_for_ever(n_jobs: int, n_broken: int) -> None:
    with closing(Stillborn()) as engine:
        for number in range(n_jobs):
            engine.submit(made_job(number))
        heard = engine.poll(60) + engine.poll(60)
        with pytest.raises(
            EngineError, match=r"^3 workers in a row were lost; the last one: its worker ended with exit code 3$"
        ):
            engine.poll(60)
    assert [one for one in heard if not isinstance(one, Lost)] == [Broken(0, "its worker ended with exit code 3")][
        :n_broken
    ]


def test_closing_ends_the_workers_whatever_they_do(data: TrainingData) -> None:
    engine = LocalEngine(data, ["cpu"], torch.float32)
    pids = pids_of(engine)
    assert engine.n_slots == engine.n_workers == len(pids) == 1
    engine.close()
    assert left_alive(pids) == []
