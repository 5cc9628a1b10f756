"""The Markdown pages of the experiments."""

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from trainer.hardware.machine import cpu_name


def machine_line(day: datetime.date | None = None) -> str:
    """Date (today's, if none is given), processor, cores and versions."""
    date, python = (day or datetime.date.today()).isoformat(), platform.python_version()
    return f"{date}, {cpu_name()}, {os.cpu_count()} cores, Python {python}, torch {torch.__version__}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text."""
    rules = [":--", *["--:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (columns, rules, *rows)) + "\n"


def write(path: Path, text: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A page with one table; it is printed too."""
    page = f"{text}\n{markdown_table(columns, rows)}"
    path.write_text(page)
    print(page)
