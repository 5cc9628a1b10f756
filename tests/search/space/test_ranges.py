"""Ranges and their text, the catalogue of them, and what it refuses."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.schedules import SCHEDULES
from search.space.catalogue import DEFAULT_RANGES, read_range
from search.space.draws import RandomDraw
from search.space.ranges import Categorical, FloatRange, IntRange, Range, parse_range
from search.space.space import Space
from tests.helpers.spaces import WIDEST, Asked, exact, fault_of

BUDGETS = (10_000, 8_000, 5_000)
N_DRAWS = 3_000


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
        ("a, b, c", Categorical(("a", "b", "c"))),
        ("7", Categorical((7,))),
        ("0.5", Categorical((0.5,))),
        ("sgd", Categorical(("sgd",))),
        ("false, TRUE", Categorical((False, True))),
        ("64, 128,256", Categorical((64, 128, 256))),
        ("0, 0.99, ", Categorical((0, 0.99))),
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
        lambda values: Categorical(tuple(values))
    ),
)


@settings(exact, max_examples=300)
@given(ranges)
def test_a_range_is_read_back_from_its_text(given_range: Range) -> None:
    assert repr(parse_range(given_range.text())) == repr(given_range)


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
        ("zigzag", "4:8", f"no such range: there are {', '.join(DEFAULT_RANGES)}"),
        ("widths", "4:8", "no such range: did you mean stem_width, body_width?"),
        ("LR", "0.1", "no such range: did you mean lr?"),
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
        ("head", "gap", "'gap' is not one of gap-1x1, conv-gap, gap-hidden, conv, spatial"),
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
        ("rotation_degrees", "0, 15", Categorical((0, 15))),
        ("stem_width", "4:15", IntRange(4, 15)),
        ("stem_kernel", "3:5:2", IntRange(3, 5, 2)),
        ("second_pool", "true", Categorical((True,))),
    ],
)
def test_whole_numbers_where_they_are_meant(name: str, text: str, expected: Range) -> None:
    assert repr(read_range(name, text)) == repr(expected)


def test_all_faults_of_a_space_are_told_at_once() -> None:
    given_ranges = {"body_width": "9:4", "depth": "1:2", "head": "conv", "dropout": "0:2"}
    assert fault_of(lambda: Space.of(given_ranges, 10_000)) == (
        "range body_width: '9:4' runs backwards: the smaller number comes first; "
        "range depth: no such range: did you mean stem_depth, body_depth?; "
        "range dropout: dropout is 2.0: it must lie between 0 and 0.9"
    )


@pytest.mark.parametrize("epochs", [1, 2, 15])
def test_whatever_a_valid_space_holds_is_a_candidate(epochs: int) -> None:
    """From the widest ranges that are allowed nothing is drawn that a recipe or a network refuses."""
    space = Space.of(WIDEST, 10_000)
    rng = random.Random(epochs)
    for _ in range(400):
        space.sample(RandomDraw(rng), epochs)
