"""StudySettings: what makes one study, fixed when it is created."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from models.errors import MnistSearchError
from models.kinds import FLAG, LARGEST, MAPPING, NUMBER, TEXT, WHOLE, Kind, misfits, shown
from search.study.samplers import PRUNERS, SAMPLERS
from trainer.data.names import DIGITS, SPLITS

MAX_EPOCHS = 1000
DEFAULT_SUSTAIN = 3

ACCURACY, SMALLEST = FINDS = ("accuracy", "smallest")


@dataclass(frozen=True)
class StudySettings:
    """What a study searches for, and how; results under other settings are another study.

    Raises MnistSearchError for an impossible value.
    """

    dataset: str
    split: str = "holdout"
    max_params: int = 10_000
    """Candidates must have fewer trainable parameters than this."""
    target: float = 0.994
    """Accuracy to reach, a fraction of 1."""
    sustain: int = DEFAULT_SUSTAIN
    """The last epochs whose mean accuracy is the objective."""
    epochs: int = 15
    """Of each training; `default_epochs` of a new study."""
    find: str = ACCURACY
    """Whether the budget stays and accuracy is raised, or each network that clears the target makes the budget its own
    size (`smallest`)."""
    margin: float = 0.0006
    """By how much a single training must clear the target to be preferred as the answer, and to lower the budget of a
    search for the smallest: a fraction of 1."""
    sampler: str = "tpe"
    pruner: str = "median"
    seed: int = 0
    deterministic: bool = False
    """Whether the same trials come in the same order, however fast the workers are."""
    window: int = 8
    """Candidates that may be under way at once, in a deterministic study."""
    space: dict[str, str] = field(default_factory=dict)
    """The text of every range (`search/space/ranges.py`)."""

    def __post_init__(self) -> None:
        _require(self.split in SPLITS, f"unknown split {self.split!r}: use {' or '.join(SPLITS)}")
        _require(self.find in FINDS, f"unknown --find {self.find!r}: use {' or '.join(FINDS)}")
        _require(0 <= self.margin < 1, f"--margin {self.margin:g}: give a fraction of 1, such as 0.0006")
        _require(self.sampler in SAMPLERS, f"unknown sampler {self.sampler!r}: use {' or '.join(SAMPLERS)}")
        _require(self.pruner in PRUNERS, f"unknown pruner {self.pruner!r}: use {' or '.join(PRUNERS)}")
        _require(
            0 < self.target <= 1, f"--target {self.target:g} is not an accuracy: give a fraction of 1, such as 0.994"
        )
        _require(self.sustain <= MAX_EPOCHS, f"--sustain {self.sustain}: a training has 1 to {MAX_EPOCHS:,} epochs")
        _require(1 <= self.epochs <= MAX_EPOCHS, f"--epochs {self.epochs}: a training has 1 to {MAX_EPOCHS:,} epochs")
        _require(self.sustain >= 1, f"--sustain {self.sustain}: at least 1 epoch decides")
        _require(
            self.sustain <= self.epochs,
            f"--sustain {self.sustain} is more than --epochs {self.epochs}: a training must have them all",
        )
        _require(self.max_params >= 1, f"--max-params {self.max_params}: the budget is at least 1 parameter")
        _require(self.max_params <= LARGEST, f"--max-params {self.max_params}: the budget is at most {LARGEST:,}")
        _require(self.window >= 1, f"--window {self.window}: at least 1 candidate is under way")
        _require(self.window <= LARGEST, f"--window {self.window}: at most {LARGEST:,} candidates are under way")
        _require(0 <= self.seed < 2**31, f"--seed {self.seed}: a seed is a whole number from 0 to {2**31 - 1:,}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StudySettings":
        """Settings as a study keeps them. Raises MnistSearchError for what no program of ours has written."""
        _require(MAPPING.holds(data), f"its settings are damaged: they are {shown(data)}")
        unknown = [key for key in data if key not in _KINDS]
        _require(not unknown, f"a newer mnist-search made this study, it has a setting {unknown[:1]}: update")
        fault = next(misfits(data, _KINDS, ("dataset",)), None)
        _require(fault is None, f"its settings are damaged: {fault}")
        return cls(**data)


_TEXTS = Kind("a mapping of texts", lambda value: MAPPING.holds(value) and all(map(TEXT.holds, value.values())))
_KINDS: dict[str, Kind] = {
    f.name: {str: TEXT, int: WHOLE, float: NUMBER, bool: FLAG}.get(cast(type, f.type), _TEXTS)
    for f in fields(StudySettings)
}


def default_epochs(dataset: str) -> int:
    """How long a new study trains its candidates: 8 epochs, but 15 on the digits, whose epochs are forty times shorter.

    6 epochs rank random candidates nearly as 15 do (`benchmarks/results/fidelity.md`); 8 come closer to what a target
    for 15 epochs asks.
    """
    return 15 if dataset == DIGITS else 8


def default_target(dataset: str) -> float:
    """The target of a new study: 99.4 %, but 98 % on the digits, whose 300 test images cannot prove more."""
    return 0.98 if dataset == DIGITS else 0.994


def with_lengths(given: Mapping[str, Any], epochs: int, sustain: int = DEFAULT_SUSTAIN) -> dict[str, Any]:
    """The given values and, where one of the two is missing, `epochs` and `sustain`, which follow what is given.

    A training has at least the epochs that decide, and no more decide than it has: nobody is refused for a number that
    they did not ask for.
    """
    n_epochs = given.get("epochs", max(epochs, given.get("sustain", 1)))
    return {"epochs": n_epochs, "sustain": min(sustain, n_epochs), **given}


def require_unchanged(name: str, stored: StudySettings, given: Mapping[str, Any]) -> None:
    """Raises MnistSearchError if a value given now (None is not given) is not the study's own."""
    for f in fields(StudySettings):
        value = given.get(f.name)
        own = getattr(stored, f.name)
        if value is not None and value != own:
            option = "--" + f.name.replace("_", "-")
            raise MnistSearchError(
                f"study {name!r} was begun with {option} {own}, not {value}: leave {option} out to go on with it, "
                "or begin another with --study NAME"
            )


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise MnistSearchError(text)
