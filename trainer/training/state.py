"""TrainingState: all there is to a training between two epochs, so that it can be kept, moved and gone on with."""

import io
from dataclasses import asdict, dataclass

import torch

from models.arch import MOST_PARAMS
from models.saved_tensors import load_saved
from trainer.training.rates import PlateauState

_MOST_BYTES = 16 * MOST_PARAMS
"""Weights, their average, and two values of the optimiser for each, of the largest network in float32."""


class StateError(ValueError):
    """What was kept is no state of this training: another program wrote it, or it is damaged."""


@dataclass(frozen=True)
class TrainingState:
    """A training after `epoch` epochs. With the candidate, the data and the seed it was made of, it is the whole of it.

    What is drawn at random follows from seed and epoch (`seeds.py`): no generator is part of it.
    """

    epoch: int
    weights: torch.Tensor
    """All floating-point values of the network, as `flatten` lays them out where channels are last."""
    average: torch.Tensor | None
    """Those of the moving average, if there is one."""
    optimizer: tuple[torch.Tensor, ...]
    plateau: PlateauState

    def to_bytes(self) -> bytes:
        """The state as a file."""
        buffer = io.BytesIO()
        tensors = {"weights": self.weights, "average": self.average, "optimizer": list(self.optimizer)}
        torch.save({"epoch": self.epoch, "plateau": asdict(self.plateau), **tensors}, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "TrainingState":
        """The state that `to_bytes` wrote. Nothing in the file is executed. Raises StateError if it is none."""
        try:
            kept = load_saved(content, _MOST_BYTES)
            return cls(
                int(kept["epoch"]),
                kept["weights"],
                kept["average"],
                tuple(kept["optimizer"]),
                PlateauState(**kept["plateau"]),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"this is no state of a training: {type(error).__name__}") from error
