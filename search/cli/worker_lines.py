"""What is said of workers, by searches and verifications alike."""

from search.measures.words import bytes_text, plural, seconds_text
from trainer.workers.messages import Lost, Ready, Slots


def team_text(n_workers: int, n_slots: int) -> str:
    """How many workers there are; and how many slots in all, where one has more than one."""
    slots = f", {plural(n_slots, 'slot')}" if n_slots > n_workers else ""
    return f"{plural(n_workers, 'worker')}{slots}"


def ready_text(worker: Ready) -> str:
    """A worker that begins, with its resident memory, shared data included."""
    return f"worker ready after {seconds_text(worker.start_seconds)}, {bytes_text(worker.memory_bytes)}"


def lost_text(worker: Lost) -> str:
    """A worker that is gone."""
    n = plural(worker.n_jobs, "training")
    again = f": {n} go{'es' * (worker.n_jobs == 1)} on from the last epoch" if worker.n_jobs else ""
    return f"a worker was lost and is replaced ({worker.reason.removeprefix('its worker ')}){again}"


def fewer_slots_text(worker: Slots) -> str:
    """A worker whose memory has run out."""
    return f"a worker goes on with {plural(worker.n, 'slot')}: {worker.reason}"
