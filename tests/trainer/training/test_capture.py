"""What a CUDA graph asks of a training, as far as a CPU proves it: each work, recorded and replayed, is the work."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from models.candidate import Candidate
from models.recipe import Recipe
from tests.helpers.recording import Recording, RecordingRunner
from tests.helpers.trainings import FAST, WIDER, WITH_BN, recipes, same_weights, timeless
from trainer.data.images import TrainingData
from trainer.fused.kernels import SWITCH, load_kernels
from trainer.training.train import Training


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trains by torch's own operations, as a GPU does."""
    monkeypatch.setenv(SWITCH, "0")
    load_kernels.cache_clear()
    yield
    load_kernels.cache_clear()


def test_what_the_template_got_later_is_replayed_alike(data: TrainingData) -> None:
    candidate = Candidate(WIDER, replace(recipes()["all"], epochs=3))
    replayed, plain = Training(candidate, data, 3, runner=RecordingRunner(4)), Training(candidate, data, 3)
    assert timeless(list(replayed)) == timeless(list(plain))
    assert same_weights(replayed, plain)


@pytest.mark.parametrize(("steps_at_once", "n_recordings"), [(1, 4), (4, 5)])  # 7 batches: 4, 1, 1 and the last one
@pytest.mark.parametrize("recipe", recipes().values(), ids=recipes())
def test_replays_train_as_the_works_themselves_do(
    data: TrainingData, recipe: Recipe, steps_at_once: int, n_recordings: int
) -> None:
    """Bit for bit, over epochs whose rates, order and changes all differ, with a last batch of another length."""
    candidate = Candidate(WITH_BN, replace(recipe, epochs=3))
    runner = RecordingRunner(steps_at_once)
    replayed, plain = Training(candidate, data, 3, runner=runner), Training(candidate, data, 3)
    # Of steps, of the last one, of the sums, of the evaluation; and of what some have before that.
    assert len(runner.recordings) == n_recordings + (recipe.statistics_images > 0)
    assert timeless(list(replayed)) == timeless(list(plain))
    assert same_weights(replayed, plain)
    assert replayed.predictions == plain.predictions


def test_no_number_of_a_step_changes_from_step_to_step(data: TrainingData) -> None:
    """They would be those of the captured step for ever."""
    training = Training(Candidate(WITH_BN, recipes()["all"]), data, 3)
    seen = []
    for _ in range(2):
        training.start_epoch()
        training.end_epoch()
        training._plan.rewind()
        for _ in range(2):
            with Recording() as recording:
                training._step(64)
            seen.append(recording.numbers())
    assert seen[0]
    assert all(numbers == seen[0] for numbers in seen)


def test_a_recording_does_not_let_a_value_be_read_back() -> None:
    """Otherwise the tests of this file would prove nothing."""
    with pytest.raises(RuntimeError, match="reads a value back"), Recording():
        torch.ones(1).item()
    index = torch.tensor(1)
    with pytest.raises(RuntimeError, match="reads a value back"), Recording():
        torch.arange(3)[index]


def test_preparing_changes_nothing(data: TrainingData) -> None:
    """Works are done once before they are recorded; the training begins with its first weights all the same."""
    recipe = replace(FAST, ema_decay=0.9, optimizer="adamw")
    recorded = Training(Candidate(WITH_BN, recipe), data, 3, runner=RecordingRunner())
    plain = Training(Candidate(WITH_BN, recipe), data, 3)
    assert same_weights(recorded, plain)
    assert all(torch.equal(a, b) for a, b in zip(recorded.state().optimizer, plain.state().optimizer, strict=True))
