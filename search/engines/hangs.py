"""Which workers hang: they say nothing for longer than can be expected of them, and would do so for ever.

A process that is stopped, or waits for a driver that is stuck, does not end, and its line stays open: only its silence
tells. How long an epoch takes is learned from all workers alike.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

_STANDSTILL_SECONDS = 1.0
"""More than what was asked for by this much, and whoever listens has stood still itself."""
_MOST_DOUBLINGS = 2


@dataclass(frozen=True)
class Patience:
    """For how long a worker may be silent, in seconds.

    Generous, since a worker that is killed in vain costs more than one that is waited for. Of 25 candidates of a space
    with batches of 16 to 256 the slowest took 7 times as long for an epoch as the fastest; `factor` leaves room for a
    fastest that comes first, on a machine that then gets three times as much to do.
    """

    start: float = 600.0
    """Until it is ready: it imports torch, may compile kernels, and measures how many slots a GPU is worth. And until
    there is a place for any worker at all, which a cluster that grows makes meanwhile."""
    first_epoch: float = 600.0
    """While no epoch was heard of from anybody."""
    floor: float = 60.0
    """After that, at the least: a disk or a database that is slow for a moment is no hang."""
    factor: float = 20.0
    """After that, times the longest epoch so far."""


PATIENCE = Patience()


class Watched(Protocol):
    """A worker, as far as its silence goes. One that is ready and has no jobs owes no word, nor does one that waits."""

    @property
    def is_pending(self) -> bool:
        """Whether it waits for a place to run in."""

    @property
    def is_ready(self) -> bool:
        """Whether it has said so."""

    @property
    def jobs(self) -> Mapping[int, object]:
        """What it trains, by number."""


W = TypeVar("W", bound=Watched)


class Hangs:
    """Hears of epochs and of every other word, and says which workers hang.

    Its time is that in which somebody listened: while the dispatcher waited for a database, or all processes were
    stopped together, nobody could have been heard, and nobody was silent.
    """

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._last = clock()
        self._now = 0.0
        self._longest: float | None = None
        self._n_in_vain = 0
        self._last_word: dict[Watched, float] = {}
        self._last_epoch: dict[int, float] = {}
        self._last_company = 0.0

    def listened(self, seconds: float) -> None:
        """Somebody has listened to all workers until now, and meant to do so for this long at most."""
        last, self._last = self._last, self._clock()
        self._now += min(self._last - last, seconds + _STANDSTILL_SECONDS)

    def word(self, worker: Watched) -> None:
        """A worker has said something."""
        self._last_word[worker] = self._now

    def epoch(self, number: int) -> None:
        """A job has ended an epoch: it took since the one before, or since its worker had it and was ready.

        Not by its own clock, which leaves out what a first epoch waits for, and runs on while all are stopped.
        """
        since, self._last_epoch[number] = self._last_epoch.get(number, 0.0), self._now
        self._longest = max(self._longest or 0.0, self._now - since)
        self._n_in_vain = 0

    def hung(self, workers: Collection[W]) -> list[tuple[W, str]]:
        """Those of all workers that hang, each with the reason in words."""
        self._last_word = {worker: self._silent_since(worker) for worker in workers}
        self._last_epoch = {
            number: self._last_epoch.get(number, self._now) if worker.is_ready else self._now
            for worker in workers
            for number in worker.jobs
        }
        found = [(worker, reason) for worker in workers if (reason := self._fault(worker)) is not None]
        self._n_in_vain += len(found)
        return found

    def is_nobody_here(self, workers: Collection[Watched]) -> bool:
        """Whether all of them have waited for a place for as long as one may take to be ready."""
        if not all(worker.is_pending for worker in workers):
            self._last_company = self._now
        return self._now - self._last_company > self._patience.start

    def _silent_since(self, worker: Watched) -> float:
        owes_a_word = not worker.is_pending and (not worker.is_ready or worker.jobs)
        return self._last_word.get(worker, self._now) if owes_a_word else self._now

    def _fault(self, worker: Watched) -> str | None:
        silent, limit = self._now - self._last_word[worker], self._limit(worker)
        if silent <= limit:
            return None
        if not worker.is_ready:
            return f"not ready after {silent:.0f} s: it hangs"
        return f"no epoch for {silent:.0f} s, where {limit:.0f} s is the most to be expected: it hangs"

    def _limit(self, worker: Watched) -> float:
        """Twice as much for each that hung since the last epoch: where all is slow, it was patience that was short."""
        patience = self._patience
        if not worker.is_ready:
            limit = patience.start
        elif self._longest is None:
            limit = patience.first_epoch
        else:
            limit = max(patience.floor, patience.factor * self._longest)
        return limit * (1 << min(self._n_in_vain, _MOST_DOUBLINGS))
