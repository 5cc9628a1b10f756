"""Which cluster, and what fits into it: every way of naming one that is not there ends in a line, and soon."""

import http.server
import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.errors import MnistSearchError
from search.engines import ray_cluster
from search.engines.ray_cluster import Needs, connect

with_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.parametrize(
    ("needs", "resources", "n"),
    [
        (Needs(), {"CPU": 3.0, "memory": 1e9}, 3),
        (Needs(gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Needs(gpus=0.1), {"CPU": 16.0, "GPU": 1.0}, 10),
        (Needs(gpus=0.25), {"CPU": 2.0, "GPU": 2.0}, 2),
        (Needs(gpus=1), {"CPU": 16.0}, 0),
        (Needs(), {}, 0),
    ],
)
def test_how_many_fit_into_a_node(needs: Needs, resources: dict[str, float], n: int) -> None:
    assert needs.n_in(resources) == n


def test_without_ray_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MnistSearchError, match=r"^--engine ray needs Ray: pip install -e '\.\[ray\]'$"):
        connect(None, 1)


@with_ray
@pytest.mark.parametrize("address", ["here", "ray://127.0.0.1:10001", ":6379", "host:", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(MnistSearchError, match=r"use host:port, or auto for the Ray of this machine$"):
        connect(address, 1)


@contextmanager
def listening() -> Iterator[str]:
    """The address of somebody who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[str]:
    """The address of a server of HTTP, but of an older version than Ray's."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@with_ray
def test_an_address_at_which_nobody_answers_is_found_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_CONNECT_SECONDS", 0.3)
    began = time.monotonic()
    with listening() as address:
        closed = address
        with pytest.raises(MnistSearchError, match=rf"^--ray-address {address}: nobody answers at {address} \(tim"):
            connect(address, 1)
    with pytest.raises(MnistSearchError, match=r"nobody answers at .+refused\)$"):
        connect(closed, 1)
    with web_server() as address, pytest.raises(MnistSearchError, match=rf"what answers at {address} is not Ray$"):
        connect(address, 1)
    assert time.monotonic() - began < 20


@with_ray
def test_auto_where_no_ray_runs_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import services

    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: None)  # others may run on this machine
    monkeypatch.setattr(services, "find_gcs_addresses", set)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(MnistSearchError, match=r"^--ray-address auto: no Ray runs on this machine: start it with"):
        connect("auto", 1)
