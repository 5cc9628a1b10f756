"""The bench: its arithmetic, what it compares with, a small real run, and its end by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytest
import torch
from torchvision import datasets

from models.errors import WorkFailedError
from tests.helpers.cli import call, environment, start
from tests.search.cli.test_run import is_alive
from trainer.bench.contender import Contender, Started
from trainer.bench.facts import bench_facts
from trainer.bench.images import EPOCH_IMAGES, load_images, write_for_torchvision
from trainer.bench.measure import Cost, DeviceBench, Team, scaled, together
from trainer.bench.text import bench_text
from trainer.bench.ways import SourcesLoop
from trainer.data.images import Images
from trainer.training.precision import FLOAT32

SMALL = ["--device", "cpu", "--rounds", "2", "--images", "384", "--json"]


class Standing:
    """Stands for a contender that has trained."""

    start, memory_bytes = Started(2.5, 2.0), 700 << 20


def team(name: str, costs: list[tuple[float, float]], n_workers: int = 1, is_sources: bool = False) -> Team:
    contenders = cast(list[Contender], [Standing() for _ in range(n_workers)])
    return Team(name, contenders, is_sources, 1280, [Cost(*cost) for cost in costs])


def facts_of(*teams: Team) -> dict[str, Any]:
    return bench_facts([DeviceBench("cpu", FLOAT32, list(teams))], "noise", 1.0)


OURS = team("one worker", [(8, 8), (10, 10)])
PAIR = team("2 workers", [(8, 8), (16, 11)], n_workers=2)


def test_the_start_of_an_epoch_is_counted_once() -> None:
    """Three seconds to begin with, and a millisecond an image of processor time, two of the clock."""
    first, whole = (Cost(3 + 0.002 * n, 3 + 0.001 * n) for n in (128, 1280))
    cost = scaled(first, whole, 1280)
    assert (cost.seconds, cost.core_seconds) == pytest.approx((123, 63))
    assert scaled(first, Cost(7, 5), EPOCH_IMAGES) == Cost(7, 5)


def test_the_rates_of_several_workers_add_up() -> None:
    """One does 60,000 images in 20 s, the other in 30: 5,000 a second together, as two that take 24 s each."""
    cost = together([Cost(20, 18), Cost(30, 28)])
    assert (cost.seconds, cost.core_seconds) == pytest.approx((24, 23))
    assert together([Cost(20, 18)]) == Cost(20, 18)


def test_ratios_are_taken_within_a_round() -> None:
    sources = team("loop", [(64, 60), (40, 50)], is_sources=True)
    one, pair = facts_of(sources, OURS, PAIR)["devices"][0]["ways"][1:]
    assert one["times_sources_per_second"] == {"median": 6, "low": 4, "high": 8}
    assert one["times_sources_per_core_second"] == {"median": 6.25, "low": 5, "high": 7.5}
    assert pair["times_one_worker"] == {"median": (2 + 1.25) / 2, "low": 1.25, "high": 2}
    assert pair["images_per_second"] == median([2 * EPOCH_IMAGES / 8, 2 * EPOCH_IMAGES / 16])


def test_a_loop_that_waits_busily_is_not_what_we_compare_with() -> None:
    """Measured on two cores that others held: the loop's own two threads took six times the processor time of one."""
    spinning = team("loop", [(220, 300), (210, 310)], is_sources=True)
    alone = team("same, 1 thread", [(50, 48), (52, 50)], is_sources=True)
    [device] = facts_of(spinning, alone, OURS, PAIR)["devices"]
    assert (device["sources_per_second"], device["sources_per_core_second"]) == ("same, 1 thread",) * 2
    assert device["ways"][2]["times_sources_per_core_second"] == {"median": 5.5, "low": 5, "high": 6}


