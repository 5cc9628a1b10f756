"""The catalogue of what can be searched: every range by name, its default, and what it may hold."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from models.errors import InvalidRecipeError, MnistSearchError
from models.layers import ACTIVATIONS, NORMS
from models.nearest import did_you_mean
from models.recipe import OPTIMIZERS, Recipe
from models.schedules import MOST_EPOCHS, SCHEDULES, Cosine, OneCycle, Plateau, Schedule, Step
from models.template import CONVOLUTIONS, DROPOUT_PLACES, HEADS, ORDERS, POOL_PLACES, TRANSITION_PLACES
from search.space.ranges import Categorical, FloatRange, IntRange, Range, Value, parse_range

ARCHITECTURE_RANGES = {
    "stem_depth": "1:2",
    "stem_width": "4:24",
    "stem_kernel": "3",
    "transition_width": "4:24",
    "transition_place": "before-pool",
    "body_depth": "2:5",
    "body_width": "4:24",
    "second_pool": "false",
    "n_expansions": "0",
    "expansion_width": "16:32:8",
    "order": "bn-relu",
    "head": "gap-1x1",
    "hidden_width": "8:24:8",
    "dropout_place": "blocks",
    "norm": "bn",
    "activation": "relu",
    "pool_place": "after-first, after-stem",
    "convolution": "separable, full",
    "skips": "false, true",
    "body_repeats": "1:2",
}
RECIPE_RANGES = {
    "optimizer": "sgd",
    "lr": "0.05:0.4:log",
    "adamw_lr": "0.001:0.03:log",
    "batch_size": "64, 128",
    "weight_decay": "5e-05",
    "schedule": "onecycle, cosine",
    "warmup_share": "0.15:0.3",
    "warmup_epochs": "1",
    "step_count": "1:3",
    "step_gamma": "0.05:0.5:log",
    "milestone_share": "0.5:0.8",
    "plateau_factor": "0.1:0.5",
    "plateau_patience": "0:2",
    "dropout": "0.0:0.05",
    "rotation_degrees": "0.0:10.0",
    "translation_share": "0.0:0.06",
    "scale_share": "0.04",
    "shear_degrees": "0",
    "brightness": "0",
    "contrast": "0",
    "label_smoothing": "0.03",
    "ema_decay": "0.995",
    "fade_share": "0.4",
    "statistics_images": "2000",
}
DEFAULT_RANGES = ARCHITECTURE_RANGES | RECIPE_RANGES
"""The short text of every range (`search/space/ranges.py`)."""

WIDTHS = ("stem_width", "transition_width", "body_width")
"""The ranges that follow the parameter budget unless they are given."""

_ALLOWED: dict[str, tuple[Value, ...]] = {
    "stem_kernel": (3, 5),
    "transition_place": TRANSITION_PLACES,
    "second_pool": (False, True),
    "order": ORDERS,
    "head": HEADS,
    "dropout_place": DROPOUT_PLACES,
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "pool_place": POOL_PLACES,
    "convolution": CONVOLUTIONS,
    "skips": (False, True),
    "optimizer": OPTIMIZERS,
    "schedule": tuple(SCHEDULES),
}
_LEAST: dict[str, int] = {
    "stem_depth": 1, "stem_width": 1, "transition_width": 1, "body_depth": 1, "body_width": 1, "n_expansions": 0,
    "expansion_width": 1, "hidden_width": 1, "body_repeats": 1, "batch_size": 2, "warmup_epochs": 0, "step_count": 1,
    "plateau_patience": 0, "statistics_images": 0,
}  # fmt: skip
_MOST: dict[str, int] = {
    "stem_depth": 32, "body_depth": 32, "n_expansions": 32, "stem_width": 4096, "transition_width": 4096,
    "body_width": 4096, "expansion_width": 4096, "hidden_width": 4096, "body_repeats": 32, "warmup_epochs": MOST_EPOCHS,
    "step_count": MOST_EPOCHS, "plateau_patience": MOST_EPOCHS,
}  # fmt: skip
"""Far beyond any network that is small: every depth is gone through to find the smallest network of a space."""
_SCHEDULED: dict[str, Callable[[Any], Schedule]] = {
    "warmup_share": lambda value: OneCycle(warmup_share=value),
    "warmup_epochs": lambda value: Cosine(warmup_epochs=value),
    "step_gamma": lambda value: Step(gamma=value),
    "plateau_factor": lambda value: Plateau(factor=value),
    "plateau_patience": lambda value: Plateau(patience=value),
}
_SENSIBLE: dict[str, tuple[float, float]] = {
    "lr": (1e-4, 2), "adamw_lr": (1e-5, 0.2), "batch_size": (8, 4_096), "weight_decay": (0, 0.1), "dropout": (0, 0.5),
    "rotation_degrees": (0, 45), "translation_share": (0, 0.3), "scale_share": (0, 0.5), "shear_degrees": (0, 45),
    "brightness": (0, 0.8), "contrast": (0, 0.8), "label_smoothing": (0, 0.3), "ema_decay": (0, 0.9999),
}  # fmt: skip
"""What lies beyond is allowed, and seldom meant: far wider than any range that found something."""
_SHARED_OUT = ("step_count", "milestone_share")
"""No fields of a recipe: what they come to depends on the number of epochs."""


def read_range(name: str, text: str) -> Range:
    """The range of this name from its text. Raises MnistSearchError for an unknown name or an impossible range."""
    if name not in DEFAULT_RANGES:
        known = did_you_mean(name, DEFAULT_RANGES) or f"there are {', '.join(DEFAULT_RANGES)}"
        raise MnistSearchError(f"no such range: {known}")
    values = parse_range(text)
    if name not in _ALLOWED and name not in _LEAST and isinstance(values, IntRange) and values.step == 1:
        values = FloatRange(float(values.low), float(values.high))  # 0:15 degrees are not only whole ones
    fault = next((fault for value in _values(name, values) if (fault := _fault(name, value))), None)
    if fault is not None:
        raise MnistSearchError(fault)
    return values


def questions(ranges: Mapping[str, Range]) -> Iterator[str]:
    """A line about each range with values that seldom make sense."""
    for name, (low, high) in _SENSIBLE.items():
        values = [value for value in _values(name, ranges[name]) if isinstance(value, (int, float))]
        if min(values) < low or max(values) > high:
            yield f"{name}={ranges[name].text()} is far from the default {DEFAULT_RANGES[name]}"


def _values(name: str, values: Range) -> Iterable[Value]:
    """The values of a range to look at: all of a list, and the two ends where what lies between is as good."""
    if isinstance(values, Categorical):
        return values.values
    if name in _ALLOWED and isinstance(values, IntRange):
        return range(values.low, values.high + 1, values.step)
    return values.low, values.high


def _fault(name: str, value: Value) -> str | None:
    """What is wrong with one value of a range."""
    if name in _ALLOWED:
        allowed = _ALLOWED[name]
        is_allowed = any(value == other and type(value) is type(other) for other in allowed)
        return None if is_allowed else f"{value!r} is not one of {', '.join(map(str, allowed))}"
    if name in _LEAST and (type(value) is not int or value < _LEAST[name]):
        return f"{value!r} is not a whole number of at least {_LEAST[name]}"
    if isinstance(value, (str, bool)):
        return f"{value!r} is not a number"
    if value > _MOST.get(name, math.inf):
        return f"{value} is more than {_MOST[name]:,}"
    if name == "milestone_share" and not 0 <= value <= 1:
        return f"{value} does not lie between 0 and 1"
    return _recipe_fault(name, value)


def _recipe_fault(name: str, value: float) -> str | None:
    """What a recipe with this value says of it."""
    try:
        if name in _SCHEDULED:
            Recipe(schedule=_SCHEDULED[name](value))
        elif name in RECIPE_RANGES and name not in _SHARED_OUT:
            Recipe(**{"lr" if name == "adamw_lr" else name: value})  # type: ignore[arg-type]
    except InvalidRecipeError as error:
        return error.faults[0]
    return None
