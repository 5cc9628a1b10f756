"""What is searched: ranges and their faults, the space and its draws, a study's settings, sampler, pruner and gate."""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from torch import nn

from models.arch import ArchSpec
from models.build import build, count_params, example_input
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import Conv, Gap
from models.recipe import Recipe
from models.schedules import SCHEDULES, Cosine, MultiStep, OneCycle, Plateau, Step
from search.catalogue import ARCHITECTURE_RANGES, DEFAULT_RANGES, RECIPE_RANGES, WIDTHS, read_range
from search.draws import RandomDraw
from search.gate import excess_params, mark_budget, rejection_reason
from search.intake import Intake
from search.ledger import Ledger
from search.objective import is_held, sustained_accuracy
from search.outcomes import Outcome
from search.ranges import Choice, FloatRange, IntRange, Range, parse_range
from search.sampling import make_pruner, make_sampler
from search.settings import StudySettings, require_unchanged
from search.space import Space
from search.study import create_study
from storage.epochs import epochs_of
from storage.store import Store

exact = settings(derandomize=True, deadline=None)

BUDGETS = (10_000, 8_000, 5_000)
N_DRAWS = 3_000


@pytest.fixture(autouse=True)
def quiet_and_on_one_thread() -> Iterator[None]:
    before = optuna.logging.get_verbosity(), torch.get_num_threads()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    yield
    optuna.logging.set_verbosity(before[0])
    torch.set_num_threads(before[1])


def fault_of(call: Callable[[], object]) -> str:
    with pytest.raises(MnistSearchError) as caught:
        call()
    return str(caught.value)


# Ranges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4:24", IntRange(4, 24)),
        (" 4 : 24 ", IntRange(4, 24)),
        ("-3:0", IntRange(-3, 0)),
        ("7:7", IntRange(7, 7)),
        ("16:48:8", IntRange(16, 48, 8)),
        ("16:50:8", IntRange(16, 48, 8)),
        ("1:4:5", IntRange(1, 1, 5)),
        ("0:0.1", FloatRange(0.0, 0.1)),
        ("0.5:1", FloatRange(0.5, 1.0)),
        ("1e-05:0.001:log", FloatRange(1e-5, 1e-3, log=True)),
        ("1:100:log", FloatRange(1.0, 100.0, log=True)),
        ("a, b, c", Choice(("a", "b", "c"))),
        ("7", Choice((7,))),
        ("0.5", Choice((0.5,))),
        ("sgd", Choice(("sgd",))),
        ("false, TRUE", Choice((False, True))),
        ("64, 128,256", Choice((64, 128, 256))),
        ("0, 0.99, ", Choice((0, 0.99))),
    ],
)
def test_every_form_of_a_range(text: str, expected: Range) -> None:
    read = parse_range(text)
    assert read == expected
    # 1 == 1.0 == True: the types are looked at too
    assert repr(read) == repr(expected)
    assert parse_range(read.text()) == read


NO_RANGE = "is not a range: write 4:24, 16:48:8, 0.01:0.5:log, or a, b, c"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "an empty range: write 4:24, or a, b, c"),
        (" , ,", "an empty range: write 4:24, or a, b, c"),
        ("a, b, a", "'a, b, a' repeats a value"),
        ("1, 1.0", "'1, 1.0' repeats a value"),
        ("24:4", "'24:4' runs backwards: the smaller number comes first"),
        ("0.2:0.1:log", "'0.2:0.1:log' runs backwards: the smaller number comes first"),
        ("0:1:log", "'0:1:log' cannot be logarithmic: it must start above 0"),
        ("-1:1:log", "'-1:1:log' cannot be logarithmic: it must start above 0"),
        ("1:9:0", "'1:9:0' has a step of 0: it must be a whole number of at least 1"),
        ("1:9:-2", "'1:9:-2' has a step of -2: it must be a whole number of at least 1"),
        ("1:9:0.5", "'1:9:0.5' has a step of 0.5: it must be a whole number of at least 1"),
        ("1:9:lin", "'1:9:lin' has a step of lin: it must be a whole number of at least 1"),
        ("1:9:true", "'1:9:true' has a step of True: it must be a whole number of at least 1"),
        ("0.1:0.9:0.1", "'0.1:0.9:0.1' has a step: only whole numbers have one"),
        ("0.1:1:2", "'0.1:1:2' has a step: only whole numbers have one"),
        ("1:2:3:4", f"'1:2:3:4' {NO_RANGE}"),
        (":", f"':' {NO_RANGE}"),
        ("1:", f"'1:' {NO_RANGE}"),
        ("a:b", f"'a:b' {NO_RANGE}"),
        ("true:2", f"'true:2' {NO_RANGE}"),
        ("1:2, 3", f"'1:2, 3' {NO_RANGE}"),
        ("nan:1", f"'nan:1' {NO_RANGE}"),
        ("0:nan", f"'0:nan' {NO_RANGE}"),
        ("0:inf", f"'0:inf' {NO_RANGE}"),
        ("-inf:0:log", f"'-inf:0:log' {NO_RANGE}"),
    ],
)
def test_faults_of_a_range(text: str, fault: str) -> None:
    assert fault_of(lambda: parse_range(text)) == fault


