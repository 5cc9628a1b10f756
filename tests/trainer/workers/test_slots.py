"""Several trainings in one loop: each comes to what it comes to alone, whatever becomes of the others."""

import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.inline import small_digits
from tests.helpers.workers import DIVERGING, Unhurried, alone, ends_of, hear, made_job, records_of, slot_loop
from trainer.data.images import TrainingData
from trainer.training.train import Training
from trainer.workers.messages import BatchesDone, Broken, Diverged, EpochDone, Finished, Message, Slots, Stop

RECIPES: list[dict[str, Any]] = [{}, {"batch_size": 8, "ema_decay": 0.9}, {"rotation_degrees": 15.0}, {"lr": 0.02}]


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits(64, 32)


def test_neighbours_do_not_change_a_training(data: TrainingData) -> None:
    jobs = [made_job(number, **RECIPES[number]) for number in range(3)]
    with slot_loop(data, 3, jobs) as line:
        heard = hear(line, 3)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
    order = [one.number for one in heard if isinstance(one, EpochDone)]
    assert order == [0, 1, 2] * 3, "they were trained by turns"


def test_neighbours_do_not_change_each_other_s_dropout(data: TrainingData) -> None:
    jobs = [made_job(number, dropout=0.3) for number in range(3)]
    with slot_loop(data, 3, jobs) as line:
        heard = hear(line, 3)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


def test_what_is_sent_at_the_end_is_the_network_of_the_slot(data: TrainingData) -> None:
    jobs = [made_job(number) for number in range(2)]
    with slot_loop(data, 2, jobs) as line:
        together = hear(line, 2)
    apart = []
    for job in jobs:
        with slot_loop(data, 1, [job]) as line:
            apart += hear(line, 1)
    assert [one for one in together if isinstance(one, Finished)] == [one for one in apart if isinstance(one, Finished)]


def test_a_free_slot_takes_the_next_job_and_leaves_the_others_alone(data: TrainingData) -> None:
    jobs = [made_job(number, epochs, **RECIPES[number % 4]) for number, epochs in enumerate((5, 1, 2, 1, 2))]
    with slot_loop(data, 2, jobs) as line:
        heard = hear(line, 5)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
    ended = [one.number for one in heard if isinstance(one, Finished)]
    assert ended.index(1) < ended.index(2) < ended.index(3), "one after the other beside the long one"
    assert ended.index(0) >= 3


def test_one_that_diverges_or_breaks_takes_nobody_along(data: TrainingData) -> None:
    def making(candidate: Any, of: Any, seed: int, *how: Any, **more: Any) -> Training:
        if seed == 102:
            raise ValueError("of\n  ours")
        return Training(candidate, of, seed, *how, **more)

    jobs = [made_job(0), made_job(1, 3, DIVERGING, batch_size=8, lr=100.0), made_job(2), made_job(3)]
    with slot_loop(data, 3, jobs, making) as line:
        heard = hear(line, 4)
    assert ends_of(heard) == {0: Finished, 1: Diverged, 2: Broken, 3: Finished}
    assert Broken(2, "ValueError: of ours") in heard
    assert records_of(heard, 0) == alone(jobs[0], data)
    assert records_of(heard, 3) == alone(jobs[3], data)


class Watched:
    """Makes trainings; that of the first seed waits in the third batch of its second epoch until it may go on."""

    def __init__(self) -> None:
        self.is_there, self.may_go_on = threading.Event(), threading.Event()
        self.n_batches = 0

    def __call__(
        self, candidate: Any, data: Any, seed: int, device: Any, dtype: Any, on_batch: Any, runner: Any
    ) -> Training:
        def watch(number: int, n: int) -> None:
            if seed == 100:
                self.n_batches += 1
                if self.n_batches == n + 3:
                    self.is_there.set()
                    assert self.may_go_on.wait(60)
            on_batch(number, n)

        return Training(candidate, data, seed, device, dtype, watch, runner)


