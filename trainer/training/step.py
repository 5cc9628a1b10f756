"""Step: one batch of a training, from its images to the moving average of the weights."""

import torch
from torch import optim
from torch.nn.functional import cross_entropy

from models.arch import N_CLASSES
from models.recipe import Recipe
from trainer.data.images import TrainingData
from trainer.fused.network import FusedNetwork
from trainer.training.augment import changed_images
from trainer.training.average import WeightAverage
from trainer.training.plan import PlanOnDevice
from trainer.training.sums import zero_sums


class Step:
    """Called with a batch's length, it trains on the plan's next batch. A work of a runner.

    It reads nothing back from the device, and all that differs from batch to batch is in tensors whose addresses stay:
    so a GPU can be given hundreds of steps at once, and one that was captured is every step of its length.
    """

    def __init__(
        self,
        network: FusedNetwork,
        average: WeightAverage | None,
        optimizer: optim.Optimizer,
        plan: PlanOnDevice,
        data: TrainingData,
        recipe: Recipe,
        dtype: torch.dtype,
        longest: int,
    ) -> None:
        """`longest` is the length of the longest batch. The optimiser's learning rate is the plan's."""
        device = plan.rate.device
        self.network = network
        self._average = average
        self._optimizer = optimizer
        self._plan = plan
        self._train = data.train
        self._mean, self._std = data.mean, data.std
        self._recipe = recipe
        self._dtype = dtype
        self._one = torch.ones((), device=device)
        self._ahead = torch.arange(longest, device=device)
        self._logits = torch.zeros(len(data.train), N_CLASSES, device=device)  # of the images in the epoch's order
        self.sums = zero_sums(device)
        """(2,): the losses of an epoch's images, and how many answers were right; once `sum_up` was called."""

    def __call__(self, n: int) -> None:
        batch, train = self._plan.batch(self._ahead[:n]), self._train
        images = changed_images(train.pixels, batch.index, batch.changes, self._recipe.fill, self._mean, self._std)
        logits = self._forward(images)
        loss = self.loss(logits, batch.index)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward(self._one)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._plan.taken)
        self._logits.index_copy_(0, batch.places, logits.detach())
        self._plan.next(n)

    def loss(self, logits: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """What a batch's logits (B, 10) for the training images `index` (B,) are to make small."""
        labels = self._train.labels.index_select(0, index)
        return cross_entropy(logits, labels, label_smoothing=self._recipe.label_smoothing)

    @torch.no_grad()
    def sum_up(self) -> None:
        """Adds up what the epoch's batches came to: once for all, not a little behind each of them."""
        labels = self._train.labels.index_select(0, self._plan.plan.order)
        logits = self._logits.to(self.sums.dtype)
        self.sums[0] = cross_entropy(logits, labels, label_smoothing=self._recipe.label_smoothing, reduction="sum")
        self.sums[1] = (logits.argmax(1) == labels).sum()

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, 10) in float32 for images (n, 1, 28, 28)."""
        kind, is_cast = images.device.type, self._dtype != torch.float32
        # A cast that is kept for a second use of its weights would be kept in a graph's memory.
        with torch.autocast(kind, self._dtype, enabled=is_cast, cache_enabled=kind != "cuda"):
            logits: torch.Tensor = self.network(images)
        return logits.float()