numbers = st.integers(-1000, 1000)
floats = st.floats(-1e6, 1e6)
words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True).filter(lambda w: w not in ("true", "false", "inf", "nan"))
ranges = st.one_of(
    st.builds(lambda low, n, step: IntRange(low, low + n * step, step), numbers, st.integers(0, 50), st.integers(1, 9)),
    st.tuples(floats, floats).map(lambda ends: FloatRange(min(ends), max(ends))),
    st.tuples(st.floats(1e-9, 1e3), st.floats(1, 1e3)).map(lambda v: FloatRange(v[0], v[0] * v[1], log=True)),
    st.lists(st.one_of(numbers, floats, words, st.booleans()), min_size=1, max_size=5, unique=True).map(
        lambda values: Choice(tuple(values))
    ),
)


@settings(exact, max_examples=300)
@given(ranges)
def test_a_range_is_read_back_from_its_text(given_range: Range) -> None:
    assert repr(parse_range(given_range.text())) == repr(given_range)


class Asked:
    """Answers like a drawer and remembers what it was asked for, under which bounds."""

    def __init__(self, seed: int = 0) -> None:
        self._draw = RandomDraw(random.Random(seed))
        self.questions: list[tuple[Any, ...]] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        self.questions.append((name, low, high, step))
        return self._draw.suggest_int(name, low, high, step=step)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.questions.append((name, low, high, log))
        return self._draw.suggest_float(name, low, high, log=log)

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self.questions.append((name, choices))
        return self._draw.suggest_categorical(name, choices)

    @property
    def names(self) -> list[str]:
        return [question[0] for question in self.questions]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("4:24", ("x", 4, 24, 1)),
        ("16:50:8", ("x", 16, 48, 8)),
        ("0.5:2", ("x", 0.5, 2.0, False)),
        ("0.5:2:log", ("x", 0.5, 2.0, True)),
        ("a, b", ("x", ("a", "b"))),
    ],
)
def test_a_range_asks_with_its_bounds(text: str, question: tuple[Any, ...]) -> None:
    asked = Asked()
    parse_range(text).suggest("x", asked)
    assert asked.questions == [question]


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("7:7", 7), ("0.5:0.5", 0.5), ("sgd", "sgd"), ("1:4:9", 1)])
def test_what_is_fixed_is_not_asked_for(text: str, value: object) -> None:
    asked = Asked()
    assert parse_range(text).suggest("x", asked) == value
    assert asked.questions == []


def test_random_draws_are_those_of_the_range() -> None:
    draw = RandomDraw(random.Random(0))
    assert {draw.suggest_int("x", 2, 11, step=3) for _ in range(200)} == {2, 5, 8, 11}
    assert {draw.suggest_categorical("x", ("a", "b", "c")) for _ in range(200)} == {"a", "b", "c"}
    n = 10_000
    flat = sorted(draw.suggest_float("x", -1, 3) for _ in range(n))
    log = sorted(draw.suggest_float("x", 1e-5, 1e-1, log=True) for _ in range(n))
    for values, place in ((flat, lambda x: (x + 1) / 4), (log, lambda x: math.log10(x) / 4 + 5 / 4)):
        # Kolmogorov and Smirnov's distance to the uniform distribution
        assert max(abs(place(x) - (i + 0.5) / n) for i, x in enumerate(values)) < 1.95 / math.sqrt(n)


# The catalogue


