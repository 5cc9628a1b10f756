"""The settings of a study: what is impossible, and what it keeps."""

import math
from typing import Any

import pytest

from search.study.settings import StudySettings, require_unchanged
from tests.helpers.spaces import fault_of


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
