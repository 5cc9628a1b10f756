"""Networks that this program's own searches have found or led to, and whose accuracy fresh seeds have measured."""

from dataclasses import replace
from typing import Any

from models.arch import ArchSpec
from models.candidate import Candidate
from models.presets.measured import measured_preset
from models.presets.registry import Preset, by_name
from models.recipe import Recipe
from models.schedules import OneCycle
from models.template import Template


def _separable(pool_place: str = "after-first", **parts: Any) -> ArchSpec:
    """Separable convolutions behind a pool that stands right after the first convolution, or behind the second."""
    return Template(pool_place=pool_place, convolution="separable", **parts).arch()


_RECIPE = Recipe(
    epochs=20,
    batch_size=64,
    lr=0.15,
    weight_decay=5e-5,
    schedule=OneCycle(0.25),
    dropout=0.01,
    rotation_degrees=7.0,
    translation_share=0.05,
    scale_share=0.06,
    label_smoothing=0.03,
    ema_decay=0.995,
    fade_share=0.4,
    statistics_images=2000,
)
"""What `benchmarks/results/recipe-parts.md` came to, over twenty epochs."""
_MORE_CHANGES = replace(_RECIPE, rotation_degrees=8.0, translation_share=0.06, shear_degrees=4.0)


def _ours(params: int, source: str, candidate: Candidate) -> Preset:
    """A network of ours with what its verification came to."""
    name = f"ours-{params}"
    verified = measured_preset(name)
    if verified is None:
        raise ValueError(f"{name} was not verified: its seeds belong into measured.json")
    low, high = verified["mean_interval"]
    interval = f"95 % interval {low:.5f} to {high:.5f}"
    return Preset(
        name=name,
        source=f"ours, {source}",
        candidate=candidate,
        reported_params=params,
        reported=(verified["sustained_accuracy"],),
        reported_best=verified["best_accuracy"],
        note=f"Ours is the mean of {verified['runs']} fresh seeds ({interval}), the best an epoch of one.",
    )


OURS = by_name(
    _ours(
        7_917,
        "by hand in the form that searches found",
        Candidate(_separable(stem=(11, 30), transition=19, body=(39, 30, 30, 36, 24)), _MORE_CHANGES),
    ),
    _ours(
        4_990,
        "by hand in the form that searches found",
        Candidate(_separable(stem=(10, 23), transition=14, body=(28, 23, 23, 27, 19)), _MORE_CHANGES),
    ),
    _ours(
        3_789,
        "run --find smallest",
        Candidate(
            _separable(stem=(9, 20), transition=12, body=(28, 19, 20, 24, 12), norm="bn-bias"),
            Recipe(
                epochs=20,
                lr=0.1815819607390383,
                weight_decay=5e-5,
                schedule=OneCycle(0.25),
                dropout=0.010413313761547756,
                rotation_degrees=7.0,
                translation_share=0.05,
                scale_share=0.06,
                label_smoothing=0.045,
                ema_decay=0.995,
            ),
        ),
    ),
    _ours(
        2_995,
        "by hand in the form that searches found, its pool later",
        Candidate(_separable(pool_place="after-stem", stem=(9, 16), transition=10, body=(22, 16, 16, 19, 14)), _RECIPE),
    ),
)
