"""A training that was kept between two epochs goes on as if nothing had happened."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import Plateau
from tests.helpers.trainings import FAST, WITH_BN, recipes, same_weights, timeless
from trainer.data.images import TrainingData
from trainer.training.records import EpochRecord
from trainer.training.runner import AtOnce, Work
from trainer.training.state import TrainingState
from trainer.training.train import MEMORY_FORMATS, Training

PLATEAU = {"plateau": replace(FAST, schedule=Plateau(0.5, 0), lr=1.0)}


@pytest.mark.parametrize("recipe", [*recipes().values(), *PLATEAU.values()], ids=[*recipes(), *PLATEAU])
def test_a_restored_training_goes_on_bit_for_bit(data: TrainingData, recipe: Recipe) -> None:
    candidate = Candidate(WITH_BN, replace(recipe, epochs=4))
    whole = Training(candidate, data, 5)
    records, states = [], [whole.state()]
    for record in whole:
        records.append(record)
        states.append(whole.state())
    for n, state in enumerate(states[:-1]):
        kept = state.to_bytes()
        torch.manual_seed(n)  # what else the process draws has no say
        going_on = Training(candidate, data, 5)
        going_on.restore(TrainingState.from_bytes(kept))
        assert timeless(list(going_on)) == timeless(records[n:])
        assert same_weights(going_on, whole)
        assert going_on.is_over


@pytest.mark.parametrize("moves", ["from a GPU's layout", "to it"])
def test_a_state_is_the_same_on_every_device(data: TrainingData, moves: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the channels come first the values lie elsewhere: the other device has the same network all the same."""
    layouts = [torch.contiguous_format, torch.channels_last]
    trainings = []
    for layout in layouts if moves == "from a GPU's layout" else reversed(layouts):
        monkeypatch.setitem(MEMORY_FORMATS, "cpu", layout)
        trainings.append(Training(Candidate(WITH_BN, recipes()["all"]), data, 5))
    here, there = trainings
    here.start_epoch()
    here.end_epoch()
    there.restore(here.state())
    assert same_weights(here, there)
    ours, theirs = here.state(), there.state()
    torch.testing.assert_close((ours.weights, ours.optimizer), (theirs.weights, theirs.optimizer), rtol=0, atol=0)
    torch.testing.assert_close(ours.average, theirs.average, rtol=0, atol=0)
    of_here, of_there = here.logits(data.evaluation.pixels), there.logits(data.evaluation.pixels)
    torch.testing.assert_close(of_here, of_there, rtol=1e-4, atol=1e-4)
    first, second = here.train_epoch(), there.train_epoch()
    assert first == pytest.approx(second, rel=1e-2)


def test_a_state_is_a_copy(data: TrainingData) -> None:
    training = Training(Candidate(WITH_BN, recipes()["all"]), data, 5)
    state = training.state()
    before = state.to_bytes()
    list(training)
    assert state.to_bytes() == before
    assert training.state().to_bytes() != before


def test_trainings_side_by_side_do_not_touch_each_other(data: TrainingData) -> None:
    """An epoch of each in turn, in one process: each is what it is alone."""
    candidates = [Candidate(WITH_BN, replace(recipe, epochs=2)) for recipe in recipes().values()]
    alone = [timeless(list(Training(candidate, data, seed))) for seed, candidate in enumerate(candidates)]
    together = [Training(candidate, data, seed) for seed, candidate in enumerate(candidates)]
    records: list[list[EpochRecord]] = [[] for _ in together]
    for _ in range(2):
        for training in together:
            training.start_epoch()
        for training, mine in zip(together, records, strict=True):
            assert training.is_epoch_ready()
            mine.append(training.end_epoch())
    assert [timeless(mine) for mine in records] == alone
    assert all(training.is_over for training in together)


def test_a_training_leaves_the_global_generator_alone(data: TrainingData) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    list(Training(Candidate(WITH_BN, recipes()["all"]), data, 5))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_that_is_dropped_is_gone(data: TrainingData) -> None:
    """Without waiting for Python's garbage collector: on a GPU it holds memory that the next one needs."""
    training = Training(Candidate(WITH_BN, recipes()["all"]), data, 5)
    list(training)
    gone = weakref.ref(training)
    gc.disable()
    try:
        del training
        assert gone() is None
    finally:
        gc.enable()


class Lazy(AtOnce):
    """Does the first of the works, as a GPU that has hundreds of them waiting."""

    def begin(self, works: Iterator[Work]) -> None:
        self._works = works
        next(works)()

    def forget(self) -> None:
        self._works = iter(())


def test_a_training_that_is_given_up_within_an_epoch_is_gone(data: TrainingData) -> None:
    training = Training(Candidate(WITH_BN, recipes()["all"]), data, 5, runner=Lazy())
    training.start_epoch()
    gone = weakref.ref(training)
    gc.disable()
    try:
        training.close()
        del training
        assert gone() is None
    finally:
        gc.enable()
