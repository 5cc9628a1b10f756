"""The names of what can be asked for, apart from what needs torch to make it."""

DIGITS = "digits"
"""The embedded dataset."""

SPLITS = ("holdout", "test")
"""The ways a training may be judged; `trainer/data/split.py` makes them."""

_CLASSES = {
    "fashion-mnist": (
        *("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "kmnist": ("お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"),
}


def class_names(dataset: str) -> list[str]:
    """What the ten classes of a dataset show, as its authors name them; digits unless others are known."""
    return list(_CLASSES.get(dataset, map(str, range(10))))