def test_each_ratio_is_to_the_better_of_the_sources_loops() -> None:
    """On an idle machine two threads are the quicker, and one is the cheaper."""
    quick = team("loop", [(30, 60), (30, 60)], is_sources=True)
    cheap = team("same, 1 thread", [(50, 40), (50, 40)], is_sources=True)
    [device] = facts_of(quick, cheap, OURS)["devices"]
    assert (device["sources_per_second"], device["sources_per_core_second"]) == ("loop", "same, 1 thread")
    assert device["ways"][2]["times_sources_per_second"]["high"] == 30 / 8
    assert device["ways"][2]["times_sources_per_core_second"]["high"] == 40 / 8


def test_the_text_says_when_others_had_the_cores() -> None:
    sources = team("loop", [(64, 60), (40, 50)], is_sources=True)
    said = "other processes had the cores at times"
    assert said not in bench_text(facts_of(sources, OURS))
    busy = team("one worker", [(12, 8), (20, 10)])
    assert said in bench_text(facts_of(sources, busy))


def test_torchvision_reads_the_same_images(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (7, 28, 28), dtype=torch.uint8, generator=generator)
    images = Images(pixels, torch.arange(7))
    write_for_torchvision(images, tmp_path)
    read = datasets.MNIST(str(tmp_path), train=True, download=False)
    assert torch.equal(read.data, images.pixels)
    assert torch.equal(read.targets, images.labels)


def test_without_mnist_there_is_noise_and_it_is_said(tmp_path: Path) -> None:
    images = load_images(tmp_path)
    assert len(images.data.train) == EPOCH_IMAGES
    assert images.notice == f"noise in MNIST's shape, which trains as fast: mnist is not in {tmp_path}"


def test_a_way_that_breaks_ends_the_bench_with_its_reason(tmp_path: Path) -> None:
    contender = Contender("the loop", partial(SourcesLoop, tmp_path, "cpu"))
    try:
        with pytest.raises(WorkFailedError, match=r"^the loop broke: RuntimeError: Dataset not found"):
            contender.started()
    finally:
        contender.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--rounds 0", "--rounds 0: measure at least 1 round"),
        ("--images 100", "--images 100: a round has at least two batches, 256 images"),
        ("--precision half", "unknown precision 'half': use auto, float32 or bfloat16"),
        ("--device tpu", "unknown device 'tpu': use auto, cpu, cuda or mps"),
    ],
)
@pytest.mark.usefixtures("own_folder")
def test_bad_input(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["bench", *arguments.split()], capsys) == (2, "", f"mnist-search: {text}\n")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of a small run, by the entry that needs none of the command line's dependencies."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "trainer.bench", *SMALL]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_a_real_run(measured: dict[str, Any]) -> None:
    [device] = measured["devices"]
    assert (measured["params"], measured["batch_size"], device["rounds"]) == (7_752, 128, 2)
    assert [way["is_sources"] for way in device["ways"]][:3] == [True, True, False]
    assert [way["workers"] for way in device["ways"] if not way["is_sources"]] == sorted({1, measured["cores"]})
    assert set(device["step_seconds"]) == {"float32", "bfloat16"}
    assert min(device["memory_bytes"], device["start_seconds"], device["start_core_seconds"]) > 0
    for way in device["ways"]:
        assert way["round_images"] == 384 * way["workers"]
        assert len(way["round_core_seconds"]) == len(way["round_images_per_second"]) == 2


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


def test_it_needs_none_of_the_command_line_s_dependencies() -> None:
    program = (
        "import sys, trainer.bench.run, trainer.bench.text\n"
        "heavy = {'optuna', 'sqlalchemy', 'rich', 'typer', 'yaml', 'sklearn', 'fvcore', 'torchvision'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def descendants(pid: int) -> list[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone meanwhile
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_it(how: signal.Signals, tmp_path: Path) -> None:
    """Caught while the sources' loop trains, whose DataLoader has processes of its own."""
    process = start(["bench", "--device", "cpu", "--images", "60000", "--precision", "float32"], tmp_path)
    try:
        deadline = time.monotonic() + 120
        # The workers, the sources' loops, the resource tracker, and two of a DataLoader.
        while len(alive := descendants(process.pid)) < 7 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        assert len(alive) >= 7
        os.kill(process.pid, how)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    deadline = time.monotonic() + 30
    while (left := [pid for pid in alive if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
