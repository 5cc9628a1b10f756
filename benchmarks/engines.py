"""What an engine costs besides its trainings, on this machine and on Ray, and how long what is lost takes to be back.

    python -m benchmarks.engines [--jobs 200] [--workers 1 2] [--rounds 3]

A job is one epoch of 16 images by the smallest of networks: what it takes more than the same training in this process
is the engine's. Jobs are given one at a time, for what one takes, and then as many as there is room for. For what is
lost there are two workers and one job, which is long: the worker or the node that has it is killed, or made to stand
still, and its next epoch is waited for. Ray's nodes are nodes of a cluster on this machine, with a raylet and an object
store each; a real network adds its own round trips. Writes `benchmarks/results/engines.md`.
"""

import argparse
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._report import machine_line, write
from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from search.engines.hangs import PATIENCE
from search.engines.local import LocalEngine
from search.engines.team import Team
from search.engines.worker import Worker
from search.engines.worker_process import WorkerProcess
from tests.helpers.clusters import Nodes, connected_cluster
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData
from trainer.training.train import Training
from trainer.workers.messages import Answer, Broken, EpochDone, Finished, Job, Lost, Ready

RESULTS = Path(__file__).parent / "results" / "engines.md"
_ARCH = ArchSpec((Conv(1, then=()), MaxPool(), Gap(), Conv(10, 1, then=())))
_LONG = 10_000
"""Epochs: minutes, which is longer than anything takes to be back."""

Opened = Callable[[int], Team]
"""An engine of so many workers."""


def job(number: int, epochs: int = 1, batch_size: int = 16) -> Job:
    """A training of next to nothing."""
    return Job(number, Candidate(_ARCH, Recipe(epochs=epochs, batch_size=batch_size)).to_dict(), number)


def data() -> TrainingData:
    """16 images to learn from, and as many to be judged by."""
    train = load_digits().train
    return TrainingData.of(train.select(np.arange(16)), train.select(np.arange(16, 32)))


def alone_seconds(n_jobs: int) -> float:
    """What such a training takes in this process."""
    torch.set_num_threads(1)
    images, candidate = data(), Candidate.from_dict(job(0).candidate)
    list(Training(candidate, images, 0))  # the first one loads what all need
    taken = []
    for seed in range(n_jobs):
        began = time.perf_counter()
        list(Training(candidate, images, seed))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def ready(team: Team) -> None:
    """Waits until all its workers are, and have trained something."""
    n_ready = n_done = 0
    while n_ready < team.n_workers:
        n_ready += sum(isinstance(one, Ready) for one in team.poll(1))
    for number in range(team.n_workers):
        team.submit(job(number))
    while n_done < team.n_workers:
        n_done += _n_finished(team)


def _n_finished(team: Team) -> int:
    """How many have ended since. Nobody shall wait for a job that broke."""
    answers = team.poll(1)
    assert not any(isinstance(one, Broken | Lost) for one in answers), answers
    return sum(isinstance(one, Finished) for one in answers)


def seconds_of_one(team: Team, n_jobs: int) -> float:
    """From `submit` to `Finished`, the median of jobs that are given one at a time."""
    taken = []
    for number in range(n_jobs):
        began = time.perf_counter()
        team.submit(job(number))
        while not _n_finished(team):
            pass
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def seconds_of_many(team: Team, n_jobs: int) -> float:
    """For each job, where there are always as many as there is room for."""
    n_given = n_done = 0
    began = time.perf_counter()
    while n_done < n_jobs:
        while team.n_free > 0 and n_given < n_jobs:
            team.submit(job(n_given))
            n_given += 1
        n_done += _n_finished(team)
    return (time.perf_counter() - began) / n_jobs


def loss_seconds(team: Team, harm: Callable[[Worker], None]) -> tuple[float, float, float]:
    """From the harm until it is known, until the job has its next epoch, and until there is a new worker."""
    ready(team)
    team.submit(job(0, _LONG, batch_size=2))
    while not any(isinstance(one, EpochDone) for one in team.poll(1)):
        pass
    [worker] = [worker for worker in team._workers if worker.jobs]
    _ = [team.poll(0.05) for _ in range(20)]
    began = time.perf_counter()
    harm(worker)
    known = again = anew = 0.0
    while not (known and again and anew):
        answers: list[Answer] = team.poll(60)
        now = time.perf_counter() - began
        known = known or now * any(isinstance(one, Lost) for one in answers)
        again = again or now * bool(known and any(isinstance(one, EpochDone) for one in answers))
        anew = anew or now * any(isinstance(one, Ready) for one in answers)
    return known, again, anew


def local(n: int) -> Team:
    """Worker processes."""
    return LocalEngine(data(), ["cpu"] * n, torch.float32, 1)


