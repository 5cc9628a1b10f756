"""`mnist-search report`: a study as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options
from search.measures.words import bytes_text

EXAMPLE = "Example: mnist-search report --out report.html"


def command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")] = Path(
        "mnist-search-report.html"
    ),
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
) -> None:
    """Write a study as one HTML file that opens offline. What was searched, what won, and how sure that is."""
    from search.cli.lookup import find_study
    from search.report.page import write_report

    size_bytes = write_report(find_study(storage, study, for_reading=True), data_dir, out)
    print(f"{out}  {bytes_text(size_bytes)}")
