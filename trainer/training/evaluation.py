"""Evaluation: what a network gives for images that it does not learn from."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from trainer.data.images import TrainingData
from trainer.training.sums import zero_sums

_CPU_BATCH = 250  # its activations stay in the second-level cache
_BATCH = 2000


class Evaluation:
    """Called, it goes through the evaluation images once. A work of a runner."""

    def __init__(self, network: nn.Module, data: TrainingData) -> None:
        self._network = network
        self._images = data.evaluation
        self._mean, self._std = data.mean, data.std
        device = data.evaluation.labels.device
        self._batch = _CPU_BATCH if device.type == "cpu" else _BATCH
        self.sums = zero_sums(device)
        """(2,): the cross-entropies of the images in nats, and how many answers were right."""
        self.answers = torch.zeros_like(data.evaluation.labels)
        """The class that each image was given (N,)."""

    @property
    def n_images(self) -> int:
        """How many images there are."""
        return len(self._images)

    @torch.no_grad()
    def __call__(self) -> None:
        logits = self.logits(self._images.pixels)
        self.answers.copy_(logits.argmax(1))
        self.sums[0] = cross_entropy(logits, self._images.labels, reduction="sum")
        self.sums[1] = (self.answers == self._images.labels).sum()

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10) in evaluation mode, for pixels (N, 28, 28) uint8 on the network's device."""
        network = self._network.eval()
        batches = (batch.unsqueeze(1).float() / 255 for batch in pixels.split(self._batch))
        return torch.cat([network((batch - self._mean) / self._std) for batch in batches])