def test_every_default_is_a_valid_range() -> None:
    for name, text in DEFAULT_RANGES.items():
        read_range(name, text)
        assert parse_range(text).text() == text  # written as it is stored


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("widths", "4:8", f"no such range: there are {', '.join(DEFAULT_RANGES)}"),
        ("stem_width", "9:4", "'9:4' runs backwards: the smaller number comes first"),
        ("stem_width", "0:4", "0 is not a whole number of at least 1"),
        ("stem_width", "4:8:log", "4.0 is not a whole number of at least 1"),
        ("stem_depth", "1, true", "'1, true' repeats a value"),
        ("stem_depth", "true", "True is not a whole number of at least 1"),
        ("body_depth", "2.5", "2.5 is not a whole number of at least 1"),
        ("n_expansions", "-1:2", "-1 is not a whole number of at least 0"),
        ("batch_size", "64, many", "'many' is not a whole number of at least 2"),
        ("batch_size", "1", "1 is not a whole number of at least 2"),
        ("batch_size", "64:100000", "batch_size is 100000: it must lie between 1 and 60000"),
        ("stem_kernel", "3:5", "4 is not one of 3, 5"),
        ("stem_kernel", "3, 7", "7 is not one of 3, 5"),
        ("stem_kernel", "3.0", "3.0 is not one of 3, 5"),
        ("second_pool", "0, 1", "0 is not one of False, True"),
        ("head", "gap", "'gap' is not one of gap-1x1, conv-gap, gap-hidden, conv"),
        ("order", "bn-relu, gelu", "'gelu' is not one of bn-relu, relu-bn"),
        ("schedule", "onecycle, linear", f"'linear' is not one of {', '.join(SCHEDULES)}"),
        ("optimizer", "sgd, lion", "'lion' is not one of sgd, adamw"),
        ("lr", "0.1, fast", "'fast' is not a number"),
        ("lr", "true", "True is not a number"),
        ("lr", "0:0.1", "lr is 0: nothing would be learnt"),
        ("lr", "1:200", "lr is 200.0: it must lie between 0 and 100"),
        ("adamw_lr", "0.1:101:log", "lr is 101.0: it must lie between 0 and 100"),
        ("weight_decay", "-0.1:0", "weight_decay is -0.1: it must lie between 0 and 1"),
        ("dropout", "0:1", "dropout is 1.0: it must lie between 0 and 0.9"),
        ("rotation_degrees", "0:360", "rotation_degrees is 360.0: it must lie between 0 and 180"),
        ("translation_share", "0:0.6", "translation_share is 0.6: it must lie between 0 and 0.5"),
        ("scale_share", "0.95", "scale_share is 0.95: it must lie between 0 and 0.9"),
        ("brightness", "0, 2", "brightness is 2.0: it must lie between 0 and 1"),
        ("contrast", "nan", "contrast is nan: it must lie between 0 and 1"),
        ("label_smoothing", "0:1", "label_smoothing is 1.0: it must lie between 0 and 0.5"),
        ("ema_decay", "0, 1", "ema_decay is 1.0: it must lie between 0 and 0.99999"),
        ("warmup_share", "0:0.5", "schedule onecycle: warmup_share is 0.0: it must be above 0 and below 1"),
        ("step_gamma", "0.5:1", "schedule step: gamma is 1.0: it must be above 0 and below 1"),
        ("plateau_factor", "0.5:2", "schedule plateau: factor is 2.0: it must be above 0 and below 1"),
    ],
)
def test_faults_of_a_named_range(name: str, text: str, fault: str) -> None:
    assert fault_of(lambda: read_range(name, text)) == fault
    assert fault_of(lambda: Space.of({name: text}, 10_000)) == f"range {name}: {fault}"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("rotation_degrees", "0:15", FloatRange(0.0, 15.0)),  # not whole degrees only
        ("rotation_degrees", "0:15:5", IntRange(0, 15, 5)),  # unless it says so
        ("rotation_degrees", "0, 15", Choice((0, 15))),
        ("stem_width", "4:15", IntRange(4, 15)),
        ("stem_kernel", "3:5:2", IntRange(3, 5, 2)),
        ("second_pool", "true", Choice((True,))),
    ],
)
def test_whole_numbers_where_they_are_meant(name: str, text: str, expected: Range) -> None:
    assert repr(read_range(name, text)) == repr(expected)


