"""The space: what is drawn from it, how widths follow the budget, and what is asked for when."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from torch import nn

from models.build import build, count_params, example_input
from models.candidate import Candidate
from models.layers import Conv, Gap
from models.recipe import Recipe
from models.schedules import SCHEDULES, Cosine, MultiStep, OneCycle, Plateau, Step
from search.space.catalogue import ARCHITECTURE_RANGES, DEFAULT_RANGES, RECIPE_RANGES, WIDTHS, read_range
from search.space.draws import RandomDraw
from search.space.ranges import Categorical, IntRange, Value, parse_range
from search.space.space import Space
from tests.helpers.spaces import WIDEST, Asked, ends, fault_of

BUDGETS = (10_000, 8_000, 5_000)
N_DRAWS = 3_000


# The space


def draws(space: Space, n: int, epochs: int = 8, seed: int = 0) -> Iterator[Candidate]:
    rng = random.Random(seed)
    return (space.sample(RandomDraw(rng), epochs) for _ in range(n))


def test_thousands_of_draws_are_valid_candidates_that_build(default: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase):
        monkeypatch.setattr(module, "reset_parameters", lambda _self: None)  # no values: they take most of the time
    ids = set()
    for number, candidate in enumerate(draws(default, N_DRAWS)):
        assert candidate.recipe.epochs == 8
        if number % 4 == 0:
            assert count_params(build(candidate.arch, candidate.recipe.dropout)) == candidate.arch.params
        ids.add(candidate.id)
    assert len(ids) == N_DRAWS  # as good as never the same twice


def test_what_is_drawn_computes_logits(default: Space) -> None:
    for candidate in draws(default, 60, seed=1):
        assert Candidate.from_dict(candidate.to_dict()) == candidate
        logits = build(candidate.arch, candidate.recipe.dropout)(example_input(3))
        assert logits.shape == (3, 10)
        assert logits.isfinite().all()


@pytest.mark.parametrize("max_params", BUDGETS)
def test_most_random_draws_pass_the_gate(max_params: int) -> None:
    space = Space.of({}, max_params)
    rng = random.Random(12345)  # not the draws the widths were fitted by
    n_passed = sum(space.sample_arch(RandomDraw(rng)).params < max_params for _ in range(N_DRAWS))
    share = n_passed / N_DRAWS
    widths = ", ".join(f"{name} {space.ranges[name].text()}" for name in WIDTHS)
    print(f"max_params {max_params:,}: {share:.1%} of {N_DRAWS:,} random draws pass ({widths})")
    # The share it reports is an estimate from 200 draws: within four standard deviations.
    assert abs(space.share_below(max_params) - share) < 4 * math.sqrt(0.25 / 200)
    assert share > 0.5
    assert share < 0.9  # and the widths are not narrower than they need be


def test_widths_follow_the_budget() -> None:
    highs = [ends(Space.of({}, max_params).ranges["body_width"])[1] for max_params in (100_000, *BUDGETS, 1_000)]
    assert highs == sorted(set(highs), reverse=True)


def test_given_ranges_stay_as_given() -> None:
    given_ranges = {"body_width": "2:9", "lr": "0.1:0.2", "second_pool": "true"}
    space = Space.of(given_ranges, 10_000)
    stored = space.to_dict()
    assert list(stored) == list(DEFAULT_RANGES)
    assert {name: stored[name] for name in given_ranges} == given_ranges
    untouched = DEFAULT_RANGES.keys() - given_ranges.keys() - set(WIDTHS)
    assert {name: stored[name] for name in untouched} == {name: DEFAULT_RANGES[name] for name in untouched}
    # The other widths are free to be wider for it.
    assert ends(space.ranges["stem_width"])[1] > ends(Space.of({}, 10_000).ranges["stem_width"])[1]
    all_given = Space.of(dict.fromkeys(WIDTHS, "3:70"), 10_000)
    assert [all_given.ranges[name].text() for name in WIDTHS] == ["3:70"] * 3


def test_a_space_is_read_back_as_it_was_stored(default: Space) -> None:
    for space in (default, Space.of(WIDEST, 500)):
        assert Space.from_dict(space.to_dict()) == space
        assert list(draws(Space.from_dict(space.to_dict()), 20)) == list(draws(space, 20))


def test_a_stored_space_without_a_range_is_of_another_version(default: Space) -> None:
    texts = default.to_dict()
    del texts["stem_width"]
    assert fault_of(lambda: Space.from_dict(texts)) == (
        "another version of mnist-search made this study, it has no range stem_width: begin another with --study NAME"
    )


WITHOUT_NEUTRAL = {
    *("stem_depth", "stem_width", "transition_width", "body_depth", "body_width"),
    *("step_count", "milestone_share"),
}
NEUTRAL: dict[str, Value] = {
    "stem_kernel": 3, "transition_place": "before-pool", "second_pool": False, "n_expansions": 0,
    "expansion_width": 32, "order": "bn-relu", "head": "gap-1x1", "hidden_width": 16, "dropout_place": "blocks",
    "optimizer": "sgd", "lr": 0.1, "adamw_lr": 0.1, "batch_size": 128, "weight_decay": 1e-4, "schedule": "onecycle",
    "warmup_share": 0.3, "warmup_epochs": 0, "step_gamma": 0.1, "plateau_factor": 0.1, "plateau_patience": 2,
    "dropout": 0.0, "rotation_degrees": 0.0, "translation_share": 0.0, "scale_share": 0.0, "brightness": 0.0,
    "contrast": 0.0, "label_smoothing": 0.0, "ema_decay": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", DEFAULT_RANGES)
def test_a_range_that_a_stored_space_lacks_has_its_neutral_value(default: Space, name: str) -> None:
    texts = default.to_dict()
    del texts[name]
    if name in WITHOUT_NEUTRAL:
        assert f"it has no range {name}" in fault_of(lambda: Space.from_dict(texts))
        return
    space = Space.from_dict(texts)
    assert space.ranges[name] == Categorical((NEUTRAL[name],))
    assert Space.from_dict(space.to_dict()).ranges[name] == space.ranges[name]
    assert read_range(name, space.ranges[name].text()) is not None


def test_a_space_of_widths_and_depths_alone_draws_what_template_and_recipe_are_by_default(default: Space) -> None:
    texts = {name: text for name, text in default.to_dict().items() if name in WITHOUT_NEUTRAL}
    for candidate in draws(Space.from_dict(texts), 20):
        assert candidate.recipe == Recipe(epochs=8)
        convs = [layer for layer in candidate.arch.layers if isinstance(layer, Conv)]
        assert all(conv.then[:2] == ("bn", "relu") for conv in convs[:-1])
        assert isinstance(candidate.arch.layers[-2], Gap)


EVERYTHING = {"optimizer": "sgd, adamw", "schedule": ", ".join(SCHEDULES), "n_expansions": "0:3", "body_depth": "1:5"}
OF_SCHEDULE = {
    "onecycle": {"warmup_share"},
    "cosine": {"warmup_epochs"},
    "step": {"step_count", "step_gamma"},
    "multistep": {"milestone_share", "step_gamma"},
    "plateau": {"plateau_factor", "plateau_patience"},
    "constant": set(),
}
ALWAYS = {
    *("stem_depth", "stem_kernel", "transition_width", "transition_place", "body_depth", "second_pool", "order"),
    *("n_expansions", "head", "dropout_place", "optimizer", "batch_size", "weight_decay", "schedule", "dropout"),
    *("rotation_degrees", "translation_share", "scale_share", "label_smoothing", "ema_decay"),
}


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
        {**EVERYTHING, "brightness": "0:0.5", "contrast": "0:0.5", "lr": "0.01:1", "ema_decay": "0:0.99"}, 10_000
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
def test_schedules_are_scaled_to_the_training(
    default: Space, answers: dict[str, Any], epochs: int, schedule: object
) -> None:
    assert default.sample(Answers(**answers), epochs).recipe.schedule == schedule


def test_an_optuna_trial_is_asked_the_same(default: Space) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        candidate = default.sample(trial, 8)
        again = default.sample(optuna.trial.FixedTrial(trial.params), 8)
        assert again == candidate
        study.tell(trial, 0.0)


class Every:
    """Walks through all answers there are, one draw after the other: `next` is false when it has seen them all."""

    def __init__(self) -> None:
        self._path: list[list[Any]] = []  # options left at each question, the first of which is the answer
        self._depth = 0

    def next(self) -> bool:
        self._depth = 0
        while self._path and len(self._path[-1]) == 1:
            self._path.pop()
        if self._path:
            self._path[-1].pop(0)
        return bool(self._path)

    def _answer(self, options: Sequence[Any]) -> Any:
        if self._depth == len(self._path):
            self._path.append(list(options))
        self._depth += 1
        return self._path[self._depth - 1][0]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        return int(self._answer(range(low, high + 1, step)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        raise AssertionError("an architecture has no fractions")

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self._answer(choices)


def all_params(space: Space) -> Iterator[int]:
    """Parameter counts of every network of a space."""
    every = Every()
    while True:
        yield space.sample_arch(every).params
        if not every.next():
            return


SMALL_SPACES = [
    # All heads; widths that differ, so that the lowest are not those met first.
    {"stem_depth": "1:2", "stem_width": "3, 2", "body_depth": "1:2", "body_width": "4, 2", "transition_width": "2:3"},
    # A convolution as large as the last map: the deeper network has the smaller map, and is the smaller one.
    {"stem_depth": "1", "stem_width": "2", "body_depth": "1:8", "body_width": "2", "head": "conv"},
    {"stem_depth": "1:4", "stem_width": "2", "body_depth": "2", "body_width": "2:3", "head": "conv",
     "stem_kernel": "5, 3"},
    # The smallest is reached through choices that are not the first ones.
    {"stem_depth": "2, 1", "stem_width": "4, 3", "body_depth": "2", "body_width": "3", "head": "gap-1x1, gap-hidden",
     "hidden_width": "24, 2"},
    {"stem_depth": "1", "stem_width": "3", "body_depth": "1:2", "body_width": "3", "n_expansions": "2, 1",
     "expansion_width": "32, 8", "second_pool": "false, true"},
    {"stem_depth": "3", "stem_width": "2", "body_depth": "5:9:2", "body_width": "2", "head": "conv",
     "second_pool": "true, false", "transition_width": "9, 2"},
]  # fmt: skip


@pytest.mark.parametrize("ranges", SMALL_SPACES)
def test_the_smallest_network_is_the_smallest_of_all(ranges: dict[str, str]) -> None:
    fixed = {"order": "bn-relu", "dropout_place": "blocks", "transition_width": "2", "n_expansions": "0"}
    space = Space.of({**fixed, **ranges}, 10_000)
    counts = list(itertools.islice(all_params(space), 50_000))
    assert 4 <= len(counts) < 50_000  # all of them, and there was a choice
    assert space.smallest_params == min(counts)


@pytest.mark.parametrize("max_params", [*BUDGETS, 300])
def test_no_random_draw_is_smaller_than_the_smallest(max_params: int) -> None:
    space = Space.of({}, max_params)
    assert min(space.drawn_params(1_500, seed=7)) >= space.smallest_params


def test_the_smallest_network_can_be_drawn() -> None:
    space = Space.of({"stem_width": "2:3", "body_width": "2:3", "transition_width": "2:3", "body_depth": "1:2"}, 10_000)
    assert min(space.drawn_params(3_000)) == space.smallest_params


NARROW = {
    "stem_depth": "1:2",
    "stem_width": "2:3",
    "transition_width": "2:3",
    "body_depth": "1:2",
    "body_width": "2:3",
    "n_expansions": "0:1",
    "expansion_width": "2:3",
    "hidden_width": "2:3",
    "head": "gap-hidden",
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stem_width", "2:200"),
        ("transition_width", "2:400"),
        ("body_width", "2:200"),
        ("n_expansions", "0:9"),
        ("hidden_width", "2:2000"),
        ("stem_depth", "1:30"),
        ("body_depth", "1:30"),
    ],
)
def test_the_range_to_narrow_is_the_one_that_dominates(name: str, text: str) -> None:
    deep = {"body_depth": "9", "expansion_width": "200"} if name == "n_expansions" else {}
    assert Space.of({**NARROW, **deep, name: text}, 10_000).range_to_narrow() == name


def test_expansions_are_narrowed_before_their_number_where_there_must_be_one() -> None:
    ranges = {**NARROW, "n_expansions": "1:2", "expansion_width": "2:2000"}
    assert Space.of(ranges, 10_000).range_to_narrow() == "expansion_width"


def test_a_range_to_narrow_is_named_even_where_all_are_fixed() -> None:
    fixed = {name: "2" for name in ARCHITECTURE_RANGES if isinstance(parse_range(DEFAULT_RANGES[name]), IntRange)}
    assert Space.of(fixed, 10_000).range_to_narrow() == "body_width"


def test_the_lists_above_are_those_of_the_catalogue() -> None:
    """A range that is new would be noticed: as one that nobody asks for, or whose widest values nobody has tried."""
    conditional = {*WIDTHS, "expansion_width", "hidden_width", "lr", "adamw_lr"}.union(*OF_SCHEDULE.values())
    assert conditional | ALWAYS | {"brightness", "contrast"} == set(DEFAULT_RANGES)
    assert WIDEST.keys() >= RECIPE_RANGES.keys()
