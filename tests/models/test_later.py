"""A field that comes later changes no id of a candidate that does without it; the ids of all presets stay."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models import plain
from models.arch import ArchSpec
from models.candidate import Candidate
from models.later import added_later, spelled_out
from models.layers import LAYERS, Conv, Gap
from models.presets import PRESETS
from models.recipe import Recipe
from models.schedules import SCHEDULES, OneCycle

IDS = json.loads((Path(__file__).parents[1] / "data" / "preset_ids.json").read_text())


@dataclass(frozen=True)
class LaterRecipe(Recipe):
    """A recipe of a later program."""

    cutout: float = added_later(0.0)


@dataclass(frozen=True, slots=True)
class LaterConv(Conv):
    """A convolution of a later program."""

    dilation: int = added_later(1)


@dataclass(frozen=True, slots=True)
class LaterOneCycle(OneCycle):
    """A schedule of a later program."""

    cycles: int = added_later(1)


def candidate(conv: Conv | None = None, recipe: Recipe | None = None) -> Candidate:
    return Candidate(ArchSpec((conv or Conv(8), Conv(10, 1, then=()), Gap())), recipe or Recipe())


@pytest.fixture
def later_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is read as the later program does."""
    monkeypatch.setitem(LAYERS, "conv", LaterConv)
    monkeypatch.setitem(SCHEDULES, "onecycle", LaterOneCycle)
    monkeypatch.setattr(plain, "Recipe", LaterRecipe)


def test_the_ids_of_the_presets_are_those_they_always_were() -> None:
    assert {name: preset.candidate.id for name, preset in PRESETS.items()} == IDS


def test_a_neutral_field_is_left_out_and_changes_no_id() -> None:
    later = candidate(LaterConv(8), LaterRecipe(schedule=LaterOneCycle(), cutout=0))
    assert later.to_dict() == candidate().to_dict()
    assert later.id == candidate().id


@pytest.mark.parametrize(
    ("conv", "recipe", "where"),
    [
        (LaterConv(8, dilation=2), None, {"dilation": 2}),
        (None, LaterRecipe(cutout=0.1), {"cutout": 0.1}),
        (None, Recipe(schedule=LaterOneCycle(cycles=2)), {"cycles": 2}),
    ],
)
def test_any_other_value_is_spelled_out_and_makes_another_candidate(
    conv: Conv | None, recipe: Recipe | None, where: dict[str, Any]
) -> None:
    later = candidate(conv, recipe)
    [(name, value)] = where.items()
    assert f'"{name}": {json.dumps(value)}' in json.dumps(later.to_dict())
    assert later.id != candidate().id


@pytest.mark.usefixtures("later_program")
def test_what_was_stored_before_is_read_as_neutral() -> None:
    back = Candidate.from_dict(candidate().to_dict())
    assert isinstance(back.recipe, LaterRecipe)
    assert back.recipe.cutout == 0.0
    assert back.id == candidate().id
    changed = candidate(LaterConv(8, dilation=2), LaterRecipe(cutout=0.1))
    assert Candidate.from_dict(json.loads(json.dumps(changed.to_dict()))).id == changed.id


def test_fields_of_the_first_day_are_spelled_out_at_their_defaults() -> None:
    assert spelled_out(LaterConv(8)) == {
        "out": 8, "kernel": 3, "stride": 1, "padding": 0, "bias": False, "groups": 1, "then": ("bn", "relu"),
    }  # fmt: skip
