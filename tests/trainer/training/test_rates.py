"""Learning rates batch by batch, against formulas written here and against torch's own schedulers."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim
from torch.optim import lr_scheduler

from models.recipe import Recipe
from models.schedules import SCHEDULES, Constant, Cosine, MultiStep, OneCycle, Plateau, Schedule, Step
from trainer.training.rates import Rates

exact = settings(derandomize=True, deadline=None)


def rates(recipe: Recipe, batches_per_epoch: int, losses: Sequence[float] = ()) -> list[float]:
    """The learning rate of each batch of a training whose epochs come to these losses."""
    ours, seen = Rates(recipe, batches_per_epoch), []
    for epoch in range(1, recipe.epochs + 1):
        seen += ours.of_epoch(epoch)
        ours.after_epoch(losses[epoch - 1] if losses else 1.0)
    return seen


def by_epoch(recipe: Recipe, batches_per_epoch: int, rate: Callable[[int], float]) -> list[float]:
    """The rates of a schedule that moves between epochs: `rate` of the epoch from 0, for each of its batches."""
    return [rate(epoch) for epoch in range(recipe.epochs) for _ in range(batches_per_epoch)]


def close(expected: list[float]) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-15)


lrs = st.floats(1e-4, 10)
lengths = st.tuples(st.integers(1, 12), st.integers(1, 9))  # epochs, batches in each


@settings(exact, max_examples=20)
@given(lrs, lengths)
def test_constant_is_constant(lr: float, length: tuple[int, int]) -> None:
    epochs, n = length
    assert rates(Recipe(lr=lr, epochs=epochs, schedule=Constant()), n) == [lr] * (epochs * n)


@settings(exact, max_examples=60)
@given(lrs, lengths, st.integers(1, 8), st.floats(0.01, 0.99))
def test_step_falls_every_so_many_epochs(lr: float, length: tuple[int, int], every: int, gamma: float) -> None:
    recipe = Recipe(lr=lr, epochs=length[0], schedule=Step(every, gamma))
    assert rates(recipe, length[1]) == close(by_epoch(recipe, length[1], lambda epoch: lr * gamma ** (epoch // every)))


@settings(exact, max_examples=60)
@given(lrs, lengths, st.sets(st.integers(1, 14), min_size=1, max_size=4), st.floats(0.01, 0.99))
def test_multistep_falls_after_each_milestone(
    lr: float, length: tuple[int, int], milestones: set[int], gamma: float
) -> None:
    recipe = Recipe(lr=lr, epochs=length[0], schedule=MultiStep(tuple(sorted(milestones)), gamma))
    expected = by_epoch(recipe, length[1], lambda epoch: lr * gamma ** sum(epoch >= m for m in milestones))
    assert rates(recipe, length[1]) == close(expected)


def one_cycle(recipe: Recipe, n_batches: int) -> Iterator[float]:
    """From lr / start up to lr over the rise, then down to lr / end at the last batch, both by half a cosine."""
    schedule = recipe.schedule
    assert isinstance(schedule, OneCycle)
    start, end = recipe.lr / schedule.start_divisor, recipe.lr / schedule.end_divisor
    n_batches = max(n_batches, 2)
    top = schedule.warmup_share * n_batches - 1  # the batch of the peak, from 0; a rise of under a batch is none
    for batch in range(n_batches):
        if batch <= top and top > 0:
            yield start + (recipe.lr - start) * (1 - math.cos(math.pi * batch / top)) / 2
        else:
            fallen = (batch - top) / (n_batches - 1 - top)
            yield end + (recipe.lr - end) * (1 + math.cos(math.pi * fallen)) / 2


@settings(exact, max_examples=150)
@given(
    lrs,
    lengths,
    st.floats(0.02, 0.98) | st.sampled_from([0.1, 0.2, 0.25, 0.5]),
    st.floats(1, 100),
    st.floats(1, 1e5),
)
def test_one_cycle_follows_its_cosines(
    lr: float, length: tuple[int, int], warmup_share: float, start_divisor: float, end_divisor: float
) -> None:
    recipe = Recipe(lr=lr, epochs=length[0], schedule=OneCycle(warmup_share, start_divisor, end_divisor))
    n_batches = length[0] * length[1]
    expected = list(one_cycle(recipe, n_batches))[:n_batches]
    assert rates(recipe, length[1]) == pytest.approx(expected, rel=1e-6, abs=1e-12 * lr)


def test_one_cycle_passes_its_three_points() -> None:
    recipe = Recipe(lr=0.4, epochs=10, schedule=OneCycle(0.3, 20, 1000))
    seen = rates(recipe, 10)
    assert seen[0] == pytest.approx(0.4 / 20)
    assert seen[29] == pytest.approx(0.4)  # the 30th of 100 batches
    assert seen[99] == pytest.approx(0.4 / 1000)
    assert seen[:30] == sorted(seen[:30])
    assert seen[29:] == sorted(seen[29:], reverse=True)


@pytest.mark.parametrize(
    ("epochs", "batches_per_epoch", "warmup_share"), [(1, 10, 0.1), (2, 2, 0.25), (1, 1, 0.5), (1, 2, 0.5), (5, 1, 0.2)]
)
def test_a_rise_of_just_one_batch_begins_at_the_peak(epochs: int, batches_per_epoch: int, warmup_share: float) -> None:
    seen = rates(Recipe(lr=0.2, epochs=epochs, schedule=OneCycle(warmup_share)), batches_per_epoch)
    assert seen[0] == pytest.approx(0.2, rel=1e-6)
    assert seen == sorted(seen, reverse=True)


@settings(exact, max_examples=60)
@given(lrs, lengths)
def test_cosine_falls_from_the_first_batch(lr: float, length: tuple[int, int]) -> None:
    n_batches = length[0] * length[1]
    expected = [lr * (1 + math.cos(math.pi * batch / n_batches)) / 2 for batch in range(n_batches)]
    assert rates(Recipe(lr=lr, epochs=length[0], schedule=Cosine()), length[1]) == close(expected)


@settings(exact, max_examples=60)
@given(lrs, st.integers(1, 5), st.integers(1, 6), st.integers(1, 9))
def test_cosine_rises_evenly_before_it_falls(lr: float, warmup_epochs: int, falling_epochs: int, n: int) -> None:
    n_warmup, n_falling = warmup_epochs * n, falling_epochs * n
    rise = [lr * (1 / n_warmup + (1 - 1 / n_warmup) * batch / n_warmup) for batch in range(n_warmup)]
    fall = [lr * (1 + math.cos(math.pi * batch / n_falling)) / 2 for batch in range(n_falling)]
    recipe = Recipe(lr=lr, epochs=warmup_epochs + falling_epochs, schedule=Cosine(warmup_epochs))
    assert rates(recipe, n) == close(rise + fall)


@pytest.mark.parametrize("warmup_epochs", [0, 1])
def test_cosine_ends_near_zero(warmup_epochs: int) -> None:
    seen = rates(Recipe(lr=0.5, epochs=8, schedule=Cosine(warmup_epochs)), 100)
    assert max(seen) == pytest.approx(0.5)
    assert 0 < seen[-1] < 0.5 * 1e-5


@pytest.mark.parametrize(
    ("patience", "losses", "n_falls"),
    [
        # Falls of the rate by the end of each epoch, counted by hand. The loss must fall by one in 10,000 to count.
        (0, [1.0, 0.9, 0.9, 0.8, 0.8, 0.8], [0, 0, 1, 1, 2, 3]),
        (1, [1.0, 0.9, 0.9, 0.95, 0.95, 0.95], [0, 0, 0, 1, 1, 2]),
        (2, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [0, 0, 0, 1, 1, 1]),
        (1, [1.0, 0.99995, 0.9999, 0.99985, 0.9, 0.8], [0, 0, 1, 1, 1, 1]),
        (0, [1.0, 0.5, 0.25, 0.12, 0.06, 0.03], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_plateau_falls_when_the_loss_does_not(patience: int, losses: list[float], n_falls: list[int]) -> None:
    recipe = Recipe(lr=0.1, epochs=6, schedule=Plateau(0.5, patience))
    falls_before = [0, *n_falls]  # an epoch's loss moves the rate of those after it
    expected = by_epoch(recipe, 3, lambda epoch: 0.1 * 0.5 ** falls_before[epoch])
    assert rates(recipe, 3, losses) == close(expected)


@pytest.mark.parametrize("schedule", [kind() for kind in SCHEDULES.values()], ids=list(SCHEDULES))
@pytest.mark.parametrize("length", [(1, 1), (1, 2), (3, 1), (15, 4)])
def test_every_schedule_stays_within_zero_and_its_peak(schedule: Schedule, length: tuple[int, int]) -> None:
    recipe = Recipe(lr=0.05, epochs=length[0], schedule=schedule)
    seen = rates(recipe, length[1])
    assert len(seen) == length[0] * length[1]
    assert min(seen) > 0
    assert max(seen) <= 0.05 * (1 + 1e-9)


def by_torch(recipe: Recipe, n: int, losses: Sequence[float]) -> list[float]:
    """The rates that torch's schedulers give."""
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), recipe.lr)
    n_batches, schedule = recipe.epochs * n, recipe.schedule
    after_batch: lr_scheduler.LRScheduler | None = None
    after_epoch: lr_scheduler.LRScheduler | None = None
    plateau: lr_scheduler.ReduceLROnPlateau | None = None
    match schedule:
        case Step(every, gamma):
            after_epoch = lr_scheduler.StepLR(optimizer, every, gamma)
        case MultiStep(milestones, gamma):
            after_epoch = lr_scheduler.MultiStepLR(optimizer, list(milestones), gamma)
        case OneCycle(share, start, end):
            after_batch = lr_scheduler.OneCycleLR(
                optimizer, recipe.lr, n_batches, pct_start=share, cycle_momentum=False, div_factor=start,
                final_div_factor=end / start,
            )  # fmt: skip
        case Cosine(0):
            after_batch = lr_scheduler.CosineAnnealingLR(optimizer, n_batches)
        case Cosine(warmup):
            rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup * n), total_iters=warmup * n)
            fall = lr_scheduler.CosineAnnealingLR(optimizer, n_batches - warmup * n)
            after_batch = lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[warmup * n])
        case Plateau(factor, patience):
            plateau = lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor, patience)
    seen = []
    for epoch in range(recipe.epochs):
        for _ in range(n):
            seen.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if after_batch is not None:
                after_batch.step()
        if after_epoch is not None:
            after_epoch.step()
        if plateau is not None:
            plateau.step(losses[epoch])
    return seen


