"""What a preset is, the plain training they start from, and the look-up by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.arch import ArchSpec
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.nearest import did_you_mean
from models.recipe import Recipe
from models.schedules import Constant


@dataclass(frozen=True)
class Preset:
    """A network and its training as somebody reported them. Accuracies are fractions, on the test images."""

    name: str
    source: str
    candidate: Candidate
    reported_params: int
    reported: tuple[float, ...]
    """Accuracy after each of the last epochs; empty where the report quotes the best epoch only."""
    reported_best: float
    """Accuracy of the best epoch, or of the best of `reported` where the report quotes no other."""
    note: str
    """What the report does not tell, and is assumed here."""

    @property
    def arch(self) -> ArchSpec:
        """The network."""
        return self.candidate.arch


PLAIN_SGD = Recipe(
    epochs=15,
    batch_size=128,
    optimizer="sgd",
    lr=0.01,
    momentum=0.9,
    nesterov=False,
    weight_decay=0.0,
    schedule=Constant(),
)
"""The training that stands where a report tells nothing."""


def sgd(**told: Any) -> Recipe:
    """The plain training, changed by what a report tells."""
    return replace(PLAIN_SGD, **told)


def by_name(*presets: Preset) -> dict[str, Preset]:
    """The presets by name, in order. Raises ValueError for a name given twice."""
    names = [preset.name for preset in presets]
    if len(set(names)) < len(names):
        raise ValueError(f"a preset's name is given twice: {', '.join(names)}")
    return dict(zip(names, presets, strict=True))


def look_up(presets: Mapping[str, Preset], name: str) -> Preset:
    """The preset of that name. Raises MnistSearchError, naming those that are nearly called so."""
    if name in presets:
        return presets[name]
    hint = did_you_mean(name, presets) or "`mnist-search presets` lists them"
    raise MnistSearchError(f"there is no preset {name!r}: {hint}")
