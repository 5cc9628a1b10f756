"""A trained network as it left its training, before anything is folded: what every written file is held to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build
from models.candidate import Candidate
from trainer.formats.folded import FoldedNetwork, fold

_BATCH = 1000


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A candidate's weights, and the pixel statistics it was trained with, as fractions of 255."""

    candidate: Candidate
    weights: Mapping[str, torch.Tensor]
    mean: float
    std: float

    @cached_property
    def folded(self) -> FoldedNetwork:
        """The steps that are left of it at inference."""
        return fold(self.candidate.arch, self.weights, self.mean, self.std)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Of images (N, 28, 28) uint8: (N, 10) float32, by the layers of its training."""
        network = restore(self.candidate.arch, self.weights)
        images = (pixels[:, None].float() / 255 - self.mean) / self.std  # (N, 1, 28, 28)
        with torch.no_grad():
            return torch.cat([network(batch) for batch in images.split(_BATCH)])


def restore(arch: ArchSpec, weights: Mapping[str, torch.Tensor]) -> nn.Module:
    """The network with these weights, in evaluation mode."""
    network = build(arch)
    network.load_state_dict(weights)
    return network.eval()
