"""The best small MNIST networks that others have published: data, as their notebooks and pages tell it.

Almost all are one run each, and the test images chose both the network and the epoch that is quoted.
"""

from dataclasses import dataclass
from statistics import fmean

from models.presets import Preset

_REPORTED_EPOCHS = 3


@dataclass(frozen=True)
class Record:
    """A published result. `accuracy` is a fraction of 1 on the test images, and `note` says of what."""

    title: str
    who: str
    params: int
    accuracy: float
    note: str


RECORDS = (
    Record(
        "best under 10,000 parameters",
        "sagarigrandhi/EVA4, S5/Assignment_5_F7.ipynb",
        9_994,
        0.9961,
        "best epoch; last five 99.45, 99.45, 99.61, 99.60, 99.60",
    ),
    Record(
        "best under 8,000",
        "nagalakshmi-nimmagadda/MNIST-CNN-COLAB, MNIST_Model3_Development.ipynb",
        6_188,
        0.9954,
        "best epoch; last five 99.44 to 99.54",
    ),
    Record(
        "fewest, last five epochs at 99.40 or more",
        "sunpau/ERA_V1_S7, S7_final_model.ipynb",
        6_128,
        0.9942,
        "lowest of the last five; the highest 99.47",
    ),
    Record("fewest that touched 99.40", "Madhur-1/ERA-v1, S7/Net6.ipynb", 5_196, 0.9943, "last epochs, one run"),
    Record("best seen under 5,000", "ruslangrimov/mnist-minimal-model", 3_197, 0.9925, "on validation images"),
    Record("best under 2,000", "ruslangrimov/mnist-minimal-model", 1_936, 0.9910, "one run"),
    Record(
        "best under 1,000",
        "JoshWarn/Parameter-Efficient-MNIST",
        697,
        0.9903,
        "the best of about 700 runs",
    ),
)
"""For MNIST alone. Nobody was found who shows 99.40 % under 5,000 parameters."""


def reported_accuracy(preset: Preset) -> float | None:
    """The mean of the last epochs that a source quotes, three at most; None where it quotes the best alone."""
    return fmean(preset.reported[-_REPORTED_EPOCHS:]) if preset.reported else None