def test_how_far_an_epoch_is_is_sent_within_it_and_changes_nothing(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.workers.slots._BATCHES_SECONDS", 0.0)
    job = made_job(0)
    with slot_loop(data, 1, [job]) as line:
        heard = hear(line, 1)
    shares = [one.share for one in heard if isinstance(one, BatchesDone)]
    assert shares == [0.25, 0.5, 0.75, 1.0] * 3
    assert [type(one) for one in heard[:5]] == [BatchesDone] * 4 + [EpochDone]
    assert records_of(heard, 0) == alone(job, data)


def test_how_far_an_epoch_is_is_sent_twice_a_second_at_most(data: TrainingData, tmp_path: Path) -> None:
    job = made_job(0, 1, batch_size=2)  # 32 batches
    began = time.monotonic()
    with slot_loop(data, 1, [job], Unhurried(tmp_path, 0.05)) as line:
        heard = hear(line, 1)
    shares = [one.share for one in heard if isinstance(one, BatchesDone)]
    assert 1 <= len(shares) <= 2 * (time.monotonic() - began)
    assert 0 < shares[0] < 1
    assert records_of(heard, 0) == alone(job, data)


def test_a_stop_ends_an_epoch_half_way(data: TrainingData) -> None:
    watched, jobs = Watched(), [made_job(0, 20), made_job(1)]
    with slot_loop(data, 2, jobs, watched) as line:
        assert watched.is_there.wait(60)
        assert line.poll(), "its first epoch was told of before the second began"
        line.send(Stop(0))
        line.send(made_job(2))
        watched.may_go_on.set()
        heard = hear(line, 2)
    assert watched.n_batches == 4 + 3, "no batch more"
    assert [record.epoch for record in records_of(heard, 0)] == [1]
    assert ends_of(heard) == {1: Finished, 2: Finished}
    assert records_of(heard, 1) == alone(jobs[1], data)


def test_a_stop_is_heeded_in_whatever_slot_and_of_jobs_that_wait(data: TrainingData) -> None:
    watched = Watched()
    with slot_loop(data, 2, [made_job(0, 4), made_job(1, 1000), made_job(2)], watched) as line:
        assert watched.is_there.wait(60)
        for number in (1, 2, 99):
            line.send(Stop(number))
        watched.may_go_on.set()
        line.send(made_job(3, 1))
        heard = hear(line, 2)
    assert ends_of(heard) == {0: Finished, 3: Finished}
    assert len(records_of(heard, 1)) <= 2


class Cramped(Training):
    """There is memory for two; `needs_room_in` is the epoch whose beginning takes it, 0 being its own."""

    alive = 0
    needs_room_in: dict[int, int]

    def __init__(self, candidate: Any, data: Any, seed: int, *how: Any, **more: Any) -> None:
        self._begins = self.needs_room_in.get(seed, 0)
        self._check_room(0)
        super().__init__(candidate, data, seed, *how, **more)
        self._is_made = True
        Cramped.alive += 1

    def start_epoch(self) -> None:
        self._check_room(self._n_epochs_done + 1)
        super().start_epoch()

    def _check_room(self, epoch: int) -> None:
        if epoch == self._begins and Cramped.alive - (epoch > 0) >= 2:
            raise torch.OutOfMemoryError("CUDA out of memory.\n Tried")

    def __del__(self) -> None:
        if hasattr(self, "_is_made"):
            Cramped.alive -= 1


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_job_for_which_memory_runs_out_waits_and_is_trained_all_the_same(data: TrainingData, epoch: int) -> None:
    Cramped.alive, Cramped.needs_room_in = 0, {102: epoch}
    jobs = [made_job(number) for number in range(4)]
    with slot_loop(data, 3, jobs, Cramped) as line:
        heard = hear(line, 4)
    assert [one for one in heard if isinstance(one, Slots)] == [
        Slots(2, "OutOfMemoryError: CUDA out of memory. Tried")
    ], "once: those that came later found fewer slots"
    assert ends_of(heard) == dict.fromkeys(range(4), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data), "and no record twice"


class Large(Training):
    """The one with seed 101 fits beside nobody, all others beside as many as there are."""

    alive: set[int]

    def __init__(self, candidate: Any, data: Any, seed: int, *how: Any, **more: Any) -> None:
        if Large.alive and (seed == 101 or 101 in Large.alive):
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        super().__init__(candidate, data, seed, *how, **more)
        self._seed_here = seed
        Large.alive.add(seed)

    def __del__(self) -> None:
        if hasattr(self, "_seed_here"):
            Large.alive.remove(self._seed_here)


def test_a_large_job_is_trained_with_nobody_beside_it_and_takes_one_slot_at_most(data: TrainingData) -> None:
    Large.alive = set()
    jobs = [made_job(number, 1 + number % 2) for number in range(7)]
    with slot_loop(data, 3, jobs, Large) as line:
        heard = hear(line, 7)
    assert [one.n for one in heard if isinstance(one, Slots)] == [2]
    assert ends_of(heard) == dict.fromkeys(range(7), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


def test_a_large_job_among_many_lowers_the_slots_once(data: TrainingData) -> None:
    Large.alive = set()
    order = (0, 2, 3, 1, 4, 5, 6, 7)
    jobs = [made_job(number, 1 + number % 3) for number in order]
    with slot_loop(data, 4, jobs, Large) as line:
        heard = hear(line, 8)
    assert [one.n for one in heard if isinstance(one, Slots)] == [3]
    assert ends_of(heard) == dict.fromkeys(range(8), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)


def test_a_job_without_room_is_next_when_the_other_breaks(data: TrainingData) -> None:
    class Breaking(Large):
        def start_epoch(self) -> None:
            if self._seed_here == 100 and self._n_epochs_done == 2:
                raise ValueError("of ours")
            super().start_epoch()

    Large.alive = set()
    jobs = [made_job(0, 5), made_job(1)]
    with slot_loop(data, 2, jobs, Breaking) as line:
        heard = hear(line, 2)
    assert ends_of(heard) == {0: Broken, 1: Finished}
    assert records_of(heard, 1) == alone(jobs[1], data)


def test_a_job_that_has_not_even_room_alone_is_broken(data: TrainingData) -> None:
    Cramped.alive, Cramped.needs_room_in = 2, {}
    with slot_loop(data, 3, [made_job(0)], Cramped) as line:
        assert hear(line, 1) == [Broken(0, "OutOfMemoryError: CUDA out of memory. Tried")]
        Cramped.alive = 0
        line.send(made_job(1))
        assert ends_of(hear(line, 1)) == {1: Finished}


def test_the_end_of_a_training_is_told_before_an_epoch_of_another_begins(data: TrainingData) -> None:
    """An epoch runs here until it is over: what waited for the neighbours' to be told of would be lost with them."""
    told: list[list[int]] = []
    lines: list[Connection] = []
    may_begin = threading.Event()

    class Looking(Training):
        def start_epoch(self) -> None:
            assert may_begin.wait(60)
            heard = [one for batch in said_on(lines[0]) for one in batch]
            told.append([one.number for one in heard if isinstance(one, (EpochDone, Finished))])
            super().start_epoch()

    with slot_loop(data, 3, [made_job(number, 1) for number in range(3)], Looking) as line:
        lines.append(line)
        may_begin.set()
        deadline = time.monotonic() + 60
        while len(told) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told == [[], [0, 0], [1, 1]], "its epoch, and that it is over"


def said_on(line: Connection) -> Iterator[list[Message]]:
    while line.poll():
        yield line.recv()


class OnGpu(Training):
    """Its epochs take their time, in which nobody is held up."""

    n_looks = 0
    seconds = 0.2

    def start_epoch(self) -> None:
        self._ends = time.monotonic() + self.seconds
        super().start_epoch()

    def is_epoch_ready(self) -> bool:
        OnGpu.n_looks += 1
        return time.monotonic() >= self._ends


def test_while_epochs_are_under_way_elsewhere_the_loop_waits_without_spinning(data: TrainingData) -> None:
    OnGpu.n_looks = 0
    jobs = [made_job(number, 2) for number in range(4)]
    began, core_began = time.monotonic(), time.process_time()
    with slot_loop(data, 4, jobs, OnGpu) as line:
        heard = hear(line, 4)
    seconds = time.monotonic() - began
    assert ends_of(heard) == dict.fromkeys(range(4), Finished)
    assert seconds < 8 * OnGpu.seconds, "one after the other it would have been this at least"
    assert OnGpu.n_looks <= 4 * (seconds / 0.001)
    assert time.process_time() - core_began < seconds
