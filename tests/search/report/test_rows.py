"""The tables of the report."""

import re

from models.template import Template
from search.report.rows import layer_rows


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
