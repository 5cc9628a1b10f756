"""The tables of the report."""

import re
from pathlib import Path

from models.presets import OURS
from models.template import Template
from search.report.figures.search import pareto
from search.report.rows import layer_rows, preset_rows
from search.report.winner import find_winner
from search.study.outcomes import Outcome
from tests.helpers.made_studies import made_study


def test_a_layer_with_the_weights_of_another_names_its_row() -> None:
    arch = Template((8,), 6, (8, 8), convolution="separable", body_repeats=2).arch()
    names = [row[0] for row in layer_rows(arch).cells]
    assert [name.partition(".")[0] for name in names] == [str(number) for number in range(1, len(names) + 1)]
    shared = {name: re.search(r"\(weights of (\d+)\)", name) for name in names}
    assert any(shared.values())
    for name, found in shared.items():
        if found is not None:
            owner = names[int(found[1]) - 1]
            assert owner.partition(". ")[2] == name.partition(". ")[2].partition(" (")[0]


def test_the_comparison_has_our_own_verified_networks(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    table = preset_rows(study.settings, find_winner(study))
    rows = {row[0]: row for row in table.cells}
    assert rows.keys() >= OURS.keys()
    assert rows["ours-2995"][5:] == ("-", "-", "99.43%", "99.52%", "-0.03", "8 of 15")
    params = [int(row[2].replace(",", "")) for row in table.cells]
    assert params == sorted(params)


def test_the_figure_beside_mnist_has_them_too(own_folder: Path) -> None:
    study = made_study(own_folder, 3, dataset="mnist")
    drawing = pareto(study.trials(Outcome.TRAINED), study.settings, None)
    [ours] = [trace for trace in drawing.figure.data if trace.name == "ours, verified"]
    assert sorted(ours.x) == [2_995, 3_789, 4_990, 7_917]
