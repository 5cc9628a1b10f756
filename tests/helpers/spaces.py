"""What the tests of the search space share."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from models.errors import MnistSearchError
from models.schedules import SCHEDULES
from search.space.draws import RandomDraw
from search.space.ranges import Categorical, Range

exact = settings(derandomize=True, deadline=None)

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
    "shear_degrees": "0:60",
    "brightness": "0:1",
    "contrast": "0:1",
    "label_smoothing": "0:0.5",
    "ema_decay": "0:0.9999",
    "fade_share": "0:1",
    "statistics_images": "0:60000",
}


def fault_of(call: Callable[[], object]) -> str:
    with pytest.raises(MnistSearchError) as caught:
        call()
    return str(caught.value)


def ends(values: Range) -> list[Any]:
    return list(values.values) if isinstance(values, Categorical) else [values.low, values.high]


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


BUDGETS = (10_000, 8_000, 5_000)
EVERYTHING = {
    "stem_depth": "1:3", "stem_kernel": "3, 5", "transition_place": "before-pool, after-pool", "body_depth": "1:5",
    "second_pool": "false, true", "n_expansions": "0:3", "order": "bn-relu, relu-bn", "dropout_place": "blocks, pools",
    "head": "gap-1x1, conv-gap, gap-hidden, conv", "pool_place": "after-stem", "convolution": "full", "skips": "false",
    "body_repeats": "1",
    "optimizer": "sgd, adamw", "batch_size": "64, 128, 256", "weight_decay": "1e-05:0.001:log",
    "schedule": ", ".join(SCHEDULES), "warmup_share": "0.1:0.3", "warmup_epochs": "0:2", "scale_share": "0:0.1",
    "label_smoothing": "0:0.1", "ema_decay": "0.99, 0.995",
}  # fmt: skip
"""All there is to choose from but for LATER."""
LATER = {
    "head": "gap-1x1, conv-gap, gap-hidden, conv, spatial",
    "norm": "bn, bn-bias",
    "activation": "prelu, relu, leaky-relu, silu",
    "pool_place": "after-stem, after-first",
    "convolution": "full, separable",
    "skips": "false, true",
    "body_repeats": "1:2",
    "shear_degrees": "0:10",
    "fade_share": "0:0.5",
    "statistics_images": "0, 100",
}
"""What template and recipe got later, all switched on."""
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
