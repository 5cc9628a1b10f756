"""What a drawer is asked for when, and what becomes of its answers."""

from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler

from models.layers import Conv, Skip
from models.recipe import Recipe
from models.schedules import Cosine, MultiStep, OneCycle, Plateau, Step
from search.space.space import Space
from tests.helpers.spaces import ALWAYS, EVERYTHING, LATER, OF_SCHEDULE, Asked


def test_values_are_asked_for_where_they_mean_something() -> None:
    space = Space.of(EVERYTHING, 10_000)
    answers: dict[str, Any] = {}
    seen: set[str] = set()
    for seed in range(300):
        asked = Asked(seed)
        answering = _Noting(asked, answers := {})
        space.sample(answering, 8)
        expected = ALWAYS | OF_SCHEDULE[answers["schedule"]]
        expected |= {f"stem_width_{i + 1}" for i in range(answers["stem_depth"])}
        expected |= {f"body_width_{i + 1}" for i in range(answers["body_depth"])}
        expected |= {"expansion_width"} if answers["n_expansions"] else set()
        expected |= {"hidden_width"} if answers["head"] == "gap-hidden" else set()
        expected |= {"adamw_lr"} if answers["optimizer"] == "adamw" else {"lr"}
        assert sorted(asked.names) == sorted(expected)  # each once, and no more
        seen |= expected
    assert seen >= ALWAYS.union(*OF_SCHEDULE.values(), {"adamw_lr", "lr", "hidden_width", "expansion_width"})


class _Noting:
    """Hands questions on and notes the answers."""

    def __init__(self, drawer: Asked, answers: dict[str, Any]) -> None:
        self._drawer = drawer
        self._answers = answers

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        self._answers[name] = self._drawer.suggest_int(name, low, high, step=step)
        return int(self._answers[name])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self._answers[name] = self._drawer.suggest_float(name, low, high, log=log)
        return float(self._answers[name])

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self._answers[name] = self._drawer.suggest_categorical(name, choices)
        return self._answers[name]


class Answers:
    """Answers with given values; what is not given at its lowest or first."""

    def __init__(self, **values: Any) -> None:
        self._values = values

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return int(self._values.get(name, low))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return float(self._values.get(name, low))

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self._values.get(name, choices[0])


def test_what_is_answered_arrives() -> None:
    space = Space.of(
        {**EVERYTHING, **LATER, "brightness": "0:0.5", "contrast": "0:0.5", "lr": "0.01:1", "ema_decay": "0:0.99"},
        10_000,
    )
    values = {
        "batch_size": 128,
        "weight_decay": 3e-4,
        "dropout": 0.07,
        "rotation_degrees": 7.5,
        "translation_share": 0.03,
        "scale_share": 0.04,
        "brightness": 0.2,
        "contrast": 0.3,
        "label_smoothing": 0.06,
        "ema_decay": 0.9,
        "shear_degrees": 4.0,
        "fade_share": 0.2,
        "statistics_images": 100,
    }
    answers = Answers(lr=0.3, optimizer="sgd", schedule="onecycle", warmup_share=0.25, **values)
    recipe = space.sample(answers, 11).recipe
    assert recipe == Recipe(epochs=11, lr=0.3, optimizer="sgd", schedule=OneCycle(0.25), **values)  # type: ignore[arg-type]
    recipe = space.sample(Answers(optimizer="adamw", adamw_lr=0.02, lr=0.3), 11).recipe
    assert (recipe.optimizer, recipe.lr) == ("adamw", 0.02)


def test_an_architecture_is_what_is_answered() -> None:
    space = Space.of(EVERYTHING, 10_000)
    answers = Answers(
        stem_depth=2,
        stem_width_1=5,
        stem_width_2=6,
        stem_kernel=5,
        transition_width=7,
        transition_place="after-pool",
        body_depth=3,
        body_width_1=8,
        body_width_2=9,
        body_width_3=10,
        second_pool=True,
        n_expansions=1,
        expansion_width=24,
        order="relu-bn",
        head="gap-hidden",
        hidden_width=16,
        dropout_place="pools",
    )
    texts = [row.layer.text() for row in space.sample_arch(answers).facts]
    assert texts == [
        *("conv 5x5", "conv 3x3", "maxpool 2x2", "dropout", "conv 1x1"),
        *("conv 3x3", "conv 1x1", "conv 1x1", "conv 3x3", "maxpool 2x2", "dropout", "conv 3x3"),
        *("gap", "conv 1x1", "conv 1x1"),
    ]
    convolutions = [layer for layer in space.sample_arch(answers).layers if isinstance(layer, Conv)]
    assert [conv.out for conv in convolutions] == [5, 6, 7, 8, 24, 8, 9, 10, 16, 10]
    assert {conv.then for conv in convolutions[:-1]} == {("relu", "bn")}


