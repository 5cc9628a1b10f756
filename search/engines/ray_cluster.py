"""The Ray cluster that workers run on: finding or starting it, and what it has room for.

Ray is imported by whoever asks for it, and for nobody else.
"""

import importlib
import importlib.util
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from models.errors import MnistSearchError
from search.measures.words import plural
from trainer.workers.processes import interrupts_held_back

AUTO = "auto"
_CONNECT_SECONDS = 5.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What a client of HTTP/2, and so of Ray, says first: that, and settings of which none is changed."""
_SETTINGS_FRAME = 4


@dataclass(frozen=True)
class Needs:
    """What Ray sets aside for a worker. As text: `1 CPU and 0.25 GPU`."""

    gpus: float = 0.0
    """A share of one: several workers may be on a GPU."""
    cpus: float = 1.0

    def __str__(self) -> str:
        return f"{self.cpus:g} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")

    def n_in(self, resources: Mapping[str, float]) -> int:
        """How many such workers a node with these resources has room for."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        return int(min(resources.get(name, 0.0) / n + 1e-6 for name, n in wanted.items() if n))


ONE_CPU = Needs()


def connect(address: str | None, n_cpus: int) -> None:
    """Makes this process a driver of the cluster at an address, of this machine's own for `auto`.

    None starts a Ray of this many cores, which only this machine can reach and which ends with this process. Raises
    MnistSearchError where Ray is not installed or nobody answers.
    """
    if importlib.util.find_spec("ray") is None:
        raise MnistSearchError("--engine ray needs Ray: pip install -e '.[ray]'")
    ray = prepare_ray(is_alone=address is None)
    if ray.is_initialized():
        return
    if address is None:
        _init(ray, "local", num_cpus=n_cpus, include_dashboard=False)
        return
    found = _find(address)
    _check_that_ray_answers(address, found)
    try:
        _init(ray, found)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise MnistSearchError(f"--ray-address {address}: {_one_line(error)}") from error


def nodes() -> list[Mapping[str, float]]:
    """The resources of each node that is up."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def holdings() -> str:
    """What the cluster has in all: `2 nodes with 8 CPU and 1 GPU`."""
    found = nodes()
    cpus, gpus = (sum(node.get(name, 0.0) for node in found) for name in ("CPU", "GPU"))
    return f"{plural(len(found), 'node')} with {cpus:g} CPU and {gpus:g} GPU"


def prepare_ray(is_alone: bool) -> ModuleType:
    """Ray, told before it is imported to keep to itself."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if is_alone and "ray" not in sys.modules:
        # Ray then listens on 127.0.0.1 alone, as it does by default on systems on which it knows no clusters; and
        # whoever else is on this machine needs a token, without which it would run any code they sent.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    return importlib.import_module("ray")


def _init(ray: ModuleType, address: str, **how: Any) -> None:
    on_term = signal.getsignal(signal.SIGTERM)
    with interrupts_held_back():  # of a Ray that is started here as well: the dispatcher decides
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **how)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_term)  # Ray has put one of its own there
    # What Ray says of nodes that die comes by another way, onto stdout, twenty lines each: the engine says it in one.
    ray._private.worker._worker_logs_enabled = False


def _find(address: str) -> str:
    """The `host:port` of an address; of `auto` that of the Ray which runs on this machine."""
    if address != AUTO:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or "/" in host:
            raise MnistSearchError(f"--ray-address {address}: use host:port, or auto for the Ray of this machine")
        return address
    from ray._private.services import canonicalize_bootstrap_address

    try:
        found = canonicalize_bootstrap_address(AUTO)
    except ConnectionError:
        found = None
    if found is None:
        raise MnistSearchError(
            "--ray-address auto: no Ray runs on this machine: start it with `ray start`, or leave this out"
        )
    return str(found)


def _check_that_ray_answers(said: str, address: str) -> None:
    """Raises MnistSearchError unless a server of HTTP/2 is at an address: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS) as line:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return
            line.sendall(_PREFACE)
            answer = line.recv(9)
    except (OSError, OverflowError) as error:
        raise MnistSearchError(f"--ray-address {said}: nobody answers at {address} ({_one_line(error)})") from error
    if len(answer) < 4 or answer[3] != _SETTINGS_FRAME:
        raise MnistSearchError(f"--ray-address {said}: what answers at {address} is not Ray")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
