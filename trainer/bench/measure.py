"""The measurement: contenders that take their turns in strictly interleaved rounds, one alone at a time."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, harmonic_mean

import torch

from trainer.bench.contender import Contender
from trainer.bench.images import EPOCH_IMAGES, BenchImages, write_for_torchvision
from trainer.bench.ways import BATCH_SIZE, PRESET, OurWorker, SourcesLoop, Way
from trainer.hardware.device import worker_devices
from trainer.training.precision import Precision, choose_precision
from trainer.workers.processes import interrupts_held_back
from trainer.workers.slot_count import choose_slots

SOURCES = "the sources' loop"
SOURCES_ALONE = "same, 1 thread"
_WARM_UP_BATCHES = 5
_SOURCES_SECONDS, _OUR_SECONDS = 3.0, 2.0  # of a round; seven rounds and the start-up then take 80 to 100 seconds


@dataclass(frozen=True)
class Cost:
    """What an epoch of 60,000 images costs a worker, in time and in processor time."""

    seconds: float
    core_seconds: float


@dataclass
class Team:
    """One line of the table: contenders that train at once, and what each round came to."""

    name: str
    contenders: list[Contender]
    is_sources: bool = False
    n_slots: int = 1
    """Trainings that each contender does at once."""
    n_images: int = 0
    """Of an epoch of each contender in a round."""
    costs: list[Cost] = field(default_factory=list)

    @property
    def n_trainings(self) -> int:
        """Trainings of all of them at once."""
        return len(self.contenders) * self.n_slots


@dataclass(frozen=True)
class DeviceBench:
    """What was measured on one device: the sources' loop, one worker, then several.

    On a CPU the sources' loop is measured with torch's own number of threads, as the sources run it, and on one: where
    other processes hold some of the cores, its threads wait for each other busily, for up to six times the processor
    time, and a ratio per core-second would praise us for that. Each ratio is to the better of the two.
    """

    device: str
    precision: Precision
    teams: list[Team]

    @property
    def workers(self) -> list[Contender]:
        """All our workers; the first was started alone."""
        return self.teams[-1].contenders


def bench_device(
    device: str, images: BenchImages, precision: str, n_rounds: int, n_images: int | None, say: Callable[[str], None]
) -> DeviceBench:
    """Measures one device. `n_images` is of a round, for each contender; None takes what fits into some seconds.

    Raises WorkFailedError if a contender breaks.
    """
    chosen = choose_precision(precision, device, PRESET.candidate)
    say(f"precision on {device}: {chosen}")
    with _teams(device, images, chosen.dtype) as teams:
        for team in teams:
            seconds = _SOURCES_SECONDS if team.is_sources else _OUR_SECONDS
            team.n_images = _warm_up(team, len(images.data.train), n_images, seconds)
        for number in range(1, n_rounds + 1):
            for team in teams:
                team.costs.append(measure_round(team))
            say(f"{device}: round {number} of {n_rounds} done")
    return DeviceBench(device, chosen, teams)


def team_sizes(device: str, n_slots: int) -> list[tuple[int, int]]:
    """Workers and slots of each of our teams: one worker, then one a core, or a GPU with all its slots."""
    n = len(worker_devices(device, None))
    return list(dict.fromkeys([(1, 1), (1, n_slots), (n, n_slots)]))


@contextlib.contextmanager
def _teams(device: str, images: BenchImages, dtype: torch.dtype) -> Iterator[list[Team]]:
    """The sources' loop and our workers, alive and waiting; all of them are ended behind it."""
    sizes = team_sizes(device, choose_slots(PRESET.candidate, worker_devices(device, 1)[0], dtype).n)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mnist-search-bench-")))
        write_for_torchvision(images.data.train, folder)
        data = images.data.share_memory()

        def start(name: str, make: Callable[[], Way]) -> Contender:
            with interrupts_held_back():  # there is no moment at which one runs that nobody will end
                contender = Contender(name, make, device)
                stack.callback(contender.close)
            return contender

        loops = {SOURCES: None, SOURCES_ALONE: 1} if device == "cpu" else {SOURCES: None}
        sources = [start(name, partial(SourcesLoop, folder, device, n)) for name, n in loops.items()]
        for loop in sources:
            loop.started()
        workers: dict[int, list[Contender]] = {}
        for n_slots in dict.fromkeys(n for _, n in sizes):
            n_workers = max(n for n, of in sizes if of == n_slots)
            workers[n_slots] = []
            for number, place in enumerate(worker_devices(device, n_workers), 1):
                workers[n_slots].append(start(f"worker {number}", partial(OurWorker, data, place, dtype, n_slots)))
                if number == 1:
                    workers[n_slots][0].started()  # alone, so that the start of one worker is measured
            for worker in workers[n_slots][1:]:
                worker.started()
        yield [
            *(Team(loop.name, [loop], is_sources=True) for loop in sources),
            *(Team(team_name(n, slots), workers[slots][:n], n_slots=slots) for n, slots in sizes),
        ]


def team_name(n_workers: int, n_slots: int = 1) -> str:
    """`one worker`, `2 workers`; `16 slots`, `2 workers of 16 slots`."""
    workers = "one worker" if n_workers == 1 else f"{n_workers} workers"
    if n_slots == 1:
        return workers
    return f"{n_slots} slots" if n_workers == 1 else f"{workers} of {n_slots} slots"


def _warm_up(team: Team, n_available: int, n_asked: int | None, seconds: float) -> int:
    """Trains a little, and returns how many images a round should have: as asked, or what takes `seconds`."""
    n = _WARM_UP_BATCHES * BATCH_SIZE
    _train(team, BATCH_SIZE)
    rate = n / max(cost.seconds for cost in _train(team, n))
    return min(n_asked or max(round(rate * seconds), n), n_available)


def measure_round(team: Team) -> Cost:
    """What 60,000 images cost, from an epoch of a single batch and one of `n_images`.

    An epoch of the sources' loop begins by starting its DataLoader's workers. A short round would lay that on too few
    images, so the cost of all but the first batch is scaled to an epoch, and the beginning counted once.
    """
    firsts, wholes = _train(team, BATCH_SIZE), _train(team, team.n_images)
    return together([scaled(first, whole, team.n_images) for first, whole in zip(firsts, wholes, strict=True)])


def together(costs: Sequence[Cost]) -> Cost:
    """What 60,000 images cost one of several that train at once: their rates are added up, each by its own clock.

    As in a search, where no worker waits for another. By the clock of the last to end, the others' idle time at the
    end of a short round would count.
    """
    return Cost(harmonic_mean(cost.seconds for cost in costs), fmean(cost.core_seconds for cost in costs))


def scaled(first: Cost, whole: Cost, n_images: int) -> Cost:
    """The cost of 60,000 images, from those of one batch and of `n_images`."""
    share = (EPOCH_IMAGES - BATCH_SIZE) / (n_images - BATCH_SIZE)
    return Cost(
        first.seconds + (whole.seconds - first.seconds) * share,
        first.core_seconds + (whole.core_seconds - first.core_seconds) * share,
    )


def _train(team: Team, n_images: int) -> list[Cost]:
    """What an epoch cost each contender, all of them at once."""
    for contender in team.contenders:
        contender.order(n_images)
    for contender in team.contenders:
        contender.go()
    done = [contender.wait() for contender in team.contenders]
    return [Cost(trained.seconds, trained.core_seconds) for trained in done]
