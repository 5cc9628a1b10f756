"""What a verification that is kept must hold: anybody may have written into the database it comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.errors import MnistSearchError
from models.kinds import AMOUNT, COUNT, FLAG, NOTHING, NUMBER, SHARE, TEXT, WHOLE, Kind, list_of, mapping_of, misfits
from models.printable import one_line
from storage.verifications import Verification

_LOSS = Kind("a number", lambda value: type(value) in (int, float))
"""On images that a network was not trained on it may be infinite."""
_EPOCH = mapping_of({
    "epoch": COUNT, "train_loss": _LOSS, "train_accuracy": SHARE, "eval_loss": _LOSS, "eval_accuracy": SHARE,
    "lr": NUMBER, "seconds": AMOUNT,
})  # fmt: skip
_DIGITS = Kind("a text of digits", lambda value: TEXT.holds(value) and (value == "" or value.isdecimal()))
_RUN: Mapping[str, Kind] = {
    "dataset": TEXT,
    "split": TEXT,
    "seed": WHOLE,
    "seed_number": COUNT,
    "diverged": COUNT | NOTHING,
    "epochs": WHOLE,
    "target": SHARE,
    "sustain": COUNT,
    "sustained_accuracy": SHARE,
    "best_accuracy": SHARE,
    "train_accuracy": SHARE,
    "gap": NUMBER,
    "held": FLAG,
    "seconds": AMOUNT,
    "core_seconds": AMOUNT,
    "curves": list_of(_EPOCH),
    "precision": TEXT | NOTHING,
    "torch": TEXT | NOTHING,
    "trained_on": TEXT | NOTHING,
    "predictions": _DIGITS | NOTHING,
}
_TRAINING = {name: _RUN[name] for name in (
    *("dataset", "split", "target", "sustain", "epochs", "sustained_accuracy", "best_accuracy", "gap", "held"),
    *("seconds", "precision", "torch"),
)}  # fmt: skip
_MAY_LACK = ("precision", "torch", "trained_on", "predictions")
_SUMMARY: Mapping[str, Kind] = {"n_seeds": COUNT, "epochs": WHOLE, "target": SHARE, "sustain": COUNT}


def require_sound(record: Verification) -> Verification:
    """The record as it is. Raises MnistSearchError for a finished one that this program did not write."""
    if record.summary is not None:
        fault = next(misfits(record.summary, _SUMMARY, _SUMMARY), None)
        if fault is not None:
            raise _damaged(record.label, fault)
    return record


def require_sound_runs(label: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Raises MnistSearchError for trainings with seeds that this program did not write; `label` says of what."""
    for run in runs:
        fault = next(misfits(run, _RUN, [name for name in _RUN if name not in _MAY_LACK]), None)
        if fault is None and not run["diverged"] and not run["curves"]:
            fault = "a seed has no epochs"
        if fault is not None:
            raise _damaged(label, fault)


def require_sound_trainings(label: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Raises MnistSearchError for trainings by `train` that this program did not write; `label` says of what."""
    for run in runs:
        fault = next(misfits(run, _TRAINING, [name for name in _TRAINING if name not in _MAY_LACK]), None)
        if fault is not None:
            raise MnistSearchError(
                one_line(f"a training of {label} is damaged: {fault}; put back a copy of the database")
            )


def _damaged(label: str, fault: str) -> MnistSearchError:
    return MnistSearchError(
        one_line(f"the verification of {label} is damaged: {fault}; put back a copy of the database")
    )
