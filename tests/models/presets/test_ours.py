"""The networks of our own searches: each is the one whose spec file and verification are kept."""

import re
from pathlib import Path

import pytest
from torch import nn

from models.build import build, count_params
from models.candidate import Candidate
from models.presets import OURS, PRESETS, get_preset
from models.presets.measured import measured_preset
from models.spec.file import load_spec
from tests.helpers.oracles import fvcore_counts

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "benchmarks" / "results" / "records"
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


LAST_EPOCHS = r" +\d+ +[\d.]+% +([\d.]+)% ([\d.]+)% ([\d.]+)% +([\d.]+)% +(yes|no) +(\d+)"


@pytest.mark.parametrize("name", OURS)
def test_its_results_are_those_that_verify_printed(name: str) -> None:
    kept = measured_preset(name)
    assert kept is not None
    printed = (ROOT / kept["printed"]).read_text()
    seeds = re.findall(LAST_EPOCHS, printed)
    assert kept["accuracies"] == pytest.approx([sum(map(float, seed[:3])) / 300 for seed in seeds], abs=1e-9)
    assert kept["best_accuracy"] == pytest.approx(max(float(seed[3]) for seed in seeds) / 100)
    assert (kept["runs"], kept["n_held"]) == (len(seeds), [seed[4] for seed in seeds].count("yes"))
    assert kept["held"] == (kept["n_held"] == kept["runs"])
    mean, (low, high) = kept["sustained_accuracy"], kept["mean_interval"]
    assert f"mean      {100 * mean:.3f}% over {kept['runs']} seeds" in printed
    assert f"95 % interval {100 * low:.3f}% to {100 * high:.3f}%" in printed
    assert f"\n{kept['verdict']} at {100 * kept['target']:.2f}%" in printed
    assert (get_preset(name).reported, get_preset(name).reported_best) == ((mean,), kept["best_accuracy"])


def test_the_sources_are_apart() -> None:
    assert not OURS.keys() & PRESETS.keys()
