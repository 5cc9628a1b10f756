"""Several trainings at once in one process, driven from one thread."""

import time
from collections.abc import Sequence

from trainer.training.records import EpochRecord
from trainer.training.train import Training

_PAUSE_SECONDS = 0.0002


def train_side_by_side(trainings: Sequence[Training]) -> list[EpochRecord]:
    """Trains an epoch of each. Nobody waits for anybody: on a GPU they run at the same time."""
    for training in trainings:
        training.start_epoch()
    records: dict[int, EpochRecord] = {}
    while len(records) < len(trainings):
        ready = [n for n, training in enumerate(trainings) if n not in records and training.is_epoch_ready()]
        records.update((n, trainings[n].end_epoch()) for n in ready)
        if not ready:
            time.sleep(_PAUSE_SECONDS)  # the host has nothing to do, and others may want its core
    return [records[n] for n in range(len(trainings))]


def images_per_second(trainings: Sequence[Training], n_images: int, n_epochs: int = 1) -> float:
    """Training images a second of all together; `n_images` are those of an epoch of one."""
    start = time.perf_counter()
    for _ in range(n_epochs):
        train_side_by_side(trainings)
    return len(trainings) * n_images * n_epochs / (time.perf_counter() - start)
