"""Step: one batch of a training, from its images to the moving average of the weights."""

import torch
from torch import nn, optim
from torch.nn.functional import cross_entropy

from models.recipe import Recipe
from trainer.data.images import TrainingData
from trainer.training.augment import changed_images
from trainer.training.average import WeightAverage
from trainer.training.plan import PlanOnDevice
from trainer.training.sums import zero_sums


class Step:
    """Called with a batch's length, it trains on the plan's next batch, and adds to `sums`. A work of a runner.

    It reads nothing back from the device, and all that differs from batch to batch is in tensors whose addresses stay:
    so a GPU can be given hundreds of steps at once, and one that was captured is every step of its length.
    """

    def __init__(
        self,
        network: nn.Module,
        average: WeightAverage | None,
        optimizer: optim.Optimizer,
        rate: torch.Tensor,
        plan: PlanOnDevice,
        data: TrainingData,
        recipe: Recipe,
        dtype: torch.dtype,
        longest: int,
    ) -> None:
        """`rate` (1,) is what the optimiser takes for its learning rate; `longest` the length of the longest batch."""
        self.network = network
        self._average = average
        self._optimizer = optimizer
        self._rate = rate
        self._plan = plan
        self._train = data.train
        self._mean, self._std = data.mean, data.std
        self._recipe = recipe
        self._dtype = dtype
        self._one = torch.ones((), device=rate.device)
        self._ahead = torch.arange(longest, device=rate.device)
        self.sums = zero_sums(rate.device)
        """(2,): the losses of the images, and how many answers were right."""

    def __call__(self, n: int) -> None:
        index, changes = self._plan.batch(self._ahead[:n])
        labels = self._train.labels.index_select(0, index)
        fill = self._recipe.fill
        images = changed_images(self._train.pixels, index, changes, fill, self._mean, self._std)  # (n, 1, 28, 28)
        logits = self._forward(images)
        loss = cross_entropy(logits, labels, label_smoothing=self._recipe.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward(self._one)
        self._rate.copy_(self._plan.rate())
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._plan.taken())
        self._count(loss.detach(), logits.detach(), labels)
        self._plan.next(n)

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, 10) in float32."""
        kind, is_cast = images.device.type, self._dtype != torch.float32
        # A cast that is kept for a second use of its weights would be kept in a graph's memory.
        with torch.autocast(kind, self._dtype, enabled=is_cast, cache_enabled=kind != "cuda"):
            logits: torch.Tensor = self.network(images)
        return logits.float()

    def _count(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.sums[0] += loss * len(labels)
        self.sums[1] += (logits.argmax(1) == labels).sum()
