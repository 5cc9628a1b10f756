"""The networks of our own searches: each is the one whose spec file and verification are kept."""

from pathlib import Path

import pytest
from torch import nn

from models.build import build, count_params
from models.candidate import Candidate
from models.presets import OURS, PRESETS, get_preset
from models.spec.file import load_spec
from tests.helpers.oracles import fvcore_counts

RECORDS = Path(__file__).parents[3] / "benchmarks" / "results" / "records"
LATE_POOL = "ours-2995"


@pytest.mark.parametrize("name", OURS)
def test_it_is_counted_three_ways_and_is_what_was_verified(name: str) -> None:
    preset = get_preset(name)
    module = build(preset.arch)
    assert isinstance(module, nn.Sequential)
    assert preset.arch.params == count_params(module) == preset.reported_params == int(name.rpartition("-")[2])
    assert fvcore_counts(module) == (preset.reported_params, preset.arch.macs)
    kept = f"{'late-pool' if name == LATE_POOL else 'separable'}-{preset.reported_params}"
    found = load_spec(RECORDS / f"{kept}.yaml")
    assert found.with_epochs(preset.candidate.recipe.epochs) == preset.candidate
    assert Candidate.from_dict(preset.candidate.to_dict()) == preset.candidate
    printed = (RECORDS / f"verify-{kept}.txt").read_text()
    assert f"mean      {100 * preset.reported[0]:.3f}% over" in printed
    assert "\nverified at 99.40%" in printed


def test_the_sources_are_apart() -> None:
    assert not OURS.keys() & PRESETS.keys()
