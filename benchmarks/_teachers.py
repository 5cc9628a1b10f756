"""Larger networks, trained on the search's own 50,000 images, and what a small one may learn from their answers."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from benchmarks._jobs import Job, run_jobs
from benchmarks._trainings import holdout
from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import OneCycle
from models.template import Template
from trainer.training.train import Training

N_TEACHERS = 2
TEACHER = Candidate(
    Template(
        stem=(16, 48), transition=40, body=(64, 64, 64, 64), pool_place="after-first", convolution="separable",
        skips=True,
    ).arch(),
    Recipe(
        epochs=8, lr=0.2, weight_decay=5e-5, schedule=OneCycle(0.25), dropout=0.02, rotation_degrees=8.0,
        translation_share=0.05, scale_share=0.06, ema_decay=0.995,
    ),
)  # fmt: skip
"""Without label smoothing, which takes from its answers what a student learns from (Mueller et al., 1906.02629)."""
TEMPERATURE = 4.0
SHARE = 0.9
"""Of the loss that is the teachers'; the rest is the labels'."""


def train_teachers(folder: Path, n_workers: int) -> list[Job]:
    """Their accuracies; their logits for the training images, as these are, lie in the folder."""
    jobs = [{"teacher": i, "folder": str(folder)} for i in range(N_TEACHERS)]
    return run_jobs(jobs, _train, folder / "teachers.jsonl", n_workers)


def _train(job: Job) -> dict[str, Any]:
    data = holdout()
    training = Training(TEACHER, data, 1000 + job["teacher"])
    accuracies = [record.eval_accuracy for record in training]
    np.save(Path(job["folder"]) / f"teacher-{job['teacher']}.npy", training.logits(data.train.pixels).numpy())
    return {"params": TEACHER.arch.params, "accuracies": accuracies}


@cache
def _softened(folder: Path) -> torch.Tensor:
    """The mean answer (N, 10) of all teachers at the temperature."""
    logits = [torch.from_numpy(np.load(folder / f"teacher-{i}.npy")) for i in range(N_TEACHERS)]
    return torch.stack([softmax(each / TEMPERATURE, 1) for each in logits]).mean(0)


class Student(Training):
    """A training towards the teachers' answers (Hinton et al., arXiv 1503.02531)."""

    def __init__(self, folder: Path, *args: Any) -> None:
        super().__init__(*args)
        answers, labels = _softened(folder), holdout().train.labels

        def loss(logits: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
            soft = kl_div(log_softmax(logits / TEMPERATURE, 1), answers[index], reduction="batchmean")
            return SHARE * TEMPERATURE**2 * soft + (1 - SHARE) * cross_entropy(logits, labels[index])

        self._step.loss = loss  # type: ignore[method-assign]
