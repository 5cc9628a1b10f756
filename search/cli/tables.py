"""Tables and JSON on a terminal."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from models.printable import printable
from search.cli.streams import drawing

_LONGEST_WORD = 12
"""Columns of text break words that are longer than this where the terminal is narrow."""


def print_json(facts: object) -> None:
    """Facts on stdout, for programs."""
    print(json.dumps(facts, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table on stdout: words to the left, numbers to the right, no colours into a pipe.

    No number is broken. Where the terminal is too narrow, the columns that do not fit follow in a table below,
    behind the first column. Not by rich's Table, which takes a millisecond a row.
    """
    on, cells = console(), [[printable(str(cell)) for cell in row] for row in rows]
    for number, widths in enumerate(_layout(columns, cells, on.width)):
        if number:
            on.out()
        for line in _lines(columns, columns, widths, on):
            on.out(line, style="bold")
        on.out("\n".join(line for row in cells for line in _lines(row, columns, widths, on)))


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


def _layout(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[dict[int, int]]:
    """The tables that a table is printed as: the width of each of their columns, by its number."""
    by_column = [[name, *(row[i] for row in cells)] for i, name in enumerate(columns)]
    wanted = [max(map(cell_len, column)) for column in by_column]
    if sum(wanted) + len(wanted) - 1 <= width:
        return [dict(enumerate(wanted))]
    needed = [_needed(name, column) for name, column in zip(columns, by_column, strict=True)]
    tables: list[dict[int, int]] = [{0: needed[0]}]
    for number in range(1, len(columns)):
        if len(tables[-1]) > 1 and sum(tables[-1].values()) + len(tables[-1]) + needed[number] > width:
            tables.append({0: needed[0]})
        tables[-1][number] = needed[number]
    for table in tables:
        for number in table:  # what is left over goes to the first columns that gain from it
            left = max(0, width - sum(table.values()) - len(table) + 1)
            table[number] += min(left, wanted[number] - needed[number])
    return tables


def _needed(name: str, column: Sequence[str]) -> int:
    """The least width of a column, whose first cell is its name: numbers stay whole, words may be folded."""
    words = [word for cell in (column if name in _WORDS else column[:1]) for word in cell.split()]
    numbers = () if name in _WORDS else column[1:]
    return max(min(_LONGEST_WORD, max(map(cell_len, words), default=0)), max(map(cell_len, numbers), default=0))


def _lines(row: Sequence[str], columns: Sequence[str], widths: dict[int, int], on: Console) -> Iterator[str]:
    """A row as lines: more than one where a cell is folded."""
    folded = {number: _folded(row[number], width, on) for number, width in widths.items()}
    for i in range(max(map(len, folded.values()))):
        parts = ((number, lines[i] if i < len(lines) else "") for number, lines in folded.items())
        yield " ".join(_padded(part, widths[number], columns[number] in _WORDS) for number, part in parts).rstrip()


def _folded(cell: str, width: int, on: Console) -> list[str]:
    return [cell] if cell_len(cell) <= width else [line.plain for line in Text(cell).wrap(on, width, overflow="fold")]


def _padded(part: str, width: int, is_words: bool) -> str:
    spaces = " " * (width - cell_len(part))
    return part + spaces if is_words else spaces + part


_WORDS = {"layer", "name", "outcome", "source", "in", "out", "on", "file", "numbers"}
