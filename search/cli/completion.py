"""What a shell offers after TAB: the values of options, and the names of candidates.

The values are written out a second time here, since their own modules import torch and optuna, which take seconds; a
test holds them to the originals.
"""

import glob
from collections.abc import Callable

DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("local", "ray")
PRECISIONS = ("auto", "float32", "bfloat16")
DATASETS = ("auto", "mnist", "fashion-mnist", "kmnist", "digits")
SPLITS = ("holdout", "test")
FINDS = ("accuracy", "smallest")
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")
SORT_KEYS = ("accuracy", "params", "macs", "name")
TRIAL_SORT_KEYS = ("number", "accuracy", "params", "macs", "seconds")
OUTCOMES = (
    *("trained", "pruned", "rejected", "diverged", "failed", "interrupted", "duplicate"),
    *("running", "waiting"),
)
WINNERS = ("answer", "best", "smallest")
ALL_PRESETS = "presets"
SPEC_SUFFIXES = (".yaml", ".yml", ".json")


def one_of(values: tuple[str, ...]) -> Callable[[str], list[str]]:
    """The completion of an option that takes one of these values."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(incomplete, values)

    return complete


def candidates(incomplete: str) -> list[str]:
    """Ways to say WHAT: answer, best, smallest, the presets, and spec files that are there."""
    return _beginning(incomplete, [*WINNERS, *_presets()]) + _spec_files(incomplete)


def warm_starts(incomplete: str) -> list[str]:
    """What `--warm-start` takes: `presets` for all of them, one of them, or a spec file."""
    return _beginning(incomplete, [ALL_PRESETS, *_presets()]) + _spec_files(incomplete)


def _presets() -> list[str]:
    from models.presets import KNOWN

    return list(KNOWN)


def _spec_files(incomplete: str) -> list[str]:
    return sorted(path for suffix in SPEC_SUFFIXES for path in glob.glob(f"{glob.escape(incomplete)}*{suffix}"))


def _beginning(incomplete: str, values: list[str] | tuple[str, ...]) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]
