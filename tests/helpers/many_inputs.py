"""On how many inputs a property is tried: few in every run of the tests, many by `make fuzz`; and a count of them."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

PROFILE = "fuzz"
"""The profile of long runs, in which the inputs are others each time."""
COUNTS: Counter[str] = Counter()
"""Inputs tried in this process, by subject."""

settings.register_profile(PROFILE, print_blob=True)

Test = TypeVar("Test", bound=Callable[..., None])


def is_long() -> bool:
    """Whether this is a run on many inputs."""
    return settings.get_current_profile_name() == PROFILE


def tried_on(few: int, many: int, subject: str) -> Callable[[Test], Test]:
    """Has a test with `given` tried on so many inputs, which are counted for its subject.

    The few are always the same: what a run of all tests says of a commit does not depend on luck.
    """

    def limited(test: Test) -> Test:
        handle: Any = test.hypothesis  # type: ignore[attr-defined]
        inner = handle.inner_test

        @wraps(inner)
        def counted(*arguments: Any, **named: Any) -> None:
            COUNTS[subject] += 1
            inner(*arguments, **named)

        handle.inner_test = counted
        return settings(
            max_examples=many if is_long() else few,
            derandomize=not is_long(),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )(test)

    return limited
