"""Many trainings in worker processes of one thread each; results go to a file as they come, so that it can go on."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def run_jobs(jobs: Iterable[Job], train: Callable[[Job], dict[str, Any]], path: Path, workers: int) -> list[Job]:
    """The results of all jobs, those found in `path` (JSON lines) included; each is its job and what `train` says."""
    results = known_results(path)
    missing = missing_jobs(jobs, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool,
        path.open("a") as file,
    ):
        futures = {pool.submit(train, job): job for job in missing}
        for future in as_completed(futures):
            result = futures[future] | future.result()
            results.append(result)
            print(json.dumps(result), file=file, flush=True)
    return results


def known_results(path: Path) -> list[Job]:
    """What earlier runs wrote there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def missing_jobs(jobs: Iterable[Job], results: list[Job]) -> list[Job]:
    """Those without a result."""
    return [job for job in jobs if not any(job.items() <= result.items() for result in results)]


def data_folder() -> Path:
    """Where MNIST is: MNIST_SEARCH_DATA."""
    return Path(os.environ["MNIST_SEARCH_DATA"])