def test_all_faults_of_a_space_are_told_at_once() -> None:
    given_ranges = {"body_width": "9:4", "depth": "1:2", "head": "conv", "dropout": "0:2"}
    assert fault_of(lambda: Space.of(given_ranges, 10_000)) == (
        "range body_width: '9:4' runs backwards: the smaller number comes first; "
        f"range depth: no such range: there are {', '.join(DEFAULT_RANGES)}; "
        "range dropout: dropout is 2.0: it must lie between 0 and 0.9"
    )


def ends(values: Range) -> list[Any]:
    return list(values.values) if isinstance(values, Choice) else [values.low, values.high]


WIDEST = {
    "stem_depth": "1:8",
    "stem_width": "1:40",
    "stem_kernel": "3, 5",
    "transition_width": "1:40",
    "body_depth": "1:12",
    "body_width": "1:40",
    "n_expansions": "0:12",
    "expansion_width": "1:64",
    "hidden_width": "1:64",
    "optimizer": "sgd, adamw",
    "lr": "1e-06:100:log",
    "adamw_lr": "1e-06:100:log",
    "batch_size": "2:60000",
    "weight_decay": "0:1",
    "schedule": ", ".join(SCHEDULES),
    "warmup_share": "0.001:0.999",
    "warmup_epochs": "0:100",
    "step_count": "1:100",
    "step_gamma": "0.001:0.999",
    "milestone_share": "0.001:0.999",
    "plateau_factor": "0.001:0.999",
    "plateau_patience": "0:100",
    "dropout": "0:0.9",
    "rotation_degrees": "0:180",
    "translation_share": "0:0.5",
    "scale_share": "0:0.9",
    "brightness": "0:1",
    "contrast": "0:1",
    "label_smoothing": "0:0.5",
    "ema_decay": "0:0.9999",
}


@pytest.mark.parametrize("epochs", [1, 2, 15])
def test_whatever_a_valid_space_holds_is_a_candidate(epochs: int) -> None:
    """From the widest ranges that are allowed nothing is drawn that a recipe or a network refuses."""
    space = Space.of(WIDEST, 10_000)
    rng = random.Random(epochs)
    for _ in range(400):
        space.sample(RandomDraw(rng), epochs)


# The space


@pytest.fixture(scope="module")
def default() -> Space:
    return Space.of({}, 10_000)


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
    del texts["head"]
    assert fault_of(lambda: Space.from_dict(texts)) == (
        "another version of mnist-search made this study, it has no range head: begin another with --study NAME"
    )


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


# The settings of a study


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"split": "train"}, "unknown split 'train': use holdout or test"),
        ({"sampler": "gp"}, "unknown sampler 'gp': use tpe or random"),
        ({"pruner": "hyperband"}, "unknown pruner 'hyperband': use median or none"),
        ({"target": 0.0}, "--target 0 is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"target": 99.4}, "--target 99.4 is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"target": math.nan}, "--target nan is not an accuracy: give a fraction of 1, such as 0.994"),
        ({"epochs": 0}, "--epochs 0: a training has 1 to 1,000 epochs"),
        ({"epochs": 1001}, "--epochs 1001: a training has 1 to 1,000 epochs"),
        ({"sustain": 0}, "--sustain 0: at least 1 epoch decides"),
        (
            {"sustain": 9, "epochs": 8},
            "--sustain 9 is more than --epochs 8: a training must have them all",
        ),
        ({"max_params": 0}, "--max-params 0: the budget is at least 1 parameter"),
        ({"seed": -1}, "--seed -1: a seed is a whole number from 0 to 2,147,483,647"),
        ({"seed": 2**31}, "--seed 2147483648: a seed is a whole number from 0 to 2,147,483,647"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], fault: str) -> None:
    assert fault_of(lambda: StudySettings(dataset="mnist", **changes)) == fault


def test_settings_at_their_limits() -> None:
    for made in (
        StudySettings("mnist", target=1.0, epochs=1, sustain=1, max_params=1, seed=0),
        StudySettings("mnist", target=1e-9, epochs=1000, sustain=1000, max_params=10**9, seed=2**31 - 1),
    ):
        assert StudySettings.from_dict(made.to_dict()) == made


def test_the_defaults_are_the_designs() -> None:
    made = StudySettings("mnist")
    assert (made.max_params, made.target, made.sustain, made.split) == (10_000, 0.994, 3, "holdout")
    assert (made.sampler, made.pruner) == ("tpe", "median")