def test_what_the_template_got_later_is_what_is_answered() -> None:
    space = Space.of(EVERYTHING | LATER, 10_000)
    answers = Answers(
        stem_depth=2, stem_width_1=5, stem_width_2=6, transition_width=7, body_depth=1, body_width_1=8, head="spatial",
        norm="bn-bias", activation="silu", pool_place="after-first",
        convolution="separable", skips=True,
    )  # fmt: skip
    layers = space.sample_arch(answers).layers
    assert [layer.text() for layer in layers] == [
        *("conv 3x3", "maxpool 2x2", "conv 3x3", "conv 1x1", "conv 1x1", "conv 3x3", "conv 1x1", "skip 2"),
        *("conv 9x9", "conv 1x1"),
    ]
    assert layers[0] == Conv(5, then=("bn-bias", "silu", "dropout"))
    assert layers[2:4] == (Conv(5, groups=5, then=()), Conv(6, 1, then=layers[0].then))
    assert layers[-2] == Conv(8, 9, groups=8, then=())


def test_what_is_applied_again_has_one_width_and_shares_its_weights() -> None:
    fixed = {"body_repeats": "3", "body_depth": "2", "n_expansions": "0", "skips": "true", "second_pool": "false"}
    space = Space.of(fixed, 10_000)
    asked = Asked(0)
    arch = space.sample_arch(asked)
    assert [name for name in asked.names if name.startswith("body_width")] == ["body_width_1"]
    owner = next(i for i, layer in enumerate(arch.layers) if isinstance(layer, Skip)) + 1
    again = [layer.shares for layer in arch.layers[owner:] if isinstance(layer, Conv)][:3]
    assert again == [0, 2, 4]
    assert arch.facts[owner + 2].params == 2 * arch.facts[owner].output_shape[0]  # of its BatchNorm alone


def test_the_transition_is_placed_only_where_a_pool_is_behind_the_stem() -> None:
    for place, is_asked in (("after-stem", True), ("after-first", False)):
        asked = Asked(0)
        Space.of({**EVERYTHING, "pool_place": place}, 10_000).sample_arch(asked)
        assert ("transition_place" in asked.names) == is_asked


@pytest.mark.parametrize(
    ("answers", "epochs", "schedule"),
    [
        ({"schedule": "cosine", "warmup_epochs": 2}, 8, Cosine(2)),
        ({"schedule": "cosine", "warmup_epochs": 2}, 2, Cosine(1)),  # an epoch is left to fall
        ({"schedule": "cosine", "warmup_epochs": 2}, 1, Cosine(0)),
        ({"schedule": "step", "step_count": 1, "step_gamma": 0.2}, 8, Step(4, 0.2)),
        ({"schedule": "step", "step_count": 3, "step_gamma": 0.2}, 8, Step(2, 0.2)),
        ({"schedule": "step", "step_count": 3, "step_gamma": 0.2}, 1, Step(1, 0.2)),
        ({"schedule": "multistep", "milestone_share": 0.5, "step_gamma": 0.2}, 8, MultiStep((4, 6), 0.2)),
        ({"schedule": "multistep", "milestone_share": 0.6, "step_gamma": 0.2}, 20, MultiStep((12, 16), 0.2)),
        ({"schedule": "multistep", "milestone_share": 0.5, "step_gamma": 0.2}, 1, MultiStep((1,), 0.2)),
        ({"schedule": "plateau", "plateau_factor": 0.3, "plateau_patience": 1}, 8, Plateau(0.3, 1)),
    ],
)
def test_schedules_are_scaled_to_the_training(answers: dict[str, Any], epochs: int, schedule: object) -> None:
    assert Space.of(EVERYTHING, 10_000).sample(Answers(**answers), epochs).recipe.schedule == schedule


def test_an_optuna_trial_is_asked_the_same(default: Space) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        candidate = default.sample(trial, 8)
        again = default.sample(optuna.trial.FixedTrial(trial.params), 8)
        assert again == candidate
        study.tell(trial, 0.0)
