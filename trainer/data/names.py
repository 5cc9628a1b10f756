"""The names of what can be asked for, apart from what needs torch to make it."""

DIGITS = "digits"
"""The embedded dataset."""

SPLITS = ("holdout", "test")
"""The ways a training may be judged; `trainer/data/split.py` makes them."""
