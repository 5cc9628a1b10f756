"""The Markdown pages of the experiments."""

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch


def machine_line() -> str:
    """Date, processor, cores and versions."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    cpu = names[0] if names else platform.processor()
    return (
        f"{datetime.date.today().isoformat()}, {cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text."""
    rules = [":--", *["--:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (columns, rules, *rows)) + "\n"


def write(path: Path, text: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A page with one table; it is printed too."""
    page = f"{text}\n{markdown_table(columns, rows)}"
    path.write_text(page)
    print(page)
