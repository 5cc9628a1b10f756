"""How the report names things, so that a stranger understands them."""

from search.measures.words import percent

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


def plural(n: int, word: str) -> str:
    """A counted word: `1 seed`, `5 seeds`."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
