"""Trainings of an experiment on a GPU: what can be seen of them on a CPU."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks._jobs import Job, known_results
from benchmarks._on_gpu import run_jobs_on_gpu
from benchmarks.ablation_by_size import candidate_of
from models.candidate import Candidate
from tests.helpers.datasets import write_dataset

JOBS = [{"size": 999, "variant": variant, "seed": seed} for seed in (0, 1) for variant in ("base", "skips")]


def short(job: Job) -> Candidate:
    candidate = candidate_of(job["size"], job["variant"])
    return replace(candidate, recipe=replace(candidate.recipe, epochs=3, batch_size=4))


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "data")
    monkeypatch.setenv("MNIST_SEARCH_DATA", str(tmp_path / "data"))


def test_all_seeds_of_a_candidate_go_at_once_and_results_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    found = run_jobs_on_gpu(JOBS, short, path, "cpu", 100)
    assert found == known_results(path)
    assert [(f["variant"], f["seed"]) for f in found] == [("base", 0), ("base", 1), ("skips", 0), ("skips", 1)]
    assert all(len(f["accuracies"]) == 3 and f["params"] == 999 for f in found)
    assert found[0]["device_seconds"] == found[1]["device_seconds"]
    assert run_jobs_on_gpu(JOBS, short, path, "cpu", 100) == found, "nothing is trained twice"


def test_nothing_begins_when_the_time_is_over_and_another_call_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert run_jobs_on_gpu(JOBS, short, path, "cpu", -1) == []
    assert len(run_jobs_on_gpu(JOBS[:1], short, path, "cpu", 100)) == 1
    assert len(run_jobs_on_gpu(JOBS, short, path, "cpu", 100)) == 4