@pytest.mark.parametrize(
    ("given_settings", "text"),
    [
        ({"max_params": 8000}, "--max-params 10000, not 8000: leave --max-params out"),
        ({"target": 0.99, "seed": None}, "--target 0.994, not 0.99: leave --target out"),
        ({"dataset": "digits"}, "--dataset mnist, not digits: leave --dataset out"),
        ({"seed": 1, "epochs": 8}, "--seed 0, not 1: leave --seed out"),
        ({"split": "test"}, "--split holdout, not test: leave --split out"),
    ],
)
def test_a_study_keeps_its_settings(given_settings: dict[str, Any], text: str) -> None:
    stored = StudySettings("mnist", epochs=8)
    assert fault_of(lambda: require_unchanged("mine", stored, given_settings)) == (
        f"study 'mine' was begun with {text} to go on with it, or begin another with --study NAME"
    )


def test_settings_that_are_not_given_or_the_same_are_no_change() -> None:
    stored = StudySettings("mnist", epochs=12, target=0.99)
    require_unchanged("mine", stored, {})
    require_unchanged("mine", stored, stored.to_dict())
    require_unchanged("mine", stored, dict.fromkeys(stored.to_dict()))
    require_unchanged("mine", stored, {"epochs": 12, "timeout": 3})


# The objective


def test_sustained_is_the_mean_of_the_last_epochs() -> None:
    assert sustained_accuracy([0.1, 0.2, 0.9, 0.8, 0.7], 3) == pytest.approx(0.8)
    assert sustained_accuracy([0.1, 0.2, 0.9], 1) == 0.9
    assert sustained_accuracy([0.4, 0.6], 3) == 0.5


