"""Tables and JSON on a terminal."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_json(facts: object) -> None:
    """Facts on stdout, for programs."""
    print(json.dumps(facts, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout: words to the left, numbers to the right, no colours into a pipe."""
    table = Table(
        title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold"
    )
    for name in columns:
        table.add_column(name, justify="left" if name in _WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console().print(table)


def print_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A Markdown table on stdout, aligned as `print_table` does."""
    rules = [":--" if name in _WORDS else "--:" for name in columns]
    for line in (columns, rules, *rows):
        print("| " + " | ".join(str(cell) for cell in line) + " |")


def console() -> Console:
    """A console on stdout that neither guesses at colours nor wraps lines at less than 80 columns in a pipe."""
    return Console(highlight=False, soft_wrap=False)


_WORDS = {"layer", "name", "source", "in", "out", "on", "file", "numbers"}
