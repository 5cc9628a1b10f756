"""How the report names things, so that a stranger understands them."""

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
