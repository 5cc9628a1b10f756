"""Tables on a terminal of any width: no number is broken."""

import re
import time

import pytest

from search.cli.tables import print_table
from tests.helpers.cli import call

WIDTHS = (200, 80, 60, 50, 40, 30)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("command", "behind"),
    [
        ("presets", "\n\nreported: "),
        ("compare a-step1 a-step5 ours-2995", "\n\nRF: "),
        ("show ours-2995", "\n\n2,995 parameters"),
    ],
)
def test_all_numbers_are_whole_at_any_width(
    command: str, behind: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`behind` is what the command prints behind its table."""
    tables = []
    for columns in (200, width):
        monkeypatch.setenv("COLUMNS", str(columns))
        code, out, _ = call(command.split(), capsys)
        assert code == 0
        tables.append(out.partition(behind)[0])
    wide, narrow = tables
    assert len(_numbers(wide)) > 10
    assert max(map(len, narrow.splitlines())) <= width
    assert set(_numbers(narrow)) == set(_numbers(wide))


def _numbers(text: str) -> list[str]:
    return re.findall(r"(?<!\S)[\d.,x]+[%kM]?(?!\S)", text)


def test_columns_that_do_not_fit_follow_below_the_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(("name", "params", "best acc."), [("a network", "1,234,567", "99.45%"), ("b", "9", "-")])
    assert capsys.readouterr().out.splitlines() == [
        "name         params",
        "a network 1,234,567",
        "b                 9",
        "",
        "name      best acc.",
        "a network    99.45%",
        "b                 -",
    ]


def test_words_are_folded_and_wide_letters_count_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(("name", "params"), [("three short words", "1,234"), ("数字", "99"), ("x" * 30, "7")])
    assert capsys.readouterr().out.splitlines() == [
        "name          params",
        "three short    1,234",
        "words",
        "数字              99",
        "xxxxxxxxxxxxx      7",
        "xxxxxxxxxxxxx",
        "xxxx",
    ]


def test_a_long_table_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich's own Table took five seconds."""
    rows = [(n, f"{n + 3000:,}", "99.12%", "99.20%", "yes", 8, "12.1", "trained", "300k") for n in range(5_000)]
    began = time.process_time()
    print_table(("trial", "params", "sust.", "best", "held", "ep.", "s", "outcome", "MACs"), rows)
    assert time.process_time() - began < 2
    assert len(capsys.readouterr().out.splitlines()) == 5_001
