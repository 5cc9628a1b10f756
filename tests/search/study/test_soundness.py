"""What a trial must hold to be one of ours."""

import math
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from models.errors import MnistSearchError
from search.study.soundness import fault_of, require_sound, sound_or_foreign
from tests.helpers.made_studies import made_study

ATTRS: dict[str, Any] = {"outcome": "trained", "params": 700, "active_seconds": 3.0, "held": True, "reason": ""}


def trial(value: float = 0.9, state: TrialState = TrialState.COMPLETE, **changes: Any) -> FrozenTrial:
    """A trained one with other attributes, those that are None left out; `system` are Optuna's own."""
    system = changes.pop("system", {})
    reports = changes.pop("reports", {1: 0.9})
    attrs = {key: of for key, of in {**ATTRS, **changes}.items() if of is not None}
    values = [value] if state is TrialState.COMPLETE else None
    return create_trial(state=state, values=values, user_attrs=attrs, system_attrs=system, intermediate_values=reports)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"params": "many"}, "params is 'many': it must be a whole number of at least 0"),
        ({"params": True}, "params is True: it must be a whole number of at least 0"),
        ({"params": None}, "params is missing"),
        ({"seconds": math.nan}, "seconds is nan: it must be a number of at least 0"),
        ({"held": "yes"}, "held is 'yes': it must be true or false"),
        ({"candidate": [1]}, "candidate is [1]: it must be a mapping"),
        (
            {"outcome": "won"},
            "outcome is 'won': it must be one of trained, pruned, rejected, diverged, failed, interru",
        ),
        ({"outcome": ["trained"]}, "outcome is ['trained']: it must be one of trained, pruned, "),
        ({"reason": {"a": 1}}, "reason is {'a': 1}: it must be a text"),
        ({"gap": 10**400}, "gap is 1000000000"),
        ({"value": 1.5}, "it was trained, and is COMPLETE with the value [1.5]"),
        ({"state": TrialState.FAIL}, "it was trained, and is FAIL with the value None"),
        ({"reports": {1: math.inf}}, "it reports inf for epoch 1"),
        ({"reports": {0: 0.5}}, "it reports 0.5 for epoch 0"),
        ({"system": {"constraints": 5}}, "constraints is 5: it must be a list of values that are each a number"),
        ({"system": {"constraints:params": "x"}}, "constraints:params is 'x': it must be a number"),
        ({"system": {"fixed_params": "x"}}, "fixed_params is 'x': it must be a mapping"),
    ],
)
def test_what_this_program_does_not_write_is_told(changes: dict[str, Any], fault: str) -> None:
    odd = trial(**changes)
    found = fault_of(odd)
    assert found is not None
    assert found.startswith(fault)
    with pytest.raises(MnistSearchError, match=r"^study 'mine' is damaged: trial -?\d+: ") as caught:
        require_sound("mine", [trial(), odd])
    assert str(caught.value).endswith("; put back a copy of its database, or name another with --study")
    foreign = sound_or_foreign(odd)
    assert fault_of(foreign) is None
    assert not foreign.user_attrs.keys() & ATTRS.keys()
    assert (foreign.state, foreign.number) == (odd.state, odd.number)


def test_a_drawn_value_outside_its_range() -> None:
    odd = trial()
    odd.params, odd.distributions = {"lr": 3.0}, {"lr": FloatDistribution(0.0, 1.0)}
    assert fault_of(odd) == "lr is 3.0, which is not in its range"
    odd.params, odd.distributions = {"head": "x"}, {"head": CategoricalDistribution(("a", "b"))}
    assert fault_of(odd) == "head is 'x', which is not in its range"


def test_other_programs_may_say_anything_by_other_names() -> None:
    assert fault_of(create_trial(values=[7.0, 8.0], user_attrs={"mine": [1]}, intermediate_values={-3: 1e9})) is None
    assert fault_of(trial(mine={"a": [math.nan]})) is None


def test_trials_as_this_program_writes_them_are_sound(tmp_path: Any) -> None:
    study = made_study(tmp_path, 20)
    assert all(fault_of(one) is None for one in study.snapshot.all)
    assert require_sound("s", study.snapshot.all) == study.snapshot.all
    study.store.close()
