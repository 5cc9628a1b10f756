"""Candidates as plain data: there and back, one id for equal ones, and the exact text of every fault."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from models.arch import ArchSpec
from models.candidate import ID_LENGTH, Candidate
from models.errors import InvalidArchitectureError, InvalidRecipeError, MnistSearchError
from models.layers import Conv, Dropout, Gap, MaxPool
from models.recipe import Recipe
from models.schedules import Cosine, MultiStep, OneCycle, Plateau, Schedule, Step
from tests.helpers.strategies import candidates

exact = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEAD = [{"conv": {"out": 10, "kernel": 1, "then": []}}, "gap"]
SMALL = ArchSpec((Conv(8), MaxPool(), Conv(10, 1, then=()), Gap()))


def faults_of(data: Mapping[str, Any]) -> str:
    with pytest.raises(MnistSearchError) as caught:
        Candidate.from_dict(data)
    return str(caught.value)


@settings(exact, max_examples=200)
@given(candidates())
def test_round_trip_through_json(candidate: Candidate) -> None:
    back = Candidate.from_dict(json.loads(json.dumps(candidate.to_dict())))
    assert back == candidate
    assert back.id == candidate.id
    assert hash(back) == hash(candidate)


@settings(exact, max_examples=50)
@given(candidates(), candidates())
def test_one_id_for_equal_candidates_only(one: Candidate, other: Candidate) -> None:
    assert (one.id == other.id) == (one == other)


def test_the_id_does_not_change_between_versions() -> None:
    # Studies are stored under these: a change here makes every finished candidate a stranger.
    candidate = Candidate(SMALL, Recipe())
    assert candidate.id == "1bb94bd0c1f3"
    assert len(candidate.id) == ID_LENGTH


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Recipe(rotation_degrees=7), Recipe(rotation_degrees=7.0)),
        (Recipe(lr=1), Recipe(lr=1.0)),
        (Recipe(dropout=-0.0), Recipe(dropout=0.0)),
        (Recipe(schedule=OneCycle(start_divisor=10)), Recipe(schedule=OneCycle(start_divisor=10.0))),
    ],
)
def test_7_and_7_point_0_are_one_candidate(one: Recipe, other: Recipe) -> None:
    assert one == other
    assert Candidate(SMALL, one).id == Candidate(SMALL, other).id


def test_the_short_form_is_the_long_form() -> None:
    short = {
        "name": "names are not part of a candidate",
        "layers": ["dropout", {"conv": 8}, "maxpool", {"maxpool": 3}, {"dropout": None}, *HEAD],
        "recipe": {"schedule": {"multistep": [2, 3]}},
    }
    layers = (Dropout(), Conv(8), MaxPool(2), MaxPool(3), Dropout(), Conv(10, 1, then=()), Gap())
    assert Candidate.from_dict(short) == Candidate(ArchSpec(layers), Recipe(schedule=MultiStep((2, 3))))


def test_a_spec_without_a_recipe_has_the_default_one() -> None:
    assert Candidate.from_dict({"layers": HEAD}).recipe == Recipe()
    assert Candidate.from_dict({"layers": HEAD, "recipe": None}).recipe == Recipe()


LAYER_FAULTS = [
    ("conv8", "layer 1: unknown layer 'conv8': it may be conv, maxpool, avgpool, gap, dropout, skip"),
    (7, "layer 1: 7 is not a layer: write its name, or `name: value`"),
    (
        {"conv": 8, "bias": True},
        "layer 1: {'conv': 8, 'bias': True} is not a layer: write its name, or `name: value`",
    ),
    ("conv", "layer 1: conv needs out, its number of channels"),
    ({"conv": {"kernel": 5}}, "layer 1: conv needs out, its number of channels"),
    ({"gap": 7}, "layer 1: gap takes no value"),
    ({"gap": {"kernel": 7}}, "layer 1: gap has no 'kernel': it knows nothing"),
    (
        {"conv": {"out": 8, "size": 3, "pad": 1}},
        "layer 1: conv has no 'size', 'pad': it knows out, kernel, stride, padding, bias, groups, then, shares",
    ),
    ({"conv": -8}, "layer 1 (conv 3x3): out is -8: it must be a whole number of at least 1"),
    ({"conv": 0}, "layer 1 (conv 3x3): out is 0: it must be a whole number of at least 1"),
    ({"conv": 8.0}, "layer 1 (conv 3x3): out is 8.0: it must be a whole number of at least 1"),
    ({"conv": True}, "layer 1 (conv 3x3): out is True: it must be a whole number of at least 1"),
    (
        {"conv": {"out": 8, "padding": False}},
        "layer 1 (conv 3x3): padding is False: it must be a whole number of at least 0",
    ),
    ({"maxpool": 0}, "layer 1 (maxpool 0x0): kernel is 0: it must be a whole number of at least 1"),
    ({"conv": {"out": 8, "bias": 1}}, "layer 1 (conv 3x3): bias is 1: it must be true or false"),
    (
        {"conv": {"out": 8, "then": "relu"}},
        "layer 1 (conv 3x3): then is 'relu': it must be a list of bn, bn-bias, relu, leaky-relu, prelu, silu, dropout",
    ),
    (
        {"conv": {"out": 8, "then": ["gelu"]}},
        "layer 1 (conv 3x3): then has 'gelu': it may hold bn, bn-bias, relu, leaky-relu, prelu, silu, dropout",
    ),
    (
        {"conv": {"out": 8, "then": ["bn", "relu", "bn-bias"]}},
        "layer 1 (conv 3x3): then has bn and bn-bias: it may hold one of them",
    ),
    (
        {"conv": {"out": 8, "then": ["relu", "bn", "silu"]}},
        "layer 1 (conv 3x3): then has relu and silu: it may hold one of them",
    ),
    (
        {"conv": {"out": 8, "then": ["bn", "relu", "bn"]}},
        "layer 1 (conv 3x3): then repeats a step: bn, relu, bn",
    ),
]


@pytest.mark.parametrize(("layer", "fault"), LAYER_FAULTS)
def test_faults_of_a_layer(layer: object, fault: str) -> None:
    assert faults_of({"layers": [layer, *HEAD]}) == fault


@pytest.mark.parametrize(
    ("layers", "fault"),
    [
        (None, "layers is missing: list the layers, such as `- conv: 8`"),
        ([], "layers is []: it must be a list, such as `- conv: 8`"),
        ("conv", "layers is 'conv': it must be a list, such as `- conv: 8`"),
        (["gap"], "no layer is a convolution: there is nothing to train"),
        (
            [{"conv": 8}],
            "the head is missing: the last output is 8x26x26, it must be 10x1x1 (say gap, then conv 10 of kernel 1)",
        ),
        (
            [{"conv": 8}, "gap"],
            "the head is missing: the last output is 8x1x1, it must be 10x1x1 (say gap, then conv 10 of kernel 1)",
        ),
        (
            [{"conv": 8}, {"conv": {"out": 9, "groups": 2}}, *HEAD],
            "layer 2 (conv 3x3): groups 2 must divide its 8 input and 9 output channels",
        ),
        (
            [{"conv": 8}, {"maxpool": 26}, {"conv": 8}, *HEAD],
            "layer 3 (conv 3x3): a 3x3 window does not fit on 8x1x1",
        ),
        (
            [{"conv": 8}, {"maxpool": 26}, {"conv": {"out": 8, "kernel": 5, "padding": 1}}, *HEAD],
            "layer 3 (conv 5x5): a 5x5 window does not fit on 8x1x1 with padding 1",
        ),
        (
            [{"conv": {"out": 8, "shares": 1}}, *HEAD],
            "layer 1 (conv 3x3): shares is 1, and there are 0 layers before it",
        ),
        (
            [{"conv": 8}, "maxpool", {"conv": {"out": 8, "shares": 1}}, *HEAD],
            "layer 3 (conv 3x3): shares is 1, and layer 2 is maxpool 2x2: name a convolution",
        ),
        (
            [{"conv": 1}, {"conv": {"out": 1, "shares": 1}}, {"conv": {"out": 1, "shares": 1}}, *HEAD],
            "layer 3 (conv 3x3): layer 2 has no weights of its own: share those of layer 1",
        ),
        (
            [{"conv": 8}, {"conv": {"out": 8, "shares": 1}}, *HEAD],
            "layer 2 (conv 3x3): input channels, out, kernel, groups and bias must be those of layer 1",
        ),
        ([{"conv": 8}, {"skip": 2}, *HEAD], "layer 2 (skip 2): back is 2, and there are 1 layers before it"),
        (
            [{"conv": 8}, "maxpool", {"skip": 2}, *HEAD],
            "layer 3 (skip 2): it goes around maxpool 2x2, which changes the scale of the map: let it go around less",
        ),
        (
            [{"conv": 8}, {"skip": 1}, {"conv": 8}, "skip", *HEAD],
            "layer 4 (skip 2): it goes around another skip: let it go around less",
        ),
        (
            [{"conv": {"out": 8, "kernel": 2}}, {"skip": 1}, *HEAD],
            "layer 2 (skip 1): the map's side changes by -1 between: it may lose an even number of pixels",
        ),
        (
            [{"conv": {"out": 8, "padding": 2}}, {"skip": 1}, *HEAD],
            "layer 2 (skip 1): the map's side changes by +2 between: it may lose an even number of pixels",
        ),
        (
            ["gap", HEAD[0], {"skip": 1}],
            "layer 3 (skip 1): no convolution comes after it, and one must",
        ),
        ([{"conv": 8}, {"avgpool": 27}, *HEAD], "layer 2 (avgpool 27x27): a 27x27 window does not fit on 8x26x26"),
    ],
)
def test_faults_of_an_architecture(layers: object, fault: str) -> None:
    assert faults_of({"layers": layers}) == fault


RECIPE_FAULTS: list[tuple[Any, str]] = [
    (7, "recipe is 7: it must be a mapping, such as `epochs: 15`"),
    (
        {"batch": 64},
        "recipe has no 'batch': it knows epochs, batch_size, optimizer, lr, momentum, nesterov, weight_decay, "
        "schedule, dropout, rotation_degrees, translation_share, scale_share, brightness, contrast, fill, "
        "label_smoothing, ema_decay, shear_degrees, fade_share, statistics_images",
    ),
    ({"epochs": 0}, "recipe: epochs is 0: it must lie between 1 and 10000"),
    ({"epochs": 15.0}, "recipe: epochs is 15.0: it must be a whole number"),
    ({"lr": "1e-3"}, "recipe: lr is '1e-3': it must be a number"),
    ({"lr": 0}, "recipe: lr is 0: nothing would be learnt"),
    ({"lr": float("nan")}, "recipe: lr is nan: it must lie between 0 and 100"),
    ({"lr": float("inf")}, "recipe: lr is inf: it must lie between 0 and 100"),
    ({"momentum": True}, "recipe: momentum is True: it must be a number"),
    ({"dropout": -0.1}, "recipe: dropout is -0.1: it must lie between 0 and 0.9"),
    ({"fill": 256}, "recipe: fill is 256: it must lie between 0 and 255"),
    ({"nesterov": "yes"}, "recipe: nesterov is 'yes': it must be true or false"),
    ({"optimizer": "adam"}, "recipe: optimizer is 'adam': it must be one of sgd, adamw"),
]
SCHEDULE_FAULTS: list[tuple[Any, str]] = [
    ("cosin", "unknown schedule 'cosin': it may be constant, step, multistep, onecycle, cosine, plateau"),
    (None, "None is not a schedule: write its name, or `name: value`"),
    ({"step": {"size": 3}}, "step has no 'size': it knows every, gamma"),
    ({"constant": 1}, "constant takes no value"),
]


@pytest.mark.parametrize(("recipe", "fault"), RECIPE_FAULTS)
def test_faults_of_a_recipe(recipe: object, fault: str) -> None:
    assert faults_of({"layers": HEAD, "recipe": recipe}) == fault


@pytest.mark.parametrize(("schedule", "fault"), SCHEDULE_FAULTS)
def test_faults_of_a_schedules_form(schedule: object, fault: str) -> None:
    assert faults_of({"layers": HEAD, "recipe": {"schedule": schedule}}) == f"recipe: {fault}"


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        (Step(every=0), "every is 0: it must be a whole number of at least 1"),
        (Step(every=2.5), "every is 2.5: it must be a whole number of at least 1"),  # type: ignore[arg-type]
        (Step(gamma=1), "gamma is 1.0: it must be above 0 and below 1"),
        (MultiStep(()), "milestones is []: it must be a list of epochs, each at least 1"),
        (MultiStep(8), "milestones is 8: it must be a list of epochs, each at least 1"),  # type: ignore[arg-type]
        (MultiStep((0, 8)), "milestones is [0, 8]: it must be a list of epochs, each at least 1"),
        (MultiStep((12, 8)), "milestones is [12, 8]: each epoch must be later than the one before"),
        (OneCycle(warmup_share=0), "warmup_share is 0.0: it must be above 0 and below 1"),
        (OneCycle(end_divisor=0.5), "end_divisor is 0.5: it must be a number of at least 1"),
        (OneCycle(end_divisor=float("inf")), "end_divisor is inf: it must be a number of at least 1"),
        (Cosine(-1), "warmup_epochs is -1: it must be a whole number of at least 0"),
        (Plateau(patience=True), "patience is True: it must be a whole number of at least 0"),
    ],
)
def test_faults_of_a_schedules_values(schedule: Schedule, fault: str) -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        Recipe(schedule=schedule)
    assert caught.value.faults == [f"schedule {schedule.kind}: {fault}"]


def test_a_number_beyond_any_float_is_a_fault_like_another() -> None:
    huge = 10**400
    assert faults_of({"layers": HEAD, "recipe": {"lr": huge}}) == f"recipe: lr is {huge}: it must lie between 0 and 100"


def test_all_faults_come_at_once() -> None:
    data = {
        "layers": [{"conv": {"out": -1, "stride": 0}}, "relu", {"maxpool": 0}],
        "recipe": {"lr": -1, "batch": 64, "schedule": {"step": 0}},
        "layer": [],
    }
    assert faults_of(data).split("; ") == [
        "unknown key 'layer': a spec has name, layers, recipe",
        "layer 1 (conv 3x3): out is -1: it must be a whole number of at least 1",
        "layer 1 (conv 3x3): stride is 0: it must be a whole number of at least 1",
        "layer 2: unknown layer 'relu': it may be conv, maxpool, avgpool, gap, dropout, skip",
        "layer 3 (maxpool 0x0): kernel is 0: it must be a whole number of at least 1",
        RECIPE_FAULTS[1][1],
        "recipe: lr is -1.0: it must lie between 0 and 100",
        "recipe: schedule step: every is 0: it must be a whole number of at least 1",
    ]


def test_an_architecture_made_in_code_is_checked_alike() -> None:
    with pytest.raises(InvalidArchitectureError) as caught:
        ArchSpec((Conv(-8), Conv(8, then=("gelu",))))
    assert caught.value.faults == [
        "layer 1 (conv 3x3): out is -8: it must be a whole number of at least 1",
        "layer 2 (conv 3x3): then has 'gelu': it may hold bn, bn-bias, relu, leaky-relu, prelu, silu, dropout",
    ]
