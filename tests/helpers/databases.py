"""Databases for tests, and what is put into them."""

import time
from pathlib import Path
from typing import Any

import optuna

from storage.store import Store

FIELDS = ("epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds")


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def new_study(store: Store, name: str = "study") -> optuna.Study:
    return optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")


def new_trial(store: Store) -> int:
    """The number in the database of a new trial of a new study."""
    return new_study(store, f"study {time.monotonic_ns()}").ask()._trial_id


def record(epoch: int, **changes: float) -> dict[str, Any]:
    """An epoch with values of its own, none of which is a short decimal."""
    values = {name: (epoch + i) / 7 for i, name in enumerate(FIELDS)}
    return {**values, **changes, "epoch": epoch}
