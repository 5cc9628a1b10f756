"""Values of every kind that a file or a database of somebody else may hold where others are expected."""

import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

ESCAPES = ("\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\r overwritten", "\u202egnp.exe", "a\nb", "\x7f\x00")
"""What would steer a terminal, or make one line two."""
TEXTS = (
    *ESCAPES, "", " ", "\ud800", "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "[bold]", "[/]",
    "{{7*7}}", "{0.__class__}", "%s%n", "../../../etc/passwd", "/dev/zero", "/etc/passwd", "x" * 5000, "nan", "1e999",
    "9" * 5000, "٣", "true", "null", "-0", "__import__('os').system('id')", "'; DROP TABLE trials; --",
)  # fmt: skip
NUMBERS = (
    *(0, 1, -1, 2**31, 2**63, -(2**63) - 1, 10**12, 10**30, 10**400),
    *(0.5, -0.0, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf),
)

texts: SearchStrategy[str] = st.sampled_from(TEXTS) | st.text(max_size=20)
numbers: SearchStrategy[int | float] = st.sampled_from(NUMBERS) | st.integers(-5, 300) | st.floats()
scalars: SearchStrategy[Any] = st.none() | st.booleans() | numbers | texts


def values(most_leaves: int = 12) -> SearchStrategy[Any]:
    """Anything that JSON can say."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=most_leaves,
    )


@st.composite
def changed(draw: DrawFn, value: Any, others: SearchStrategy[Any] | None = None) -> Any:
    """A value of lists and dictionaries in which one part, at any depth, is another, missing, twice or elsewhere."""
    others = values() if others is None else others
    if not (isinstance(value, (dict, list)) and value) or draw(st.integers(0, 5)) == 0:
        return draw(others)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw(st.sampled_from(keys))
    copy = value.copy()
    match draw(st.sampled_from(("deeper", "deeper", "deeper", "gone", "more", "moved"))):
        case "deeper":
            copy[key] = draw(changed(value[key], others))
        case "gone":
            del copy[key]
        case "more" if isinstance(copy, dict):
            copy[draw(texts)] = draw(others)
        case "more" if isinstance(copy, list):
            copy.insert(key, draw(others))
        case "moved":
            copy[key] = copy[draw(st.sampled_from(keys))]
    return copy
