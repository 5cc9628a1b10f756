"""The ablation by size: every variant can be built, and sizes are equal where that is claimed."""

import pytest

from benchmarks.ablation_by_size import BASES, VARIANTS, candidate_of, rows

_SAME_WIDTHS = ("BatchNorm with a bias alone", "PReLU")
_HAS_IT_ALREADY = {
    3491: {"separable", "pool after the first", "separable, pool after the first"},
    999: {"separable", "pool after the stem"},
}
"""What is no other network than the base of a size; of the sizes that are not here, a pool behind the stem."""


@pytest.mark.parametrize("size", BASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_has_the_parameters_of_the_base(size: int, variant: str) -> None:
    base, candidate = candidate_of(size, "base"), candidate_of(size, variant)
    share = candidate.arch.params / base.arch.params
    smallest, largest = (0.94, 1.009) if variant in _SAME_WIDTHS else (0.95 if "blocks" in variant else 0.98, 1)
    assert smallest <= share <= largest
    assert abs(base.arch.params - size) < 0.1 * size
    is_base = variant == "base" or variant in _HAS_IT_ALREADY.get(size, {"pool after the stem"})
    assert (candidate == base) == is_base


def test_rows_are_of_seeds_that_the_base_has_too() -> None:
    found = {"params": 1060, "macs": 188144, "core_seconds": 10.0, "size": 1000}
    results = [
        {**found, "variant": "base", "seed": 0, "sustained_accuracy": 0.98},
        {**found, "variant": "base", "seed": 1, "sustained_accuracy": 0.97},
        {**found, "variant": "skips", "seed": 0, "sustained_accuracy": 0.99},
        {**found, "variant": "skips", "seed": 1, "sustained_accuracy": 0.979},
        {**found, "variant": "skips", "seed": 2, "sustained_accuracy": 0.5},
    ]
    base, skips = rows(results)
    assert base[3:5] == ["2", "97.500"]
    assert skips[3:5] == ["2", "98.450"]
    assert skips[6] == "+0.950"