def on_ray(n: int) -> Team:
    """Actors, on the cluster that is there."""
    from search.engines.ray_cluster import ONE_CPU
    from search.engines.ray_engine import RayEngine

    return RayEngine(data(), ["cpu"] * n, torch.float32, 1, ONE_CPU, PATIENCE)


def of_actor(worker: Any) -> tuple[int, str]:
    """The process of an actor, and its node."""
    import ray

    def place(_self: object) -> tuple[int, str]:
        return os.getpid(), ray.get_runtime_context().get_node_id()

    call = worker.actor.__ray_call__.options(concurrency_group="hearing")
    pid, node_id = ray.get(call.remote(place))
    return int(pid), str(node_id)


def kill(worker: Worker) -> None:
    """Ends the process of a worker."""
    if isinstance(worker, WorkerProcess):
        worker.process.kill()
    else:
        os.kill(of_actor(worker)[0], signal.SIGKILL)


@contextmanager
def nodes_of(cluster: Nodes, n: int, each: int = 1) -> Iterator[dict[str, Any]]:
    """So many nodes, each with room for so many workers, by their names; those left are killed at the end."""
    added = [cluster.add(num_cpus=each) for _ in range(n)]
    found = {node.node_id: node for node in added}
    try:
        yield found
    finally:
        for node in found.values():
            cluster.kill(node)


def node_loss(cluster: Nodes, harm: Callable[[Any], None]) -> tuple[float, float, float]:
    """What the loss of a node takes, where a third one has room for the worker in its place."""
    with nodes_of(cluster, 3) as found, closing(on_ray(2)) as team:

        def hit(worker: Worker) -> None:
            harm(found.pop(of_actor(worker)[1]))

        return loss_seconds(team, hit)


def cost_rows(n_jobs: int, counts: Sequence[int], cluster: Nodes) -> list[tuple[str, str, str]]:
    """What a job costs."""
    alone = alone_seconds(n_jobs)
    rows = [("the training itself, in one process", ms(alone), ms(alone))]
    for n in counts:
        found = []
        for opened in (local, on_ray):
            with nodes_of(cluster, 1, each=n), closing(opened(n)) as team:
                ready(team)
                found.append((seconds_of_one(team, n_jobs), seconds_of_many(team, n_jobs)))
        print(n, alone, found, flush=True)
        name = f"{n} worker{'s' * (n > 1)}"
        (one, many), (ray_one, ray_many) = found
        rows.append((f"{name}: a job, from submit to Finished", ms(one), ms(ray_one)))
        rows.append((f"{name}: a job, where all are kept busy", ms(many), ms(ray_many)))
    return rows


def loss_rows(n_rounds: int, cluster: Nodes) -> list[tuple[str, str, str]]:
    """What is lost, and how soon it is back: known, the job's next epoch, a new worker."""

    def by_local() -> tuple[float, float, float]:
        with closing(local(2)) as team:
            return loss_seconds(team, kill)

    def by_ray() -> tuple[float, float, float]:
        with nodes_of(cluster, 1, each=3), closing(on_ray(2)) as team:
            return loss_seconds(team, kill)

    rows = [("a worker is killed: known, next epoch, new worker", triple(by_local, n_rounds), triple(by_ray, n_rounds))]
    for name, harm in (("killed", cluster.kill), ("cut off", cluster.silence)):
        taken = triple(lambda harm=harm: node_loss(cluster, harm), n_rounds)  # type: ignore[misc]
        rows.append((f"a node is {name}: known, next epoch, new worker", "-", taken))
    return rows


def ms(seconds: float) -> str:
    """In milliseconds."""
    return f"{1e3 * seconds:.1f} ms"


def triple(measure: Callable[[], tuple[float, float, float]], n_rounds: int) -> str:
    """The median of each of three numbers of seconds."""
    rounds = [measure() for _ in range(n_rounds)]
    print(rounds, flush=True)
    return ", ".join(f"{statistics.median(each):.1f}" for each in zip(*rounds, strict=True)) + " s"


def main() -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with connected_cluster() as cluster:
        import ray

        rows = cost_rows(options.jobs, options.workers, cluster) + loss_rows(options.rounds, cluster)
        words = f"--jobs {options.jobs} --workers {' '.join(map(str, options.workers))} --rounds {options.rounds}"
        text = (
            "# What an engine costs, and how soon what is lost is back\n\n"
            f"{machine_line()}, Ray {ray.__version__}, load {os.getloadavg()[0]:.1f}. "
            f"`python -m benchmarks.engines {words}`\n"
        )
    write(options.out, text, ("", "local", "Ray"), rows)


if __name__ == "__main__":
    main()
