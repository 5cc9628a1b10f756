"""A job that is run again goes on from its last epoch, and comes to what it comes to undisturbed."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.schedules import SCHEDULES
from tests.helpers.engines import harmed
from tests.helpers.inline import small_digits
from tests.helpers.workers import Harmful, alone, ends_of, made_job, network_alone, records_of, train_all_of
from trainer.data.images import TrainingData
from trainer.workers.messages import Answer, Finished, Lost, Ready

RECIPES: list[dict[str, Any]] = [
    {"schedule": schedule(), "dropout": 0.3, "ema_decay": 0.9, "rotation_degrees": 10.0}
    for schedule in SCHEDULES.values()
] + [{"optimizer": "adamw", "lr": 0.01, "dropout": 0.3}]
N_BATCHES = 6
"""Of an epoch: 96 images, 16 at a time."""


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


def test_all_that_were_in_a_killed_worker_end_bit_for_bit_as_if_nothing_had_been(
    data: TrainingData, tmp_path: Path
) -> None:
    jobs = [made_job(number, 5, **recipe) for number, recipe in enumerate(RECIPES)]
    harmful = Harmful(tmp_path, jobs[-1].seed, 1, "kill")
    with closing(harmed(harmful, data, len(jobs))) as engine:
        heard = train_all_of(engine, jobs)
        assert engine.lost == [set(range(len(jobs)))]
    assert ends_of(heard) == dict.fromkeys(range(len(jobs)), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
        assert network_alone(job, data) in heard
    # The last one was killed in the first batch of its second epoch; those before it had ended theirs, two at most.
    assert harmful.n_batches(jobs[-1].seed) == 5 * N_BATCHES + 1
    assert [harmful.n_batches(job.seed) for job in jobs[:-1]] == [5 * N_BATCHES] * (len(jobs) - 1)


def test_it_goes_on_where_somebody_is_ready_and_does_not_wait_for_the_worker_in_place_of_its_own(
    data: TrainingData, tmp_path: Path
) -> None:
    job = made_job(0, 1000)
    with closing(harmed(Harmful(tmp_path, job.seed, 1, "kill"), data, 1, ["cpu", "cpu"])) as engine:
        heard = list[Answer]()
        while sum(isinstance(one, Ready) for one in heard) < 2:
            heard += engine.poll(60)
        engine.submit(job)
        while not any(isinstance(one, Lost) for one in heard):
            heard += engine.poll(60)
        assert [set(worker.jobs) for worker in engine._workers] == [set(), {0}]


@pytest.mark.parametrize("how", ["raise", "lose"])
def test_what_raises_goes_on_from_its_last_epoch_too(data: TrainingData, tmp_path: Path, how: str) -> None:
    job = made_job(0, 4, dropout=0.3)
    harmful = Harmful(tmp_path, job.seed, 1, how)
    with closing(harmed(harmful, data, 1)) as engine:
        heard = train_all_of(engine, [job])
    assert records_of(heard, 0) == alone(job, data)
    assert network_alone(job, data) in heard
    assert harmful.n_batches(job.seed) == 4 * N_BATCHES + 1