@pytest.mark.parametrize("sustain", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("n_images", [10_000, 250])
def test_epochs_at_the_target_are_at_the_target(n_images: int, sustain: int) -> None:
    """For every accuracy there is: the mean of equals is none the less, as a sum of fractions may be."""
    for n_correct in range(n_images + 1):
        target = float(f"{n_correct / n_images:.4f}")  # as it is typed
        accuracies = [0.0, *[n_correct / n_images] * sustain]
        assert sustained_accuracy(accuracies, sustain) >= target
        assert is_held(accuracies, sustain, target)


def test_held_is_every_one_of_the_last_epochs() -> None:
    assert is_held([0.1, 0.994, 0.995, 0.994], 3, 0.994)
    assert not is_held([0.999, 0.9939, 0.999, 0.999], 3, 0.994)
    assert is_held([0.1, 0.9939, 0.995, 0.996, 0.997], 3, 0.994)
    assert not is_held([0.999, 0.999], 3, 0.994)


# Sampler and pruner


def session(sampler: str, seed: int, n_trials: int, study: optuna.Study, space: Space) -> list[dict[str, Any]]:
    """What one run of a search draws: `n_trials` more trials, each told a value that follows from its draws."""
    study.sampler = make_sampler(sampler, seed, len(study.trials))
    for _ in range(n_trials):
        trial = study.ask()
        candidate = space.sample(trial, 8)
        study.tell(trial, candidate.recipe.lr - candidate.arch.params / 1e4)
    return [trial.params for trial in study.trials[-n_trials:]]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_resumed_study_does_not_repeat_its_first_draws(default: Space, sampler: str) -> None:
    study = optuna.create_study(direction="maximize")
    first = session(sampler, 3, 6, study, default)
    second = session(sampler, 3, 6, study, default)
    assert not [params for params in second if params in first]
    same = session(sampler, 3, 6, optuna.create_study(direction="maximize"), default)
    assert same == first
    other = session(sampler, 4, 6, optuna.create_study(direction="maximize"), default)
    assert not [params for params in other if params in first]


def test_tpe_learns_from_what_it_was_told(default: Space) -> None:
    """After thirty trials it draws better than at random: more of it under the budget of this made-up objective."""
    study = optuna.create_study(direction="maximize")
    session("tpe", 0, 40, study, default)
    values = [trial.value for trial in study.trials]
    assert sum(v or 0.0 for v in values[-15:]) > sum(v or 0.0 for v in values[:15])


def test_an_unknown_sampler_or_pruner() -> None:
    assert fault_of(lambda: make_sampler("gp", 0, 0)) == "unknown sampler 'gp': use tpe or random"
    assert fault_of(lambda: make_pruner("asha", 8)) == "unknown pruner 'asha': use median or none"


def pruned_at(pruner: str, epochs: int, n_complete: int, accuracy: float) -> int | None:
    """The first epoch at which a trial is to be stopped, after others have come to .5 in every epoch."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner(pruner, epochs))
    for _ in range(n_complete):
        trial = study.ask()
        for epoch in range(1, epochs + 1):
            trial.report(0.5, epoch)
        study.tell(trial, 0.5)
    trial = study.ask()
    for epoch in range(1, epochs + 1):
        trial.report(accuracy, epoch)
        if trial.should_prune():
            return epoch
    return None


@pytest.mark.parametrize(("epochs", "first"), [(3, 2), (6, 3), (8, 4), (9, 4), (15, 6), (30, 11)])
def test_the_median_pruner_waits_for_a_third_of_the_training(epochs: int, first: int) -> None:
    assert first > epochs / 3
    assert pruned_at("median", epochs, 5, accuracy=0.4) == first
    assert pruned_at("median", epochs, 4, accuracy=0.4) is None  # too few to compare with
    assert pruned_at("median", epochs, 5, accuracy=0.6) is None
    assert pruned_at("none", epochs, 5, accuracy=0.4) is None


def test_rejected_trials_are_nobodys_median() -> None:
    """Pruned without a report, they neither count among the five nor stop anyone."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner("median", 6))
    for _ in range(10):
        study.tell(study.ask(), state=TrialState.PRUNED)
    trial = study.ask()
    for epoch in range(1, 7):
        trial.report(0.0, epoch)
        assert not trial.should_prune()


# The gate


TINY = Candidate(ArchSpec((Conv(8), Gap(), Conv(10, 1, then=()))), Recipe())  # 8 * 9 + 16 + 80 = 168 parameters


def test_a_network_at_the_budget_is_over_it() -> None:
    assert TINY.arch.params == 168
    assert [excess_params(n, 10_000) for n in (9_998, 9_999, 10_000, 12_000)] == [-1, 0, 1, 2_001]


@pytest.mark.parametrize(("max_params", "passes", "excess"), [(169, True, 0), (168, False, 1), (100, False, 69)])
def test_the_gate_tells_optuna(max_params: int, passes: bool, excess: int) -> None:
    study = optuna.create_study()
    trial = study.ask()
    assert mark_budget(trial, TINY, max_params) is passes
    (frozen,) = study.trials
    assert frozen.constraints["params"] == excess
    # The list, where optuna-dashboard 0.21 looks, is to Optuna one more constraint: of one mind with the first.
    assert set(frozen.constraints.values()) == {excess}
    assert frozen.system_attrs["constraints"] == [excess]


def test_the_reason_has_the_count_and_the_budget() -> None:
    assert rejection_reason(12_345, 10_000) == "12,345 parameters, the budget is fewer than 10,000"


def test_the_rejected_are_never_complete(tmp_path: Path) -> None:
    space = Space.of({"body_width": "10:30"}, 10_000)
    stored = StudySettings("digits", max_params=8_000, sampler="random", space=space.to_dict())
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    study = create_study(store, "study", stored)
    ledger = Ledger(study)
    intake = Intake(study, ledger)
    passed = [intake.next(should_stop=lambda: False) for _ in range(4)]
    assert all(drawn is not None and drawn[1].arch.params < 8_000 for drawn in passed)
    rejected = study.trials(Outcome.REJECTED)
    assert len(rejected) > 3
    for trial in rejected:
        n_params = trial.user_attrs["params"]
        assert n_params >= 8_000
        assert trial.state is TrialState.PRUNED
        assert trial.values is None
        assert trial.intermediate_values == {}
        assert trial.constraints["params"] == n_params - 7_999
        assert trial.user_attrs["reason"] == f"{n_params:,} parameters, the budget is fewer than 8,000"
        assert epochs_of(store.engine, trial._trial_id) == []
    assert len(rejected) + len(passed) == len(study.optuna.trials)
    assert study.n_past_gate() == 0  # the four are still running
    store.close()


def test_the_lists_above_are_those_of_the_catalogue() -> None:
    """A range that is new would be noticed: as one that nobody asks for, or whose widest values nobody has tried."""
    conditional = {*WIDTHS, "expansion_width", "hidden_width", "lr", "adamw_lr"}.union(*OF_SCHEDULE.values())
    assert conditional | ALWAYS | {"brightness", "contrast"} == set(DEFAULT_RANGES)
    assert WIDEST.keys() >= RECIPE_RANGES.keys()
