"""The command that verifies a candidate over a number of seeds, and goes on from those that are there."""

from collections.abc import Mapping
from typing import Any

from search.measures.verdict import MANY_SEEDS


def verify_words(what: str, summary: Mapping[str, Any], n_seeds: int, where: Mapping[str, str | None]) -> list[str]:
    """`mnist-search verify` as words, that asks what a summary of `search.verification.summary` answers.

    `where` are further options by name (`study`, `precision`, ...); None is left out.
    """
    asked = {"seeds": n_seeds, "epochs": summary["epochs"], "target": summary["target"], "sustain": summary["sustain"]}
    options = {**asked, **where}
    words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return ["mnist-search", "verify", what, *words]


def more_seeds_words(what: str, summary: Mapping[str, Any], where: Mapping[str, str | None]) -> list[str] | None:
    """The command that adds the seeds which would settle it; None where it is settled, or more than is worth while."""
    n_seeds = summary["seeds_to_settle"]
    if n_seeds is None or n_seeds > MANY_SEEDS:
        return None
    return verify_words(what, summary, n_seeds, where)
