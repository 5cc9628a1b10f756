"""Text of somebody else, made fit to be printed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("trial 3: 99.4 %", "trial 3: 99.4 %"),
        ("お is a letter", "お is a letter"),
        ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\rc\x07", "a\\nb\\rc\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("half of \ud83d", "half of \\ud83d"),
        ("", ""),
    ],
)
def test_what_is_no_visible_letter_is_a_code(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_line_has_no_ends_of_lines_and_an_end() -> None:
    assert one_line(" a\n  b\t c\x1b[m ") == "a b c\\x1b[m"
    assert one_line("x" * 1000) == "x" * 1000
    assert one_line("x" * 1001) == f"{'x' * 998} …"
    assert len(one_line("\x1b" * 10**6)) == 1000


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text())
def test_any_text_is_printable_and_encodable(text: str) -> None:
    assert printable(text).isprintable()
    assert "\n" not in one_line(text).encode().decode()
