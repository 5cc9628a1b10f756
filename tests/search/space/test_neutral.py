"""What a stored space without a newer range comes to."""

import random

import pytest

from models.layers import Conv, Gap
from models.recipe import Recipe
from search.space.catalogue import DEFAULT_RANGES, read_range
from search.space.draws import RandomDraw
from search.space.ranges import Categorical, Value
from search.space.space import Space
from tests.helpers.spaces import fault_of

WITHOUT_NEUTRAL = {
    *("stem_depth", "stem_width", "transition_width", "body_depth", "body_width"),
    *("step_count", "milestone_share"),
}
NEUTRAL: dict[str, Value] = {
    "stem_kernel": 3, "transition_place": "before-pool", "second_pool": False, "n_expansions": 0,
    "expansion_width": 32, "order": "bn-relu", "head": "gap-1x1", "hidden_width": 16, "dropout_place": "blocks",
    "norm": "bn", "activation": "relu", "pool_place": "after-stem", "convolution": "full",
    "skips": False, "body_repeats": 1,
    "optimizer": "sgd", "lr": 0.1, "adamw_lr": 0.1, "batch_size": 128, "weight_decay": 1e-4, "schedule": "onecycle",
    "warmup_share": 0.3, "warmup_epochs": 0, "step_gamma": 0.1, "plateau_factor": 0.1, "plateau_patience": 2,
    "dropout": 0.0, "rotation_degrees": 0.0, "translation_share": 0.0, "scale_share": 0.0, "brightness": 0.0,
    "contrast": 0.0, "label_smoothing": 0.0, "ema_decay": 0.0, "shear_degrees": 0.0, "fade_share": 0.0,
    "statistics_images": 0,
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
    space, rng = Space.from_dict(texts), random.Random(0)
    for _ in range(20):
        candidate = space.sample(RandomDraw(rng), 8)
        assert candidate.recipe == Recipe(epochs=8)
        convs = [layer for layer in candidate.arch.layers if isinstance(layer, Conv)]
        assert all(conv.then[:2] == ("bn", "relu") for conv in convs[:-1])
        assert isinstance(candidate.arch.layers[-2], Gap)
