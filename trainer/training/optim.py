"""The optimiser and the learning-rate schedule of a recipe, from torch.optim."""

from torch import nn, optim
from torch.optim import lr_scheduler

from models.recipe import Recipe
from models.schedules import Constant, Cosine, MultiStep, OneCycle, Plateau, Step


def make_optimizer(network: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    parameters = network.parameters()
    if recipe.optimizer == "adamw":
        return optim.AdamW(parameters, recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return optim.SGD(
        parameters,
        recipe.lr,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        fused=True,
    )


class Pace:
    """Moves an optimiser's learning rate: call `after_batch` and `after_epoch` where they say."""

    def __init__(self, optimizer: optim.Optimizer, recipe: Recipe, batches_per_epoch: int) -> None:
        n_batches = recipe.epochs * batches_per_epoch
        self._by_batch: lr_scheduler.LRScheduler | None = None
        self._by_epoch: lr_scheduler.LRScheduler | None = None
        self._by_loss: lr_scheduler.ReduceLROnPlateau | None = None
        match recipe.schedule:
            case Constant():
                pass
            case Step(every, gamma):
                self._by_epoch = lr_scheduler.StepLR(optimizer, every, gamma)
            case MultiStep(milestones, gamma):
                self._by_epoch = lr_scheduler.MultiStepLR(optimizer, list(milestones), gamma)
            case OneCycle(warmup_share, start_divisor, end_divisor):
                # torch counts the first batch as step 0 and divides by the steps of each phase: never by zero.
                n_steps = max(n_batches, 2)
                rise_is_one_batch = warmup_share * n_steps == 1
                self._by_batch = lr_scheduler.OneCycleLR(
                    optimizer,
                    recipe.lr,
                    n_steps,
                    pct_start=warmup_share * (1 - 1e-9) if rise_is_one_batch else warmup_share,
                    cycle_momentum=False,
                    div_factor=start_divisor,
                    final_div_factor=end_divisor / start_divisor,
                )
            case Cosine(warmup_epochs):
                self._by_batch = _cosine(optimizer, n_batches, warmup_epochs * batches_per_epoch)
            case Plateau(factor, patience):
                self._by_loss = lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor, patience)
            case _:
                raise TypeError(f"no scheduler for {recipe.schedule!r}")

    def after_batch(self) -> None:
        """To be called once the optimiser has stepped."""
        if self._by_batch is not None:
            self._by_batch.step()

    def after_epoch(self, train_loss: float) -> None:
        """To be called at the end of an epoch, with its mean training loss."""
        if self._by_epoch is not None:
            self._by_epoch.step()
        if self._by_loss is not None:
            self._by_loss.step(train_loss)


def _cosine(optimizer: optim.Optimizer, n_batches: int, n_warmup: int) -> lr_scheduler.LRScheduler:
    fall = lr_scheduler.CosineAnnealingLR(optimizer, max(1, n_batches - n_warmup))
    if not 0 < n_warmup < n_batches:
        return fall
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / n_warmup, total_iters=n_warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[n_warmup])
