"""What an epoch of a training comes to."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to. Accuracies are fractions of 1, losses mean cross-entropies in nats per image.

    Training loss and accuracy are those of the training passes themselves, augmentation and dropout included, as the
    sources report them.
    """

    epoch: int
    """From 1."""
    train_loss: float
    train_accuracy: float
    eval_loss: float
    eval_accuracy: float
    lr: float
    """The learning rate of the epoch's last batch."""
    seconds: float
    core_seconds: float
    """Processor time of the process, all its threads together; on a GPU that of the host."""

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return asdict(self)


class DivergedError(Exception):
    """The loss of an epoch was not finite."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss was not finite in epoch {epoch}")
        self.epoch = epoch
