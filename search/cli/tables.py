"""Tables and JSON on a terminal."""

import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from models.printable import printable
from search.cli.streams import drawing


def print_json(facts: object) -> None:
    """Facts on stdout, for programs."""
    print(json.dumps(facts, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout: words to the left, numbers to the right, no colours into a pipe."""
    table = Table(
        title=None if title is None else printable(title),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    for name in columns:
        table.add_column(name, justify="left" if name in _WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    console().print(table)


def print_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A Markdown table on stdout, aligned as `print_table` does."""
    rules = [":--" if name in _WORDS else "--:" for name in columns]
    for line in (columns, rules, *rows):
        print("| " + " | ".join(str(cell) for cell in line) + " |")


def console(on: TextIO | None = None) -> Console:
    """A console on stdout, or another stream, that takes every text as it stands.

    It neither guesses at colours nor looks for marks in what it prints, nor wraps lines at less than 80 columns in a
    pipe. Other people's texts have to be `printable`.
    """
    file = drawing(sys.stdout if on is None else on)
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)


_WORDS = {"layer", "name", "source", "in", "out", "on", "file", "numbers"}
