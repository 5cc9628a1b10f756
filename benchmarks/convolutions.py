"""What the kernels' convolutions are worth: milliseconds a step with them and with torch's, side by side.

    MNIST_SEARCH_DATA=DIR OMP_NUM_THREADS=1 python -m benchmarks.convolutions [--rounds 9]

Float32, one thread, presets ours-3789 (separable convolutions) and a-step5 (3x3 ones), batches of 64 and 128. All else
is the same in both. Rounds take turns, so that what else the machine does falls on both; time is this process's own.
"""

import argparse
import time
from dataclasses import replace
from statistics import median
from unittest.mock import patch

import torch

from benchmarks._report import machine_line, markdown_table
from benchmarks._trainings import holdout
from models.candidate import Candidate
from models.presets import KNOWN
from trainer.data.images import Images, TrainingData
from trainer.fused.convolution import Convolution
from trainer.training.train import Training

NAMES = ("ours-3789", "a-step5")
BATCHES = (64, 128)
STEPS = 20
"""Steps in a round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.convolutions`, {machine_line()}, {options.rounds} rounds.\n")
    rows = [_row(name, batch, options.rounds) for name in NAMES for batch in BATCHES]
    print(markdown_table(("preset", "batch", "ms a step, torch's", "ms a step, ours", "ours / torch's"), rows))


def _row(name: str, batch: int, n_rounds: int) -> list[str]:
    """Medians over the rounds, and the median of the rounds' ratios with the smallest and the largest."""
    training = _training(name, batch)
    _milliseconds(training, batch)
    times = [(_of_torch(training, batch), _milliseconds(training, batch)) for _ in range(n_rounds)]
    ratios = sorted(ours / theirs for theirs, ours in times)
    theirs, ours = (median(column) for column in zip(*times, strict=True))
    spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return [name, str(batch), f"{theirs:.1f}", f"{ours:.1f}", spread]


def _training(name: str, batch: int) -> Training:
    data, base = holdout(), KNOWN[name].candidate
    few = Images(data.train.pixels[: STEPS * batch + 1], data.train.labels[: STEPS * batch + 1])
    candidate = Candidate(base.arch, replace(base.recipe, batch_size=batch))
    return Training(candidate, TrainingData(few, data.evaluation, data.mean, data.std), 0, "cpu", torch.float32)


def _of_torch(training: Training, batch: int) -> float:
    with patch.object(Convolution, "accepts", return_value=False):
        return _milliseconds(training, batch)


def _milliseconds(training: Training, batch: int) -> float:
    """A step's, over an epoch."""
    start = time.process_time()
    training.train_epoch()
    return (time.process_time() - start) / STEPS * 1e3


if __name__ == "__main__":
    main()
