"""`mnist-search trials`: all trials of a study as a table."""

import csv
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from search.cli import completion, options
from search.measures.words import count_text, macs_text, percent

EXAMPLE = "Example: mnist-search trials --outcome trained --top 10"


def command(
    sort: Annotated[
        str | None,
        options.choice(
            "--sort", completion.TRIAL_SORT_KEYS, "What to sort by. Default: number, or accuracy with --top."
        ),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            "--outcome",
            metavar="OUTCOME",
            autocompletion=completion.one_of(completion.OUTCOMES),
            help=f"Only trials with this outcome: {', '.join(completion.OUTCOMES)}. May be repeated.",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="Only the first N.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the values of each candidate.")] = False,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """List all trials of a study. What became of each, its size, its accuracy, and how long it took."""
    from search.cli.lookup import find_study
    from search.cli.tables import print_json, print_table
    from search.facts.study_facts import trials_facts

    _check(sort, outcome, as_csv and json)
    facts = trials_facts(find_study(storage, study, for_reading=True), outcome)
    facts = sorted(facts, key=_SORTS[sort or ("number" if top is None else "accuracy")])[:top]
    if json:
        print_json(facts)
    elif as_csv:
        _print_csv(facts)
    else:
        print_table(_COLUMNS, [_cells(one) for one in facts])


_COLUMNS = ("trial", "outcome", "params", "MACs", "RF", "sust.", "best", "held", "ep.", "s")
_SORTS = {
    "number": lambda one: one["trial"],
    "accuracy": lambda one: (-(one["sustained_accuracy"] or 0), -(one["best_accuracy"] or 0), one["trial"]),
    "params": lambda one: _rising(one["params"]),
    "macs": lambda one: _rising(one["macs"]),
    "seconds": lambda one: (-(one["seconds"] or 0), one["trial"]),
}
"""What is not known comes last; accuracy and seconds fall, sizes rise."""


def _check(sort: str | None, outcomes: Sequence[str] | None, has_two_forms: bool) -> None:
    from models.errors import MnistSearchError

    if sort is not None and sort not in _SORTS:
        raise MnistSearchError(f"unknown --sort {sort!r}: use {', '.join(_SORTS)}")
    for one in outcomes or ():
        if one not in completion.OUTCOMES:
            raise MnistSearchError(f"unknown --outcome {one!r}: use {', '.join(completion.OUTCOMES)}")
    if has_two_forms:
        raise MnistSearchError("--csv and --json are two forms of output: choose one")


def _rising(n: int | None) -> tuple[bool, int]:
    return n is None, n or 0


def _cells(one: dict[str, Any]) -> list[str]:
    return [
        str(one["trial"]),
        one["outcome"],
        count_text(one["params"]),
        "-" if one["macs"] is None else macs_text(one["macs"]),
        count_text(one["receptive_field"]),
        percent(one["sustained_accuracy"]),
        percent(one["best_accuracy"]),
        {True: "yes", False: "no", None: "-"}[one["held"]],
        str(one["epochs"]),
        "-" if one["seconds"] is None else f"{one['seconds']:,.0f}",
    ]


def _print_csv(facts: Sequence[dict[str, Any]]) -> None:
    """A row for each trial; each value of the candidates has a column of its own."""
    rows = [{**one, **one["values"]} for one in facts]
    names = dict.fromkeys(name for row in rows for name in row if name != "values")
    table = csv.DictWriter(sys.stdout, list(names), extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
