"""Workers on a real Ray cluster of several nodes: what is lost with a node or a worker, and what is not."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from models.errors import MnistSearchError
from search.engines.hangs import Patience
from search.engines.places import on_ray
from search.engines.protocol import EngineError
from search.engines.ray_cluster import ONE_CPU, Needs
from tests.helpers.cli import QUICK, finish
from tests.helpers.clusters import Nodes, connected_cluster
from tests.helpers.inline import small_digits
from tests.helpers.running import sql
from tests.helpers.workers import (
    Harmful,
    Unhurried,
    alone,
    ends_of,
    made_job,
    network_alone,
    records_of,
    train_all_of,
)
from trainer.data.images import TrainingData
from trainer.workers.messages import Answer, EpochDone, Finished, Lost, Ready

if TYPE_CHECKING:
    from search.engines.ray_engine import RayEngine

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    """Nodes are added by each test, and killed by it."""
    with connected_cluster() as nodes:
        yield nodes


def open_team(data: TrainingData, n: int, needs: Needs = ONE_CPU, **how: Any) -> "RayEngine":
    from search.engines.ray_engine import RayEngine

    return RayEngine(data, ["cpu"] * n, torch.float32, 1, needs, **how)


def heard_until(team: "RayEngine", is_enough: Callable[[Sequence[Answer]], bool]) -> list[Answer]:
    """All that is said until it is enough."""
    heard, deadline = list[Answer](), time.monotonic() + 240
    while not is_enough(heard):
        assert time.monotonic() < deadline, heard
        heard += team.poll(1)
    return heard


def test_a_node_that_is_killed_costs_its_training_nothing_but_time(
    data: TrainingData, cluster: Nodes, tmp_path: Path
) -> None:
    """Each node has room for one worker, by a GPU that only Ray believes in."""
    nodes = [cluster.add(num_cpus=4, num_gpus=1) for _ in range(2)]
    place = on_ray("cpu", None, cluster.address, 1.0)
    assert (place.devices, place.described) == (["cpu"] * 2, "cpu of a Ray cluster of 3 nodes with 8 CPU and 2 GPU")
    jobs = [made_job(number, 25, dropout=0.3, ema_decay=0.9) for number in range(2)]
    unhurried = Unhurried(tmp_path, 0.02)
    with closing(open_team(data, 2, make_training=unhurried, **place.how)) as team:
        assert (team.n_workers, team.n_slots, team.n_free) == (2, 0, 0), "until they are ready"
        for job in jobs:
            team.submit(job)
        heard = heard_until(team, lambda heard: len(workers_of(heard, 10)) == 2)
        assert (team.n_slots, team.n_free) == (2, 0)
        cluster.kill(nodes[0])
        heard += heard_until(team, lambda heard: len(ends_of(heard)) == 2)
        assert team.n_slots == 1, "there is no room for another"
    [lost] = [one for one in heard if isinstance(one, Lost)]
    assert lost.n_jobs == 1
    assert lost.reason.startswith("its worker ")
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
        assert network_alone(job, data) in heard
        # Each has ten epochs of six batches behind it: none of them again, but for those not heard of yet.
        assert 25 * 6 <= unhurried.n_batches(job.seed) < 25 * 6 + 5 * 6
    cluster.remove(nodes[1])


def workers_of(heard: Sequence[Answer], epoch: int) -> set[int | None]:
    """Those that have come to this epoch."""
    return {one.worker for one in heard if isinstance(one, EpochDone) and one.record.epoch >= epoch}


@pytest.mark.slow
def test_shares_of_a_gpu_are_given_out_and_who_finds_no_room_comes_when_there_is_some(
    data: TrainingData, cluster: Nodes
) -> None:
    first = cluster.add(num_cpus=4, num_gpus=1)
    place = on_ray("cpu", None, cluster.address, 0.5)
    assert len(place.devices) == 2
    with closing(open_team(data, 3, **place.how)) as team:
        heard_until(team, lambda heard: sum(isinstance(one, Ready) for one in heard) == 2)
        assert (team.n_workers, team.n_slots, team.n_free) == (3, 2, 2)
        assert ends_of(train_all_of(team, [made_job(number) for number in range(5)])) == dict.fromkeys(
            range(5), Finished
        )
        second = cluster.add(num_cpus=1, num_gpus=1)
        heard_until(team, lambda heard: any(isinstance(one, Ready) for one in heard))
        assert team.n_slots == 3
    for node in (first, second):
        cluster.remove(node)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "n_lost"), [("kill", 1), ("stop", 1), ("lose", 1), ("raise", 1)])
def test_what_becomes_of_a_worker_costs_its_training_nothing_but_time(
    data: TrainingData, cluster: Nodes, tmp_path: Path, how: str, n_lost: int
) -> None:
    node = cluster.add(num_cpus=2)
    jobs = [made_job(number, 5, dropout=0.3) for number in range(2)]
    patience = Patience(start=120, first_epoch=120, floor=3.0, factor=2.0)
    harmful = Harmful(tmp_path, jobs[0].seed, 1, how)
    with closing(open_team(data, 2, make_training=harmful, patience=patience)) as team:
        heard = train_all_of(team, jobs, 240)
    lost = [one for one in heard if isinstance(one, Lost)]
    assert [one.n_jobs for one in lost] == [1] * n_lost, lost
    assert all("\n" not in one.reason and len(one.reason) < 250 for one in lost)
    for job in jobs:
        assert records_of(heard, job.number) == alone(job, data)
        assert network_alone(job, data) in heard
    cluster.remove(node)


@pytest.mark.slow
def test_a_cluster_without_room_ends_the_work_once_patience_is_over(data: TrainingData, cluster: Nodes) -> None:
    with pytest.raises(
        MnistSearchError, match=r"^Ray has no room for a worker, which needs 1 CPU: the cluster is 1 node"
    ):
        on_ray("cpu", None, cluster.address, None)
    with closing(open_team(data, 1, Needs(gpus=0.25), patience=Patience(start=2.0))) as team:
        team.submit(made_job(0))
        with pytest.raises(
            EngineError,
            match=r"^Ray has no room for a worker, which needs 1 CPU and 0.25 GPU: "
            r"the cluster is 1 node with 0 CPU and 0 GPU$",
        ):
            heard_until(team, lambda heard: False)


@pytest.mark.slow
def test_the_command_finds_on_a_cluster_what_it_finds_here(cluster: Nodes, tmp_path: Path) -> None:
    node = cluster.add(num_cpus=2)
    told = [*QUICK, "--trials", "3", "--precision", "float32", "--workers", "1"]
    found = []
    for name, engine in (("ray", ["--engine", "ray", "--ray-address", cluster.address]), ("local", [])):
        code, out, err = finish(["run", *told, *engine, "--study", name], tmp_path)
        assert (code, "Traceback" in err, "raylet" in out + err) == (0, False, False), err
        found.append(sql(tmp_path, _EPOCHS.format(name)))
    assert found[0] == found[1] != []
    code, _, err = finish(["verify", "best", "--study", "ray", "--seeds", "1", *told[-4:], *engine], tmp_path)
    assert code == 0, err
    cluster.remove(node)


_EPOCHS = (
    "SELECT number, epoch, eval_loss, eval_accuracy FROM epoch_records JOIN trials USING (trial_id) "
    "JOIN studies USING (study_id) WHERE study_name = '{}' ORDER BY 1, 2"
)
