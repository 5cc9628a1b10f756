"""Where the time of a training on one CPU thread goes, and how far it is from what the machine could do at best.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.profile_step [--images 12800]

The network of preset a-step5, batch 128, in the number format of this machine. Seconds are scaled to an epoch of 60,000
images. The arithmetic floor is three times the network's MACs (forward, gradient at the input, gradient at the
weights) at the rate of a large square matrix product; the memory floor is every value that stands between two
convolutions moved as often as the algorithm must, at the bandwidth of a copy of a tensor of that size.
"""

import argparse
import time
from collections import defaultdict

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks._report import machine_line, markdown_table
from benchmarks._trainings import holdout
from models.presets import PRESETS
from trainer.data.images import Images, TrainingData
from trainer.training.precision import choose_precision
from trainer.training.train import Training

CANDIDATE = PRESETS["a-step5"].candidate
EPOCH = 60_000
GROUPS = {
    "mkldnn_convolution": "convolutions, forward",
    "_ConvolveBackward": "convolutions, backward",
    "_Convolve": "convolutions, forward",
    "convolution_backward": "convolutions, backward",
    "_FusedBackward": "batch norm, ReLU, dropout, pool: backward",
    "_Fused": "batch norm, ReLU, dropout, pool: forward",
    "Optimizer.step": "optimiser",
}
PASSES = 16
"""Reads and writes of a value between convolutions in one step. Forward 5: written by its convolution, read for the
statistics, read and written by the fused block, read by the next convolution. Backward 11: the gradient written; value,
output and gradient read for the sums, read again for the gradient behind the block, which is written; that read twice
and the input once for the convolution's two gradients."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12_800)
    options = parser.parse_args()
    data, dtype = holdout(), choose_precision("auto", "cpu", CANDIDATE).dtype
    few = Images(data.train.pixels[: options.images], data.train.labels[: options.images])
    training = Training(CANDIDATE, TrainingData(few, data.evaluation, data.mean, data.std), 0, "cpu", dtype)
    training.train_epoch()
    scale = EPOCH / options.images
    whole = _seconds(training.train_epoch) * scale
    shares = _shares(training)
    print(f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.profile_step`, {machine_line()}, {dtype}.\n")
    rows = [[name, f"{share * whole:.2f}", f"{share:.0%}"] for name, share in shares.items()]
    rows += [["all of it", f"{whole:.2f}", "100%"]]
    rows += [
        ["arithmetic floor", f"{arithmetic_floor(dtype):.2f}", ""],
        ["memory floor", f"{memory_floor(dtype):.2f}", ""],
    ]
    print(markdown_table(("part", "core-seconds per 60,000 images", "share"), rows))


def _seconds(work: object, n: int = 3) -> float:
    """The median of n calls, in seconds of this thread."""
    times = []
    for _ in range(n):
        start = time.thread_time()
        work()  # type: ignore[operator]
        times.append(time.thread_time() - start)
    return sorted(times)[n // 2]


def _shares(training: Training) -> dict[str, float]:
    """The share of the time by group, largest first, as torch's profiler sees it."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        training.train_epoch()
    times: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        group = next((name for key, name in GROUPS.items() if key in event.key), "all else")
        times[group] += event.self_cpu_time_total
    total = sum(times.values())
    return {name: spent / total for name, spent in sorted(times.items(), key=lambda item: -item[1])}


def arithmetic_floor(dtype: torch.dtype, side: int = 1024) -> float:
    """Seconds of an epoch's multiply-accumulates at the rate of a large matrix product."""
    a, b = torch.randn(side, side, dtype=dtype), torch.randn(side, side, dtype=dtype)
    torch.mm(a, b)
    return 3 * CANDIDATE.arch.macs * EPOCH / (side**3 / _seconds(lambda: torch.mm(a, b), 9))


def memory_floor(dtype: torch.dtype) -> float:
    """Seconds of an epoch's traffic between convolutions at the bandwidth of a copy."""
    values = sum(C * H * W for C, H, W in (row.output_shape for row in CANDIDATE.arch.facts if row.params))
    size = torch.empty(0, dtype=dtype).element_size()
    largest = max(C * H * W for C, H, W in (row.output_shape for row in CANDIDATE.arch.facts))
    source = torch.zeros(CANDIDATE.recipe.batch_size * largest, dtype=dtype)
    target = torch.empty_like(source)
    n = 20
    seconds = _seconds(lambda: [target.copy_(source) for _ in range(n)], 9) / n
    bandwidth = 2 * source.numel() * size / seconds
    return PASSES * values * size * EPOCH / bandwidth


if __name__ == "__main__":
    main()
