"""How numbers and tables look on a terminal."""

import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def percent(fraction: float | None) -> str:
    """An accuracy as `99.43%`, never rounded up past a target it missed; a dash for none."""
    return "-" if fraction is None else f"{math.floor(fraction * 1e4 + 1e-6) / 1e2:.2f}%"


def points(fraction: float | None) -> str:
    """A difference of accuracies in percentage points, as `-0.32`; a dash for none."""
    return "-" if fraction is None else f"{100 * fraction:+.2f}"


def seconds_text(seconds: float | None) -> str:
    """A duration as `4.2 s`, `3 min 05 s` or `1 h 02 min`; a dash for none."""
    if seconds is None:
        return "-"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count_text(n: int | None) -> str:
    """A count with thousands separated; a dash for none."""
    return "-" if n is None else f"{n:,}"


def bytes_text(n: int) -> str:
    """A size in binary units, such as `30.3 KiB`."""
    return f"{n:,} B" if n < 1024 else f"{n / 1024:,.1f} KiB" if n < 1024**2 else f"{n / 1024**2:,.1f} MiB"


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


_WORDS = {"layer", "name", "source", "in", "out", "on"}
