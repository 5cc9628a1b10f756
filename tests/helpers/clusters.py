"""A real Ray cluster of several nodes on this machine, each with a raylet and an object store of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from search.engines.ray_cluster import connect, prepare_ray


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
        """Ends a node as a power cut does: nobody in it says goodbye."""
        self._cluster.remove_node(node, allow_graceful=False)

    def shut_down(self) -> None:
        """Ends all nodes."""
        import ray

        ray.shutdown()
        self._cluster.shutdown()


@contextmanager
def connected_cluster() -> Iterator[Nodes]:
    """A cluster of which this process is a driver."""
    nodes = Nodes()
    try:
        connect(nodes.address, 0)
        yield nodes
    finally:
        nodes.shut_down()
