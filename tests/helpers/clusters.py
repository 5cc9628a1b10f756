"""A real Ray cluster of several nodes on this machine, each with a raylet and an object store of its own."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from search.engines.ray_cluster import connect, prepare_ray
from tests.helpers.running import descendants


class Nodes:
    """A cluster that only this machine can reach; nodes come and go. Its first node has no room for workers."""

    def __init__(self) -> None:
        prepare_ray(is_alone=True)
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})

    @property
    def address(self) -> str:
        """Where drivers find it."""
        return str(self._cluster.address)

    def add(self, **resources: float) -> Any:
        """Another node, such as `num_cpus=1, num_gpus=1`: there need not be a GPU for Ray to count it."""
        return self._cluster.add_node(**resources)

    def kill(self, node: Any) -> None:
        """Ends all processes of a node at once."""
        for pid in _pids_of(node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)

    def remove(self, node: Any) -> None:
        """Kills a node, and returns when the others know it."""
        import ray

        self.kill(node)
        while any(one["Alive"] for one in ray.nodes() if one["NodeID"] == node.node_id):
            time.sleep(0.1)

    def silence(self, node: Any) -> None:
        """Makes a node one that is cut off from the network: its connections stay, and nobody speaks."""
        for pid in _pids_of(node):
            os.kill(pid, signal.SIGSTOP)

    def shut_down(self) -> None:
        """Ends all nodes."""
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def _pids_of(node: Any) -> list[int]:
    """A node's processes, its workers included."""
    own = [process.process.pid for processes in node.all_processes.values() for process in processes]
    return own + [pid for each in own for pid in descendants(each)]


@contextmanager
def connected_cluster() -> Iterator[Nodes]:
    """A cluster of which this process is a driver."""
    nodes = Nodes()
    try:
        connect(nodes.address, 0)
        yield nodes
    finally:
        nodes.shut_down()
