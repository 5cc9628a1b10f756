"""Number formats: speed, and accuracy over seeds. bfloat16 and TF32 are taken only if they gain and cost nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean, stdev

import torch

from benchmarks._on_gpu import train_seeds
from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting
from models.candidate import Candidate
from trainer.data.noise import noise_data
from trainer.training.side_by_side import images_per_second
from trainer.training.train import Training

N_SEEDS = 8
EPOCHS = 8
SUSTAIN = 3


def formats(setting: Setting) -> list[Row]:
    """A row for each format: images a second with all slots, sustained accuracy over seeds."""
    rows = []
    on_gpu = setting.device.startswith("cuda")
    for name in ("float32", "tf32", "bfloat16") if on_gpu else ("float32", "bfloat16"):
        dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
        with _tf32(name == "tf32"):
            rate, accuracies = _speed(setting, dtype), _accuracies(setting, dtype)
        spread = f"{100 * fmean(accuracies):.3f} % (sd {100 * stdev(accuracies):.3f}, n = {len(accuracies)})"
        rows.append(Row(f"{name}, {setting.n_slots} slots", f"{rate:,.0f} images/s; {spread} after {EPOCHS} epochs"))
    return rows


def _speed(setting: Setting, dtype: torch.dtype) -> float:
    n_images = (2 if setting.is_trial else 96) * PRESET.candidate.recipe.batch_size
    data = noise_data(n_images).to(setting.device)
    trainings = [Training(PRESET.candidate, data, i, setting.device, dtype) for i in range(setting.n_slots)]
    images_per_second(trainings, n_images)
    return images_per_second(trainings, n_images, 1 if setting.is_trial else 3)


def _accuracies(setting: Setting, dtype: torch.dtype) -> list[float]:
    """Of a-step5 with a searched recipe's parts."""
    recipe = replace(
        PRESET.candidate.recipe, epochs=EPOCHS, dropout=0.025, rotation_degrees=7.0, ema_decay=0.998, lr=0.05
    )
    return sustained_accuracies(replace(PRESET.candidate, recipe=recipe), setting, dtype)


def sustained_accuracies(candidate: Candidate, setting: Setting, dtype: torch.dtype = torch.float32) -> list[float]:
    """Of trainings with a seed each, all at once; of two short ones where it is only tried."""
    epochs, n_seeds = (SUSTAIN, 2) if setting.is_trial else (candidate.recipe.epochs, N_SEEDS)
    candidate = replace(candidate, recipe=replace(candidate.recipe, epochs=epochs))
    data = setting.data.to(setting.device)
    trained = train_seeds(candidate, data, range(n_seeds), setting.device, dtype)
    return [fmean(record.eval_accuracy for record in records[-SUSTAIN:]) for records in trained]


@contextmanager
def _tf32(is_on: bool) -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = is_on
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
