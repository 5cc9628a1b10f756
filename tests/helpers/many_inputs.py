"""On how many inputs a property is tried: few in every run of the tests, many by `make fuzz`; and a count of them."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

SHARES = {"fuzz": 1.0, "fuzz-tenth": 0.1}
"""Profiles of hypothesis for long runs, whose inputs are others each time, and their share of the many inputs."""
COUNTS: Counter[str] = Counter()
"""Inputs tried in this process, by subject."""

for _name in SHARES:
    settings.register_profile(_name, print_blob=True)

Test = TypeVar("Test", bound=Callable[..., None])


def tried_on(few: int, many: int, subject: str) -> Callable[[Test], Test]:
    """Has a test with `given` tried on so many inputs, which are counted for its subject.

    The few are always the same: what a run of all tests says of a commit does not depend on luck.
    """
    share = SHARES.get(settings.get_current_profile_name())

    def limited(test: Test) -> Test:
        handle: Any = test.hypothesis  # type: ignore[attr-defined]
        inner = handle.inner_test

        @wraps(inner)
        def counted(*arguments: Any, **named: Any) -> None:
            COUNTS[subject] += 1
            inner(*arguments, **named)

        handle.inner_test = counted
        return settings(
            max_examples=few if share is None else max(few, round(share * many)),
            derandomize=share is None,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )(test)

    return limited
