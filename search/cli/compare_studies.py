"""`mnist-search compare` of whole studies, such as one of TPE and one of random search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search.measures.words import count_text, percent

if TYPE_CHECKING:
    from search.study.study import SearchStudy
    from storage.store import Store

_COLUMNS = ("name", "sampler", "trials", "trained", "best", "params", "smallest", "best of n", "s", "core-s")


def names_studies(store: "Store", what: Sequence[str]) -> bool:
    """Whether all of WHAT are names of studies. Raises MnistSearchError if only some are: they do not compare."""
    from models.errors import MnistSearchError
    from models.presets import KNOWN
    from search.study.study import study_names

    known = [name for name in what if name in study_names(store) and name not in KNOWN]
    if known and len(known) < len(what):
        others = ", ".join(name for name in what if name not in known)
        raise MnistSearchError(f"{known[0]!r} is a study and {others} is not: compare studies, or compare candidates")
    return bool(known)


def print_studies(studies: "Sequence[SearchStudy]", markdown: bool, as_json: bool) -> None:
    """Prints the studies side by side on stdout."""
    from search.cli.tables import print_json, print_markdown, print_table
    from search.facts.study_comparison import compare_studies

    rows = compare_studies(studies)
    if as_json:
        print_json(rows)
        return
    (print_markdown if markdown else print_table)(_COLUMNS, [_cells(row) for row in rows])
    n = rows[0]["n_compared"]
    print(f"\nbest of n: the best of the first {n} candidates past the gate; s: active seconds;")
    print("smallest: parameters of the smallest at target; one study each: a lucky draw moves them")
    unlike = ", ".join(row["study"] for row in rows if not row["comparable"])
    if unlike:
        print(f"{unlike} asked something else (images, budget, target or epochs): not comparable")


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["study"],
        row["sampler"],
        count_text(row["n_past_gate"]),
        count_text(row["trained"]),
        percent(row["sustained_accuracy"]),
        count_text(row["params"]),
        count_text(row["smallest_params"]),
        percent(row["best_after"]),
        f"{row['seconds']:,.0f}",
        "-" if row["core_seconds"] is None else f"{row['core_seconds']:,.0f}",
    ]
