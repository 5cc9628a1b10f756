"""The GPU's benchmark: every line of it but the capture runs on a CPU; on a GPU its checks must hold."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.__main__ import parts, rows_of
from benchmarks.gpu.candidates import drawn
from benchmarks.gpu.setting import Row, Setting
from benchmarks.gpu.truth import truth
from search.engines.local import LocalEngine
from trainer.data.noise import noise_data
from trainer.hardware.device import prepare_device
from trainer.training.train import Training
from trainer.workers.messages import Broken, EpochDone, Finished, Job

QUICK = ("truth", "slots")
SLOW = ("bench", "search", "processes")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])


def page_of(folder: Path, *arguments: str) -> str:
    done = bench("--device", "cpu", "--trial", "--out", str(folder / "gpu.md"), *arguments)
    assert done.returncode == 0, done.stderr
    page = (folder / "gpu.md").read_text()
    assert page in done.stdout
    assert "no number means anything" in page
    assert "failed" not in page.replace(", 0 failed", "")
    return page


def test_the_first_parts_run_on_a_cpu(tmp_path: Path) -> None:
    page = page_of(tmp_path, "--only", *QUICK)
    assert "2 slots" in page
    assert "the same bits" in page


@pytest.mark.slow
def test_the_trainers_parts_run_on_a_cpu(tmp_path: Path) -> None:
    page = page_of(tmp_path, "--only", *(name for name in parts(None) if name not in SLOW))
    for what in (
        "copying on the device",
        "2 slots",
        "bfloat16",
        "4 candidates of 2 epochs, pruned",
        "2 equal networks as one",
    ):
        assert what in page
    assert page.count("the same bits") == 4


@pytest.mark.slow
def test_the_other_parts_run_on_a_cpu(tmp_path: Path) -> None:
    page = page_of(tmp_path, "--only", *SLOW)
    assert "2 processes of one slot" in page
    assert "bench: the sources' loop" in page
    assert "mnist-search verify best --seeds 2" in page


def test_a_part_for_which_no_time_is_left_is_left_out() -> None:
    done = bench("--device", "cpu", "--trial", "--only", "formats", "--seconds", "1")
    assert done.returncode == 0
    assert "not run: no time was left" in done.stdout


def test_a_part_that_breaks_is_a_row_and_a_failure() -> None:
    def broken(setting: Setting) -> list[Row]:
        raise ValueError("of\n  ours")

    [row] = rows_of("part", 0, broken, Setting("cpu", noise_data(2), is_trial=True))
    assert (row.measured, row.is_met, row.is_check) == ("failed: ValueError: of ours", False, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "cpu"], "name a folder with MNIST by --data-dir, or try it on noise with --trial"),
        (["--device", "cpu", "--data-dir", ""], "name a folder with MNIST by --data-dir"),
        (["--device", "cpu", "--data-dir", "nowhere"], "is missing"),
        (["--device", "abacus"], "unknown device 'abacus'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], said: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so() -> None:
    done = bench()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "benchmarks.gpu: no cuda device is here: use --device cpu, or auto\n"


def test_the_candidates_are_those_of_a_search() -> None:
    candidates = drawn(50, 8)
    assert candidates == drawn(50, 8)
    assert len({candidate.id for candidate in candidates}) == 50
    assert all(candidate.arch.params < 10_000 for candidate in candidates)
    assert any(candidate.recipe.dropout for candidate in candidates)


def test_there_is_a_part_for_every_promise() -> None:
    assert list(parts(None)) == [
        "chip", "operations", "truth", "slots", "bench", "candidates", "forms", "kernels", "search", "accuracy",
        "formats", "layout", "steps", "processes", "equal", "triton", "to-the-end",
    ]  # fmt: skip


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_trains_what_a_cpu_does_and_a_slot_is_its_own() -> None:
    prepare_device("cuda")
    rows = truth(Setting("cuda:0", noise_data(7000), is_trial=False))
    assert {row.what: row.is_met for row in rows if row.is_met is False} == {}


@pytest.mark.gpu
@needs_gpu
def test_a_worker_s_slots_on_a_gpu_train_what_each_training_is_alone() -> None:
    """Through real processes: more jobs than slots, of different networks and lengths, one of them stopped."""
    data, candidates = noise_data(3000), drawn(8, 3)
    with closing(LocalEngine(data, ["cuda:0"], torch.float32, 3)) as engine:
        waiting, running, records = list(enumerate(candidates)), set[int](), dict[int, list[float]]()
        while waiting or running:
            while waiting and engine.n_free > 0:
                number, candidate = waiting.pop(0)
                running.add(number)
                engine.submit(Job(number, candidate.to_dict(), seed=number))
            for answer in engine.poll(1):
                match answer:
                    case EpochDone(number, record):
                        records.setdefault(number, []).append(record.train_loss)
                        if number == 5:
                            engine.stop(5)
                            running.remove(5)
                    case Finished(number):
                        running.remove(number)
                    case Broken(number, reason):
                        raise AssertionError(reason)
    prepare_device("cuda:0")
    for number, candidate in enumerate(candidates):
        alone = [record.train_loss for record in Training(candidate, data, number, "cuda:0")]
        assert records[number] == (alone[:1] if number == 5 else alone)
