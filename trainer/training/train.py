"""One training: a candidate, data and a seed in; a record per epoch out."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

import torch
from torch import nn

from models.build import build
from models.candidate import Candidate
from models.recipe import strength
from trainer.data.images import TrainingData
from trainer.fused.masks import Noise
from trainer.fused.network import FusedNetwork, fuse
from trainer.training.average import WeightAverage, taken_shares
from trainer.training.clock import Clock
from trainer.training.evaluation import Evaluation
from trainer.training.flat import as_laid_out, flatten, with_channels_last
from trainer.training.optim import begin_state, make_optimizer
from trainer.training.plan import EpochPlan, PlanOnDevice, draw_plan
from trainer.training.rates import Rates
from trainer.training.records import DivergedError, EpochRecord
from trainer.training.runner import Runner, Work
from trainer.training.runners import make_runner
from trainer.training.seeds import DROPOUT, epoch_seed
from trainer.training.state import StateError, TrainingState
from trainer.training.statistics import StatisticsEstimate
from trainer.training.step import Step

MEMORY_FORMATS = {"cpu": torch.channels_last, "cuda": torch.contiguous_format}
"""Of activations and kernels, by the kind of device. The compiled kernels of a CPU want the channels last; cuDNN's, for
maps of so few channels and many trainings at once, want them first: three times the images a second."""
_SMALLEST_BATCH = 2  # BatchNorm has no variance of one image where its map is a single value, as after a GAP


class Training:
    """A training that yields its epochs one by one: `for record in training: ...`, then `training.result`.

    Or driven by hand, so that several can go on at once: `start_epoch`, `is_epoch_ready`, `end_epoch` until `is_over`.
    The same candidate, data, seed, device and dtype give the same records on the same machine, whatever else the
    process does: all that is drawn at random has generators of the training's own.
    """

    def __init__(
        self,
        candidate: Candidate,
        data: TrainingData,
        seed: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        on_batch: Callable[[int, int], None] | None = None,
        runner: Runner | None = None,
    ) -> None:
        """`on_batch` is called with the number of batches done in an epoch, and those that it has.

        Behind each batch; on a GPU behind those that are enqueued together. What it raises comes out of `start_epoch`,
        and the training is then to be thrown away. `runner` does the work; by default the device's own.
        """
        self._recipe = recipe = candidate.recipe
        self._seed = seed
        self._device = device
        self._on_batch = on_batch
        self._runner = runner or make_runner(device)
        self._n_train = len(data.train)
        self._batch_size = max(_SMALLEST_BATCH, recipe.batch_size)
        self._batches_per_epoch = max(1, math.ceil((self._n_train - 1) / self._batch_size))
        self._rates = Rates(recipe, self._batches_per_epoch)
        self._n_epochs_done = 0
        with self._runner.place():
            self._generator = torch.Generator(device)
            layout = MEMORY_FORMATS.get(device.partition(":")[0], torch.channels_last)
            self._network = _initial(candidate, seed).to(device).to(memory_format=layout)
            self._weights = flatten(self._network)
            self._average = WeightAverage(self._network, self._weights) if recipe.ema_decay else None
            self._plan = PlanOnDevice(self._draw_plan(), device)
            self._make_works(data.to(device), dtype)

    @property
    def result(self) -> nn.Sequential:
        """The network that is evaluated: the trained one, or the average of its weights."""
        return self._average.network if self._average is not None else self._network

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done."""
        return self._n_epochs_done >= self._recipe.epochs

    @property
    def predictions(self) -> bytes:
        """The class that the last epoch's network gave each evaluation image, a byte each."""
        with self._runner.place():
            return self._evaluation.answers.to("cpu", torch.uint8).numpy().tobytes()

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the state dict of `result`, on the CPU."""
        with self._runner.place():
            state = {name: tensor.cpu() for name, tensor in self.result.state_dict().items()}
        n_batches = self._n_epochs_done * self._batches_per_epoch
        return {
            # The one whole number in it is batch norm's count of batches, which is not kept on the device.
            name: tensor.clone(memory_format=torch.contiguous_format)
            if tensor.is_floating_point()
            else torch.full_like(tensor, n_batches)
            for name, tensor in state.items()
        }

    def state(self) -> TrainingState:
        """A copy of all there is to it between two epochs, on the CPU: the same whatever the device."""
        with self._runner.place():
            average, *others = (None if t is None else t.detach().cpu().clone() for t in self._kept())
            weights, *optimizer = (t for t in others if t is not None)
        weights = with_channels_last(weights, self._network)
        average = None if average is None else with_channels_last(average, self._network)
        return TrainingState(self._n_epochs_done, weights, average, tuple(optimizer), self._rates.plateau)

    def restore(self, state: TrainingState) -> None:
        """Goes to where a training of the same candidate, data and seed was between two epochs.

        Raises StateError, with nothing changed, for a state of a network or recipe of another form.
        """
        kept = (state.average, state.weights, *state.optimizer)
        if [_form(ours) for ours in self._kept()] != [_form(theirs) for theirs in kept]:
            raise StateError("this is a state of another training")
        laid_out = (
            None if flat is None else as_laid_out(flat, self._network) for flat in (state.average, state.weights)
        )
        with self._runner.place(), torch.no_grad():
            for ours, theirs in zip(self._kept(), (*laid_out, *state.optimizer), strict=True):
                if ours is not None and theirs is not None:
                    ours.copy_(theirs)
        self._n_epochs_done = state.epoch
        self._rates.plateau = state.plateau

    def __iter__(self) -> Iterator[EpochRecord]:
        while not self.is_over:
            self.start_epoch()
            yield self.end_epoch()

    def start_epoch(self) -> None:
        """Begins the next epoch. On a GPU its work is only enqueued; elsewhere it is done when this returns."""
        self._clock = Clock()
        with self._clock.counted():
            self._begin_pass()
            self._runner.begin(self._works_of_an_epoch(evaluates=True))

    def is_epoch_ready(self) -> bool:
        """Whether `end_epoch` has nothing to wait for. To be asked now and then: it enqueues what is still to be."""
        with self._clock.counted():
            return self._runner.is_done()

    def end_epoch(self) -> EpochRecord:
        """What the epoch came to. Raises DivergedError if a loss was not finite."""
        with self._clock.counted():
            train_loss, n_correct, eval_loss, n_right = self._ended()
            epoch = self._n_epochs_done + 1
            if not (math.isfinite(train_loss) and math.isfinite(eval_loss)):
                raise DivergedError(epoch)
            self._n_epochs_done = epoch
            self._rates.after_epoch(train_loss / self._n_train)
        return EpochRecord(
            epoch,
            train_loss / self._n_train,
            n_correct / self._n_train,
            eval_loss / self._evaluation.n_images,
            n_right / self._evaluation.n_images,
            self._last_rate,
            self._clock.seconds,
            self._clock.core_seconds,
        )

    def close(self) -> None:
        """To be called of a training that is given up within an epoch: its memory is then free as soon as it is gone.

        Works that are not begun know of it, and it of them.
        """
        self._runner.forget()

    def train_epoch(self) -> tuple[float, float]:
        """Mean loss and accuracy over one pass through the training images, by the plan of the next epoch.

        A whole training is `for record in training`; this is for timing the passes alone. All work is done when it
        returns, on a GPU too.
        """
        self._begin_pass()
        self._runner.begin(self._works_of_an_epoch(evaluates=False))
        loss_sum, n_correct, *_ = self._ended()
        self._n_epochs_done += 1
        return loss_sum / self._n_train, n_correct / self._n_train

    @torch.no_grad()
    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10) of `result`, in evaluation mode, for pixels (N, 28, 28) uint8.

        Always in float32, whatever the training ran in: what is measured is the network that is exported.
        """
        with self._runner.place():
            return self._evaluation.logits(pixels.to(self._device))

    def _make_works(self, data: TrainingData, dtype: torch.dtype) -> None:
        noise = Noise(self._generator, torch.full((1,), 1 - self._recipe.dropout, device=self._device))
        self._optimizer = make_optimizer(self._network, self._recipe, self._plan.rate, self._runner.captures)
        self._optimizer_state = begin_state(self._optimizer, self._plan.rate)
        self._evaluation = Evaluation(fuse(self.result) if self._device == "cpu" else self.result, data)
        lengths = sorted(set(self._batch_lengths()))
        network = FusedNetwork(self._network, noise)
        self._step = Step(network, self._average, self._optimizer, self._plan, data, self._recipe, dtype, lengths[-1])
        # Read from the device at the end of an epoch, all at once.
        self._sums = torch.cat([self._step.sums, self._evaluation.sums])
        self._sums_here = torch.empty_like(self._sums, device="cpu", pin_memory=self._device.startswith("cuda"))
        self._steps = {
            group: self._recorded(partial(_do_steps, self._step, *group)) for group in sorted(set(self._groups()))
        }
        self._sum_up = self._recorded(self._step.sum_up)
        n_images = self._recipe.statistics_images
        estimate = StatisticsEstimate(self.result, data, n_images) if n_images else None
        self._estimate = self._recorded(estimate) if estimate else None
        self._evaluate = self._recorded(self._evaluation)

    def _recorded(self, work: Work) -> Work:
        """The work as it is done from now on; the training stands where it stood."""
        if not self._runner.captures:
            return work
        before = self.state()
        self._plan.load(self._draw_plan())
        work()
        self._plan.rewind()
        recorded = self._runner.record(work, [self._generator] if self._recipe.dropout else [])
        self.restore(before)
        return recorded

    def _batch_lengths(self) -> list[int]:
        """Of each batch of an epoch. None is of a single image (see `_SMALLEST_BATCH`): one left over joins the batch
        before, so that every image is learnt from, and a batch size of 1 is taken for 2.
        """
        before = self._batches_per_epoch - 1
        return [self._batch_size] * before + [self._n_train - before * self._batch_size]

    def _groups(self) -> list[tuple[int, int]]:
        """The works of an epoch: batches of a length, and how many of them are one work."""
        at_once = self._runner.steps_at_once
        groups: list[tuple[int, int]] = []
        for length, batches in groupby(self._batch_lengths()):
            n = len(list(batches))
            groups += [(length, at_once)] * (n // at_once) + [(length, 1)] * (n % at_once)
        return groups

    def _begin_pass(self) -> None:
        with self._runner.place():
            self._plan.load(self._draw_plan())
            self._generator.manual_seed(epoch_seed(self._seed, self._next_epoch, DROPOUT))
            if self._recipe.fade_share:
                self._step.network.set_dropout(strength(self._recipe, self._next_epoch) * self._recipe.dropout)

    @property
    def _next_epoch(self) -> int:
        """From 1. Passes behind the last epoch, as for timing, are by its plan again."""
        return min(self._n_epochs_done + 1, self._recipe.epochs)

    def _draw_plan(self) -> EpochPlan:
        epoch, n = self._next_epoch, self._batches_per_epoch
        rates, taken = self._rates.of_epoch(epoch), taken_shares(self._recipe.ema_decay, epoch, n)
        self._last_rate = rates[-1]
        return draw_plan(self._recipe, self._n_train, self._seed, epoch, rates, taken)

    def _works_of_an_epoch(self, evaluates: bool) -> Iterator[Work]:
        self._step.network.train()
        number = 0
        for length, n in self._groups():
            yield self._steps[length, n]
            number += n
            if self._on_batch is not None:
                self._on_batch(number, self._batches_per_epoch)
        yield self._sum_up
        if evaluates:
            if self._estimate is not None:
                yield self._estimate
            yield self._evaluate
        yield self._send_sums

    def _send_sums(self) -> None:
        torch.cat([self._step.sums, self._evaluation.sums], out=self._sums)
        self._sums_here.copy_(self._sums, non_blocking=True)

    def _ended(self) -> list[float]:
        self._runner.wait()
        return self._sums_here.tolist()

    def _kept(self) -> list[torch.Tensor | None]:
        average = self._average.weights if self._average is not None else None
        return [average, self._weights, *self._optimizer_state]


def _form(kept: object) -> object:
    return (kept.shape, kept.dtype) if isinstance(kept, torch.Tensor) else kept


def _do_steps(step: Step, length: int, n: int) -> None:
    for _ in range(n):
        step(length)


def _initial(candidate: Candidate, seed: int) -> nn.Sequential:
    """The network before its training, with the weights that follow from the seed."""
    # torch's layers draw from the global generator: it is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(candidate.arch, candidate.recipe.dropout)
