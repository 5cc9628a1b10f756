"""The gate: which candidates are over the budget, and what Optuna is told of them."""

import optuna
import pytest

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap
from models.recipe import Recipe
from search.dispatch.gate import excess_params, mark_budget, rejection_reason

TINY = Candidate(ArchSpec((Conv(8), Gap(), Conv(10, 1, then=()))), Recipe())  # 8 * 9 + 16 + 80 = 168 parameters


def test_a_network_at_the_budget_is_over_it() -> None:
    assert TINY.arch.params == 168
    assert [excess_params(n, 10_000) for n in (9_998, 9_999, 10_000, 12_000)] == [-1, 0, 1, 2_001]


@pytest.mark.parametrize(("max_params", "passes", "excess"), [(169, True, 0), (168, False, 1), (100, False, 69)])
def test_the_gate_tells_optuna(max_params: int, passes: bool, excess: int) -> None:
    study = optuna.create_study()
    trial = study.ask()
    assert mark_budget(trial, TINY, max_params) is passes
    (frozen,) = study.trials
    assert frozen.constraints["params"] == excess
    # The list, where optuna-dashboard 0.21 looks, is to Optuna one more constraint: of one mind with the first.
    assert set(frozen.constraints.values()) == {excess}
    assert frozen.system_attrs["constraints"] == [excess]


def test_the_reason_has_the_count_and_the_budget() -> None:
    assert rejection_reason(12_345, 10_000) == "12,345 parameters, the budget is fewer than 10,000"
