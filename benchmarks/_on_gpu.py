"""Many trainings of an experiment on a GPU: the seeds of one candidate at once, results to a file as they come."""

import gc
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks._jobs import Job, data_folder, known_results, missing_jobs
from benchmarks._trainings import SUSTAIN
from models.candidate import Candidate
from search.measures.objective import sustained_accuracy
from trainer.data.images import TrainingData, load_idx_dataset
from trainer.data.split import split_data
from trainer.hardware.device import prepare_device
from trainer.training.records import EpochRecord
from trainer.training.side_by_side import train_side_by_side
from trainer.training.train import Training


def run_jobs_on_gpu(
    jobs: Iterable[Job], candidate_of: Callable[[Job], Candidate], path: Path, device: str, seconds: float
) -> list[Job]:
    """As `run_jobs` does. What differs in nothing but its `seed` is trained at once, and nothing begins after so many
    seconds: what is left then is left for another call."""
    start, results = time.perf_counter(), known_results(path)
    prepare_device(device)
    torch.set_num_threads(1)
    data = split_data(load_idx_dataset("mnist", data_folder()), "holdout").to(device)
    groups: dict[str, list[Job]] = {}
    for job in missing_jobs(jobs, results):
        groups.setdefault(json.dumps({key: value for key, value in job.items() if key != "seed"}), []).append(job)
    with path.open("a") as file:
        for group in groups.values():
            if time.perf_counter() - start > seconds:
                break
            candidate = candidate_of(group[0])
            for job, found in zip(group, _measured(candidate, data, [j["seed"] for j in group], device), strict=True):
                results.append(job | {"params": candidate.arch.params, "macs": candidate.arch.macs} | found)
                print(json.dumps(results[-1]), file=file, flush=True)
            gc.collect()
            if device.startswith("cuda"):
                torch.cuda.empty_cache()  # a new training's graphs never take what an ended one's left
    return results


def train_seeds(
    candidate: Candidate, data: TrainingData, seeds: Sequence[int], device: str, dtype: torch.dtype = torch.float32
) -> list[tuple[EpochRecord, ...]]:
    """The epochs of a training for each seed, all at once."""
    trainings = [Training(candidate, data, seed, device, dtype) for seed in seeds]
    return list(zip(*(train_side_by_side(trainings) for _ in range(candidate.recipe.epochs)), strict=True))


def _measured(candidate: Candidate, data: TrainingData, seeds: Sequence[int], device: str) -> list[dict[str, Any]]:
    """Of a training for each seed; the seconds of the device are shared out evenly."""
    start = time.perf_counter()
    trained = train_seeds(candidate, data, seeds, device)
    each = (time.perf_counter() - start) / len(seeds)
    return [
        {
            "accuracies": (accuracies := [record.eval_accuracy for record in records]),
            "sustained_accuracy": sustained_accuracy(accuracies, SUSTAIN),
            "train_accuracy": records[-1].train_accuracy,
            "device_seconds": each,
        }
        for records in trained
    ]
