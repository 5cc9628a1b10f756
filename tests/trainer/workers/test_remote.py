"""A worker that is called by somebody else, without that somebody: what it says, and how it ends."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.helpers.inline import small_digits
from tests.helpers.workers import alone, ends_of, made_job, network_alone, records_of
from trainer.data.images import Arrays, TrainingData
from trainer.workers.messages import EpochDone, Finished, Leaving, Message, Ready, Stop
from trainer.workers.remote import RemoteWorker
from trainer.workers.settings import WorkerSettings

SETTINGS = WorkerSettings("cpu", torch.float32, 2)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


@pytest.fixture
def arrays(data: TrainingData) -> Arrays:
    """In memory that may not be written, as what comes out of an object store."""
    *parts, mean, std = data.to_arrays()
    pixels, labels, eval_pixels, eval_labels = copies = [np.array(part) for part in parts]
    for copy in copies:
        copy.flags.writeable = False
    return Arrays(pixels, labels, eval_pixels, eval_labels, mean, std)


def until_over(worker: RemoteWorker, said: Iterator[list[Message]], n_ends: int) -> list[Message]:
    heard: list[Message] = []
    while sum(isinstance(one, Finished) for one in heard) < n_ends:
        heard += next(said)
    return heard


def test_it_trains_what_it_is_told_as_it_is_trained_alone(data: TrainingData, arrays: Arrays) -> None:
    worker = RemoteWorker()
    said = worker.work(arrays, SETTINGS, torch.__version__)
    assert next(said) == [], "it runs"
    [ready] = next(said)
    assert isinstance(ready, Ready)
    assert ready.slots == 2
    jobs = [made_job(number, 3, dropout=0.3) for number in range(3)]
    endless = made_job(9, 1000)
    for job in (endless, *jobs):
        worker.hear(job)
    heard = until_over(worker, said, 3)
    worker.hear(Stop(9))
    assert ends_of(heard) == dict.fromkeys(range(3), Finished)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
        assert network_alone(job, data) in heard
    worker._ours.send(None)
    left = [message for messages in said for message in messages]
    assert {type(one) for one in left} <= {EpochDone}


def test_it_leaves_where_torch_is_another(arrays: Arrays) -> None:
    said = list(RemoteWorker().work(arrays, SETTINGS, "1.0.0"))
    reason = f"torch {torch.__version__} is there and 1.0.0 here: install the same everywhere"
    assert said == [[], [Leaving(reason)]]


def test_what_ends_it_is_raised_where_it_is_listened_to(arrays: Arrays) -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        list(RemoteWorker().work(arrays, WorkerSettings("nonsense", torch.float32), torch.__version__))