ORACLE = [
    Constant(), Step(2, 0.3), MultiStep((2, 3, 7), 0.4), OneCycle(), OneCycle(0.15, 10, 1e3), OneCycle(0.013, 3, 50),
    Cosine(), Cosine(1), Cosine(4), Plateau(0.5, 0), Plateau(0.3, 1),
]  # fmt: skip
LOSSES = [1.0, 0.8, 0.79995, 0.81, 0.9, 0.7, 0.7, 0.70, 0.6999]


@pytest.mark.parametrize("schedule", ORACLE, ids=str)
@pytest.mark.parametrize("n", [1, 3, 40])
def test_rates_are_those_of_torchs_schedulers(schedule: Schedule, n: int) -> None:
    recipe = Recipe(lr=0.37, epochs=9, schedule=schedule)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # SequentialLR calls its own deprecated way
        expected = by_torch(recipe, n, LOSSES)
    assert rates(recipe, n, LOSSES) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_warm_up_longer_than_the_training_is_cut_off() -> None:
    seen = rates(Recipe(lr=0.4, epochs=2, schedule=Cosine(4)), 10)
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(0.4 / 40)
    assert seen[-1] == pytest.approx(0.4 * (1 / 40 + (1 - 1 / 40) * 19 / 40))


def test_rates_go_on_from_a_kept_state() -> None:
    recipe = Recipe(lr=0.37, epochs=9, schedule=Plateau(0.5, 1))
    ours, again = Rates(recipe, 2), Rates(recipe, 2)
    for loss in LOSSES[:5]:
        ours.after_epoch(loss)
    again.plateau = ours.plateau
    for epoch, loss in enumerate(LOSSES[5:], 6):
        assert again.of_epoch(epoch) == ours.of_epoch(epoch)
        for one in (ours, again):
            one.after_epoch(loss)
    assert ours.plateau.rate < 0.37
