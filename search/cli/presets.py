"""`mnist-search presets`: the sources' models, and what our own searches found."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.measures.words import count_text, percent

if TYPE_CHECKING:
    from models.presets import Preset

EXAMPLE = "Example: mnist-search presets --markdown"


NOTES = """
reported: the mean of the last epochs the source quotes, up to three
ours: the mean of our last three epochs; one run each, judged by the test images
ours-...: found by our searches or led to by them; verified at 99.40%: the mean
over fresh seeds, and how many of them held it
what a report does not tell is assumed: see `mnist-search presets --json`"""


def command(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    json: options.Json = False,
) -> None:
    """List the hand-made networks of the course reports. With the accuracy reported, and what we measured."""
    from models.presets import KNOWN
    from models.presets.measured import held_of
    from search.cli.tables import print_json, print_markdown, print_table

    facts = [_facts(preset) for preset in KNOWN.values()]
    if json:
        print_json(facts)
        return
    columns = ("name", "source", "params", "reported", "best rep.", "ours", "best ours", "held")
    rows = [
        (
            row["name"],
            row["source"].partition(",")[0],
            count_text(row["params"]),
            percent(row["reported_accuracy"]),
            percent(row["reported_best_accuracy"]),
            percent(row["sustained_accuracy"]),
            percent(row["best_accuracy"]),
            held_of(row),
        )
        for row in facts
    ]
    (print_markdown if markdown else print_table)(columns, rows)
    print(NOTES)


def _facts(preset: "Preset") -> dict[str, Any]:
    from models.presets import OURS
    from models.presets.measured import measured_preset

    measured, is_ours = measured_preset(preset.name) or {}, preset.name in OURS
    last = () if is_ours else preset.reported[-3:]
    return {
        "name": preset.name,
        "source": preset.source,
        "params": preset.arch.params,
        "macs": preset.arch.macs,
        "receptive_field": preset.arch.receptive_field,
        "reported_accuracy": sum(last) / len(last) if last else None,
        "reported_best_accuracy": None if is_ours else preset.reported_best,
        **{key: measured.get(key) for key in ("sustained_accuracy", "best_accuracy", "held", "seconds")},
        "runs": measured.get("runs", 1 if measured else 0),
        **{key: measured.get(key) for key in ("n_held", "mean_interval", "verdict")},
        "note": preset.note,
    }
