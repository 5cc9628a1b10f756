"""One training: a candidate, data and a seed in; a record per epoch out."""

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from models.build import build
from models.candidate import Candidate
from trainer.data.images import Images, TrainingData
from trainer.fused.network import fuse
from trainer.training.augment import draw_images
from trainer.training.average import WeightAverage
from trainer.training.optim import Pace, make_optimizer
from trainer.training.records import DivergedError, EpochRecord

_CPU_EVALUATION_BATCH = 250  # its activations stay in the second-level cache
_EVALUATION_BATCH = 2000
_SMALLEST_BATCH = 2  # BatchNorm has no variance of one image where its map is a single value, as after a GAP


class Training:
    """A training that yields its epochs one by one: `for record in training: ...`, then `training.result`.

    The same candidate, data, seed, device and dtype give the same records on the same machine. To that end the
    global torch generator is seeded (dropout has no other); one training at a time in a process.
    """

    def __init__(
        self,
        candidate: Candidate,
        data: TrainingData,
        seed: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self._recipe = candidate.recipe
        self._data = data.to(device)
        self._device = device
        self._dtype = dtype
        self._on_batch = on_batch
        self._generator = torch.Generator(device).manual_seed(seed)
        network = build(candidate.arch, candidate.recipe.dropout).to(device)
        self._network = network.to(memory_format=torch.channels_last)
        # On a CPU the same network, sharing its weights, with fused steps between the convolutions.
        self._trained = fuse(self._network) if device == "cpu" else self._network
        decay = candidate.recipe.ema_decay
        self._average = WeightAverage(self._network, decay) if decay else None
        self._evaluated = fuse(self.result) if device == "cpu" else self.result
        self._optimizer = make_optimizer(self._network, candidate.recipe)
        self._batch_size = max(_SMALLEST_BATCH, candidate.recipe.batch_size)
        self._batches_per_epoch = max(1, math.ceil((len(data.train) - 1) / self._batch_size))
        self._pace = Pace(self._optimizer, candidate.recipe, self._batches_per_epoch)
        self._n_begun = self._n_ended = 0
        self._pending: EpochRecord | DivergedError | None = None

    @property
    def result(self) -> nn.Sequential:
        """The network that is evaluated: the trained one, or the average of its weights."""
        return self._average.network if self._average is not None else self._network

    @property
    def predictions(self) -> bytes:
        """The class that the last epoch's network gave each evaluation image, a byte each."""
        return self._answers.to("cpu", torch.uint8).numpy().tobytes()

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the state dict of `result`, on the CPU."""
        state = self.result.state_dict()
        return {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}

    def __iter__(self) -> Iterator[EpochRecord]:
        while not self.is_over:
            self.start_epoch()
            yield self.end_epoch()

    def start_epoch(self) -> None:
        """Begins the next epoch. What `on_batch` raises comes out of here; the training is then to be thrown away."""
        self._n_begun += 1
        try:
            self._pending = self._run_epoch(self._n_begun)
        except DivergedError as error:
            self._pending = error

    def is_epoch_ready(self) -> bool:
        """Whether `end_epoch` would not have to wait."""
        return True

    def end_epoch(self) -> EpochRecord:
        """The record of the epoch that was begun. Raises DivergedError if its loss was not finite."""
        record, self._pending = self._pending, None
        assert record is not None, "no epoch was begun"
        if isinstance(record, DivergedError):
            raise record
        self._n_ended += 1
        return record

    @property
    def is_over(self) -> bool:
        """Whether its last epoch has ended."""
        return self._n_ended >= self._recipe.epochs

    def _run_epoch(self, epoch: int) -> EpochRecord:
        start, core_start = time.perf_counter(), time.process_time()
        train_loss, train_accuracy = self.train_epoch()
        if not math.isfinite(train_loss):
            raise DivergedError(epoch)
        eval_loss, eval_accuracy = self._evaluate(self._data.evaluation)
        if not math.isfinite(eval_loss):
            raise DivergedError(epoch)
        lr = self._last_lr
        self._pace.after_epoch(train_loss)
        seconds, core_seconds = time.perf_counter() - start, time.process_time() - core_start
        return EpochRecord(epoch, train_loss, train_accuracy, eval_loss, eval_accuracy, lr, seconds, core_seconds)

    def train_epoch(self) -> tuple[float, float]:
        """Mean loss and accuracy over one pass through the training images.

        A whole training is `for record in training`; this is for timing the passes alone. All work is done when it
        returns, on a GPU too.
        """
        self._trained.train()
        # Sums stay on the device until the end of the epoch, so that no batch waits for them.
        loss_sum = torch.zeros((), dtype=torch.float64 if self._device == "cpu" else torch.float32, device=self._device)
        n_correct = torch.zeros((), dtype=torch.int64, device=self._device)
        for number, (images, labels) in enumerate(self._batches(), 1):
            logits = self._forward(images)
            loss = cross_entropy(logits, labels, label_smoothing=self._recipe.label_smoothing)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
            self._last_lr = self._optimizer.param_groups[0]["lr"]
            self._pace.after_batch()
            if self._average is not None:
                self._average.update(self._network)
            loss_sum += loss.detach() * len(labels)
            n_correct += (logits.argmax(1) == labels).sum()
            if self._on_batch is not None:
                self._on_batch(number, self._batches_per_epoch)
        n = len(self._data.train)
        return loss_sum.item() / n, n_correct.item() / n

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled batches: images (B, 1, 28, 28) of 0..1 in float32, and labels (B,).

        None is of a single image (see `_SMALLEST_BATCH`): one left over joins the batch before, so that every image is
        learnt from, and a batch size of 1 is taken for 2.
        """
        train = self._data.train
        order = torch.randperm(len(train), generator=self._generator, device=self._device)
        batches = order.split(self._batch_size)
        if len(batches) > 1 and len(batches[-1]) == 1:
            batches = (*batches[:-2], torch.cat(batches[-2:]))
        for index in batches:
            yield draw_images(train.pixels, index, self._recipe, self._generator), train.labels[index]

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, 10) in float32 of training images (B, 1, 28, 28) of 0..1."""
        enabled = self._dtype != torch.float32
        with torch.autocast(self._device.partition(":")[0], self._dtype, enabled=enabled):
            logits: torch.Tensor = self._trained(self._normalised(images))
        return logits.float()

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self._data.mean) / self._data.std

    @torch.no_grad()
    def _evaluate(self, images: Images) -> tuple[float, float]:
        """Mean loss and accuracy of `result` on images it does not learn from."""
        logits = self.logits(images.pixels)
        loss = cross_entropy(logits, images.labels)
        self._answers = logits.argmax(1)
        n_correct = (self._answers == images.labels).sum().item()
        return loss.item(), n_correct / len(images)  # not a mean in float32, which gives .9902 as .99019998

    @torch.no_grad()
    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10) of `result`, in evaluation mode, for pixels (N, 28, 28) uint8.

        Always in float32, whatever the training ran in: what is measured is the network that is exported.
        """
        network = self._evaluated.eval()
        batches = pixels.to(self._device).split(_CPU_EVALUATION_BATCH if self._device == "cpu" else _EVALUATION_BATCH)
        return torch.cat([network(self._normalised(batch.unsqueeze(1).float() / 255)) for batch in batches])
