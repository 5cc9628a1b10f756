"""The presets: each has exactly the reported parameters, builds, learns and can be trained as written."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from models.build import build, count_params
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.presets import PRESETS, Preset, get_preset
from tests.helpers.oracles import fvcore_counts

# From the reports, written here once more so that no slip in the catalogue goes unseen.
REPORTED_PARAMS = {
    "a-step1": 6_379_786,
    "a-step2": 9_950,
    "a-step3": 5_050,
    "a-step4": 7_752,
    "a-step5": 7_752,
    "b-step2": 9_122,
    "b-step3": 9_426,
    "b-step4": 9_426,
    "b-step5": 9_426,
    "c-final": 8_546,
    "d-model1": 8_246,
    "d-model2": 7_934,
    "d-model3": 7_934,
    "d-model4": 7_774,
    "e-model2": 7_878,
}

each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())


def test_all_fifteen_are_there() -> None:
    assert {name: preset.reported_params for name, preset in PRESETS.items()} == REPORTED_PARAMS
    assert [preset.name for preset in PRESETS.values()] == list(PRESETS)


@each_preset
def test_params_are_the_reported_ones_however_counted(preset: Preset) -> None:
    module = build(preset.arch)
    counted_by_fvcore = fvcore_counts(module)
    assert preset.arch.params == preset.reported_params
    assert count_params(module) == preset.reported_params
    assert counted_by_fvcore == (preset.reported_params, preset.arch.macs)


@each_preset
def test_forward_and_backward_run(preset: Preset) -> None:
    module = build(preset.arch, preset.candidate.recipe.dropout)
    loss = cross_entropy(module(torch.rand(2, 1, 28, 28)), torch.tensor([3, 7]))
    loss.backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    assert all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)


@each_preset
def test_it_survives_as_plain_data(preset: Preset) -> None:
    assert Candidate.from_dict(preset.candidate.to_dict()) == preset.candidate


@each_preset
def test_what_was_reported_is_there(preset: Preset) -> None:
    accuracies = (*preset.reported, preset.reported_best)
    assert all(0.98 < accuracy < 1 for accuracy in accuracies)
    assert preset.reported_best == max(accuracies)
    assert preset.source.startswith(preset.name[0].upper())
    assert "Assumed: " in preset.note
    assert preset.candidate.recipe.epochs in (15, 20)


@each_preset
def test_dropout_has_a_place_where_and_only_where_it_has_a_rate(preset: Preset) -> None:
    places = [
        layer for layer in preset.arch.layers if layer.kind == "dropout" or "dropout" in getattr(layer, "then", ())
    ]
    assert bool(places) == bool(preset.candidate.recipe.dropout)


def test_only_the_first_network_is_over_the_budget() -> None:
    assert [name for name, preset in PRESETS.items() if preset.arch.params >= 10_000] == ["a-step1"]


def test_receptive_fields_of_e_model2() -> None:
    fields = [row.receptive_field for row in PRESETS["e-model2"].arch.facts]
    #        3x3 3x3 3x3 1x1 pool 3x3 3x3 3x3 GAP 1x1
    assert fields == [3, 5, 7, 7, 8, 12, 16, 20, 28, 28]


def test_get_preset_gives_the_preset_of_that_name() -> None:
    assert get_preset("d-model4") is PRESETS["d-model4"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a-step9", "there is no preset 'a-step9': did you mean a-step5, a-step4, a-step3?"),
        ("e-model", "there is no preset 'e-model': did you mean e-model2, d-model4, d-model3?"),
        ("resnet", "there is no preset 'resnet': `mnist-search presets` lists them"),
    ],
)
def test_an_unknown_preset_is_answered_with_near_names(name: str, text: str) -> None:
    with pytest.raises(MnistSearchError) as caught:
        get_preset(name)
    assert str(caught.value) == text
