"""A small real run of the bench, and what is printed of it."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.helpers.cli import environment, share_kernels
from trainer.bench.__main__ import main
from trainer.bench.text import bench_text
from trainer.hardware.machine import cache_folder

# Enough images that their training outweighs the start of the DataLoaders, also where others hold the cores.
SMALL = ["--device", "cpu", "--rounds", "2", "--images", "1280", "--json"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of a small run, by the entry that needs none of the command line's dependencies."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr("trainer.bench.images.EPOCH_IMAGES", 2560)  # of noise: as many as are used
        patch.setattr("trainer.bench.measure._WARM_UP_BATCHES", 2)
        patch.setattr("trainer.training.precision._MEASURING_SECONDS", 0.05)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("bench")))
        share_kernels(cache_folder().parent)
        patch.setattr("sys.argv", ["trainer.bench", *SMALL])
        assert main() == 0
    facts: dict[str, Any] = json.loads(said.getvalue())
    return facts


def test_a_real_run(measured: dict[str, Any]) -> None:
    [device] = measured["devices"]
    assert (measured["params"], measured["batch_size"], device["rounds"]) == (7_752, 128, 2)
    assert [way["is_sources"] for way in device["ways"]][:3] == [True, True, False]
    assert [way["workers"] for way in device["ways"] if not way["is_sources"]] == sorted({1, measured["cores"]})
    assert set(device["step_seconds"]) == {"float32", "bfloat16"}
    assert min(device["memory_bytes"], device["start_seconds"], device["start_core_seconds"]) > 0
    for way in device["ways"]:
        assert way["round_images"] == 1280 * way["workers"] * way["slots"]
        assert len(way["round_core_seconds"]) == len(way["round_images_per_second"]) == 2


def as_module(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainer.bench", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)


def test_the_module_says_what_is_wrong(tmp_path: Path) -> None:
    done = as_module(["--device", "nowhere"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "trainer.bench: unknown device 'nowhere': use auto, cpu, cuda or mps\n"


@pytest.mark.slow
def test_the_module_measures(tmp_path: Path) -> None:
    """As a user calls it: its contenders are processes that import the module's own entry again."""
    done = as_module(SMALL, tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["devices"][0]["rounds"] == 2


def test_its_ratios_follow_from_its_rounds(measured: dict[str, Any]) -> None:
    [device] = measured["devices"]
    ways = {way["name"]: way for way in device["ways"]}
    cheapest = ways[device["sources_per_core_second"]]
    assert cheapest["core_seconds"] == min(way["core_seconds"] for way in ways.values() if way["is_sources"])
    for way in ways.values():
        pairs = zip(cheapest["round_core_seconds"], way["round_core_seconds"], strict=True)
        ratios = [theirs / own for theirs, own in pairs]
        assert way["times_sources_per_core_second"]["median"] == pytest.approx(median(ratios))


def test_its_table_shows_its_facts_in_80_columns(measured: dict[str, Any]) -> None:
    lines = bench_text(measured).splitlines()
    assert max(map(len, lines)) <= 80
    for way in measured["devices"][0]["ways"]:
        [row] = [line for line in lines if line.startswith(f"{way['name']}  ")]
        shown = f"{way['core_seconds']:.2f}", f"{way['times_sources_per_core_second']['median']:.2f}"
        assert [cell for cell in shown if cell not in row.split()] == []
