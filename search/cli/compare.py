"""`mnist-search compare`: candidates side by side."""

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import completion, options
from search.measures.words import count_text, macs_text, percent, points

if TYPE_CHECKING:
    from search.study.naming import Named
    from search.study.study import SearchStudy

EXAMPLE = "Example: mnist-search compare answer a-step5 d-model4 --markdown"


def command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            autocompletion=completion.candidates,
            help="answer, best, smallest, trial numbers, presets and spec files; or else names of studies. "
            "Default: the answer, the best and the smallest.",
        ),
    ] = None,
    sort: Annotated[
        str,
        options.choice("--sort", completion.SORT_KEYS, "What to sort by."),
    ] = "accuracy",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Compare candidates, or whole studies, side by side. By size and accuracy, or by what was found."""
    from search.cli.compare_studies import names_studies, print_studies
    from search.cli.lookup import find_store, find_study, find_what
    from search.cli.tables import print_json, print_markdown, print_table
    from search.facts.comparison import compare
    from search.study.study import open_study

    store = find_store(storage)
    if what and store is not None and names_studies(store, what):
        print_studies([open_study(store, name) for name in what], markdown, json)
        return
    opened = cache(lambda: find_study(storage, study, for_reading=True))
    named = [find_what(one, opened) for one in what] if what else _winners(opened())
    rows = compare(named, store, sort)
    if json:
        print_json(rows)
    elif markdown:
        print_markdown(COLUMNS, [_cells(row) for row in rows])
    else:
        print_table(COLUMNS, [_cells(row) for row in rows])
        _print_notes(rows)


def _winners(study: "SearchStudy") -> "list[Named]":
    """The answer of a study, its best trial and its smallest at the target, each once."""
    from search.cli.lookup import find_what

    words = [options.ANSWER, "best", *(("smallest",) if study.smallest() else ())]
    named = [find_what(word, lambda: study) for word in words]
    return list({one.label: one for one in named}.values())


COLUMNS = ("name", "params", "MACs", "RF", "sust.", "best", "gap", "held", "ep.", "s", "n", "on")
LEGEND = """
RF: receptive field; sust.: sustained accuracy; gap: training minus evaluation
accuracy, in points; ep.: epochs; s: seconds; n: trainings; on: what judged"""


def _cells(row: dict[str, Any]) -> list[str]:
    held = {True: "yes", False: "no", None: "-"}[row["held"]]
    return [
        row["name"],
        count_text(row["params"]),
        macs_text(row["macs"]),
        count_text(row["receptive_field"]),
        percent(row["sustained_accuracy"]),
        percent(row["best_accuracy"]),
        points(row["gap"]),
        held,
        count_text(row["epochs"]),
        "-" if row["seconds"] is None else f"{row['seconds']:,.0f}",
        count_text(row["runs"]),
        row["on"] or "-",
    ]


def _print_notes(rows: list[dict[str, Any]]) -> None:
    print(LEGEND)
    judges = {row["on"] for row in rows if row["on"]}
    if len(judges) > 1:
        print(f"judged by unlike images ({', '.join(sorted(judges))}): not comparable")
    for row in rows:
        if row["told_apart"] is not None:
            print(_difference_text(row))
    if any(row["runs"] == 1 for row in rows):
        print("one training: a difference below .2 points is within the noise of seeds")


def _difference_text(row: dict[str, Any]) -> str:
    low, high = (f"{100 * abs(edge):.3f}" for edge in reversed(row["difference_interval"]))
    if row["told_apart"]:
        below = f"{100 * abs(row['difference']):.3f} points below {row['compared_with']}"
        return f"{row['name']} is {below} (95 %: {low} to {high})"
    return (
        f"{row['name']} and {row['compared_with']} cannot be told apart: difference {100 * row['difference']:+.3f}\n"
        f"points, 95 %: {100 * row['difference_interval'][0]:+.3f} to {100 * row['difference_interval'][1]:+.3f}"
    )
