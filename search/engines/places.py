"""Where workers run: on this machine, or on a Ray cluster; on what, and how many of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.errors import MnistSearchError
from search.engines.ray_cluster import Needs, connect, holdings, nodes
from trainer.hardware.device import DEVICES, resolve_device, worker_devices
from trainer.hardware.machine import usable_cores


@dataclass(frozen=True)
class Place:
    """Where workers run."""

    device: str
    """`cpu`, `cuda` or `mps`."""
    devices: list[str]
    """That of each worker."""
    engine: str = "local"
    how: dict[str, Any] = field(default_factory=dict)
    """What else its engine is told."""
    described: str | None = None
    """What to say of it where trainings are kept, if it is not this machine."""


def here(device: str, n_workers: int | None) -> Place:
    """This machine. Raises MnistSearchError for a device that is not here."""
    resolved = resolve_device(device)
    return Place(resolved, worker_devices(resolved, n_workers))


def on_ray(device: str, n_workers: int | None, address: str | None, gpus_per_worker: float | None) -> Place:
    """A Ray cluster, connected to; None as address starts one on this machine.

    A worker on a GPU needs a whole one unless `gpus_per_worker` says otherwise. Raises MnistSearchError where nobody
    answers, or nothing there fits.
    """
    _check(device, gpus_per_worker)
    connect(address, max(usable_cores(), n_workers or 0))
    found = nodes()
    is_on_gpu = device == "cuda" or (device == "auto" and gpus_per_worker != 0 and any(map(_has_gpu, found)))
    needs = Needs(gpus=float(is_on_gpu) if gpus_per_worker is None else gpus_per_worker)
    n = n_workers or sum(needs.n_in(node) for node in found)
    if n == 0:
        raise MnistSearchError(
            f"Ray has no room for a worker, which needs {needs}: the cluster is {holdings()}; "
            "if it grows when asked, give --workers"
        )
    name = "cuda" if is_on_gpu else "cpu"
    return Place(name, [name] * n, "ray", {"needs": needs}, f"{name} of a Ray cluster of {holdings()}")


def _has_gpu(node: Mapping[str, float]) -> bool:
    return node.get("GPU", 0) > 0


def _check(device: str, gpus_per_worker: float | None) -> None:
    if device not in DEVICES or device == "mps":
        raise MnistSearchError(f"no device {device!r} with --engine ray: use auto, cpu or cuda")
    if gpus_per_worker is not None and not 0 <= gpus_per_worker <= 1:
        raise MnistSearchError(f"--gpus-per-worker {gpus_per_worker:g}: use a number from 0 to 1, such as 0.25")
    if device == "cuda" and gpus_per_worker == 0:
        raise MnistSearchError("--gpus-per-worker 0: a worker on a GPU needs a share of it; or use --device cpu")
