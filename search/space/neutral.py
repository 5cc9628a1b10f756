"""What a range means to a study that was begun before there was one: the value its candidates had all along."""

from dataclasses import MISSING, fields
from typing import Any

from models.recipe import Recipe
from models.schedules import Cosine, OneCycle, Plateau, Step
from models.template import Template
from search.space.ranges import Categorical

_FIELD_OF = {"expansion_width": "expansion", "hidden_width": "hidden", "adamw_lr": "lr"}
"""Ranges called otherwise than the field of Template or Recipe that they decide on."""


def neutral_range(name: str) -> Categorical | None:
    """The one value that Template or Recipe has where nothing is said; None of a range without such a meaning.

    A stored study lacks the ranges that the program has got since. Its candidates were made without them, so it goes
    on with this value: a new field must have for its default what the program did before.
    """
    value = _neutral_values().get(name)
    return None if value is None else Categorical((value,))


def _neutral_values() -> dict[str, Any]:
    said = _defaults(Template) | _defaults(Recipe)
    return {
        **said,
        **{name: said[field] for name, field in _FIELD_OF.items()},
        "second_pool": Template.second_pool_after > 0,
        "schedule": Recipe().schedule.kind,
        "warmup_share": OneCycle().warmup_share,
        "warmup_epochs": Cosine().warmup_epochs,
        "step_gamma": Step().gamma,
        "plateau_factor": Plateau().factor,
        "plateau_patience": Plateau().patience,
    }


def _defaults(cls: type[Any]) -> dict[str, Any]:
    return {f.name: f.default for f in fields(cls) if f.default is not MISSING}
