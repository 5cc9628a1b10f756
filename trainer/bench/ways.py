"""The two ways of training that are compared: the sources' loop, and ours. Same network, batch size and rotation."""

import multiprocessing
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn, optim
from torch.nn.functional import cross_entropy

from models.build import build
from models.presets import get_preset
from trainer.data.images import Images, TrainingData
from trainer.hardware.device import prepare_device
from trainer.training.side_by_side import train_side_by_side
from trainer.training.train import Training

PRESET = get_preset("a-step5")
BATCH_SIZE = PRESET.candidate.recipe.batch_size
LOADER_WORKERS = 2


class Way(Protocol):
    """A way of training, alive in a process of its own."""

    def prepare(self, n_images: int) -> Callable[[], object]:
        """What trains one epoch over the first `n_images`; when it returns, all work on them is done."""


class SourcesLoop:
    """Training as the sources write it: torchvision's transforms image by image, a DataLoader, `.item()` each batch.

    Without their test pass, and without the progress bar. In float32, and on `n_threads`; with None on as many as
    torch takes by itself.
    """

    def __init__(self, folder: Path, device: str, n_threads: int | None = None) -> None:
        from torchvision import datasets, transforms

        # A spawned process would spawn its own too; the sources' DataLoader starts workers in the system's usual way.
        multiprocessing.set_start_method(None, force=True)
        if n_threads is not None:
            torch.set_num_threads(n_threads)
        changes = [
            transforms.RandomRotation((-7.0, 7.0), fill=(1,)),
            transforms.ToTensor(),
            transforms.Normalize((0.1307,), (0.3081,)),
        ]
        self._images = datasets.MNIST(str(folder), train=True, download=False, transform=transforms.Compose(changes))
        self._device = device
        self._network = build(PRESET.candidate.arch, PRESET.candidate.recipe.dropout).to(device)
        self._optimizer = optim.SGD(self._network.parameters(), lr=0.01, momentum=0.9)

    def prepare(self, n_images: int) -> Callable[[], object]:
        loader = torch.utils.data.DataLoader(
            torch.utils.data.Subset(self._images, range(n_images)),
            batch_size=BATCH_SIZE,
            shuffle=True,
            num_workers=LOADER_WORKERS,
            pin_memory=self._device == "cuda",
        )
        return partial(_train_as_the_sources, self._network, self._device, loader, self._optimizer)


def _train_as_the_sources(
    network: nn.Module, device: str, loader: Any, optimizer: optim.Optimizer
) -> tuple[float, float]:
    network.train()
    loss_sum, n_correct, n_seen = 0.0, 0, 0
    for data, target in loader:
        data, target = data.to(device), target.to(device)  # noqa: PLW2901  # as they write it
        optimizer.zero_grad()
        output = network(data)
        loss = cross_entropy(output, target)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()  # waits for the GPU, so the last batch is done when the loop is
        predicted = output.argmax(dim=1, keepdim=True)
        n_correct += predicted.eq(target.view_as(predicted)).sum().item()
        n_seen += len(data)
    return loss_sum, n_correct / n_seen


class OurWorker:
    """Training as a worker of a search does it: on one thread, in the given number format, in so many slots at once.

    Without evaluation, but for a single image.
    """

    def __init__(self, data: TrainingData, device: str, dtype: torch.dtype, n_slots: int = 1) -> None:
        prepare_device(device)
        torch.set_num_threads(1)
        self._data = data.to(device)
        self._device, self._dtype = device, dtype
        self._n_slots = n_slots
        self.prepare = cache(self._prepare)

    def _prepare(self, n_images: int) -> Callable[[], object]:
        train, data = self._data.train, self._data
        few = Images(train.pixels[:n_images], train.labels[:n_images])
        part = TrainingData(few, data.evaluation, data.mean, data.std)
        trainings = [Training(PRESET.candidate, part, i, self._device, self._dtype) for i in range(self._n_slots)]
        return partial(train_side_by_side, trainings)
