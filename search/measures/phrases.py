"""How the report and a model's card name things, so that a stranger understands them."""

from collections.abc import Mapping
from typing import Any

from search.measures import verdict
from search.measures.verdict import Verdict
from search.measures.words import percent
from search.measures.words import plural as plural  # for the templates

_DATASETS = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "digits": "the digits of scikit-learn",
}


def dataset_name(name: str) -> str:
    """A dataset as its readers call it."""
    return _DATASETS.get(name, name)


def judges(split: str) -> str:
    """The images that judge the trials of a study."""
    return "test images" if split == "test" else "held-out images"


def spread(deviation: float | None) -> str:
    """A standard deviation to stand behind an accuracy, in percentage points; nothing for none."""
    return "" if deviation is None else f" ± {100 * deviation:.2f}"


def interval(bounds: list[float] | tuple[float, float] | None) -> str:
    """An interval of accuracies or shares; a dash for none."""
    return "-" if bounds is None else f"{percent(bounds[0])} to {percent(min(bounds[1], 1.0))}"


def verdict_text(summary: Mapping[str, Any]) -> str:
    """What fresh seeds prove of the target, and how many more would."""
    found, settle = Verdict(summary["verdict"]), settle_text(summary)
    said = f"{found.words} at {percent(summary['target'])}: the mean {_REASONS[found]}"
    return f"{said[0].upper()}{said[1:]}{f'; {settle}' if settle else ''}."


def settle_text(summary: Mapping[str, Any]) -> str | None:
    """How many more seeds would settle it; None where it is settled."""
    return verdict.settle_text(Verdict(summary["verdict"]), summary["n_seeds"], summary["seeds_to_settle"])


_REASONS = {
    Verdict.VERIFIED: "is at or above it, and so is its whole 95% interval",
    Verdict.ON_TARGET_NOT_PROVEN: "is at or above it, but its 95% interval reaches below",
    Verdict.BELOW_TARGET: "is below it, but its 95% interval reaches it",
    Verdict.REFUTED: "is below it, and so is its whole 95% interval",
    Verdict.TOO_FEW_SEEDS: "of so few seeds proves nothing",
}
