"""Told: what was said of the ended trials of a study, as JSON that can be said again."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

_ENDED = ("Complete", "Pruned", "Fail")
"""States, in the words of optuna-dashboard."""


class Told:
    """The trials from the first on that have ended, without a gap."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """To be held by whoever asks or tells."""
        self._texts: list[bytes] = []
        self._state: object = None
        self.frame: dict[str, Any] | None = None
        """What was said last of the study itself, without our notes and without trials."""

    def __len__(self) -> int:
        return len(self._texts)

    def keep_to(self, state: object) -> None:
        """Forgets everything if what it depends on is not what it was."""
        if state != self._state:
            self._texts, self._state, self.frame = [], state, None

    def take(self, trials: Sequence[dict[str, Any]], stored: Sequence[FrozenTrial]) -> list[bytes]:
        """Trials, as optuna-dashboard tells of them, as JSON each; keeps what will not change any more.

        `stored` are the study's trials. What optuna-dashboard tells is some seconds old, and may be of a study that
        was deleted since and begun anew.
        """
        texts = [json.dumps(trial).encode() for trial in trials]
        for trial, text in zip(trials, texts, strict=True):
            if trial["number"] != len(self._texts) or trial["state"] not in _ENDED or not _is_of(trial, stored):
                break
            self._texts.append(text)
        return texts

    def texts(self, first: int, end: int) -> list[bytes]:
        """What was said of the trials of these numbers, `end` not among them."""
        return self._texts[first:end]


def _is_of(told: dict[str, Any], stored: Sequence[FrozenTrial]) -> bool:
    if told["number"] >= len(stored):
        return False
    began = stored[told["number"]].datetime_start
    return bool(told.get("datetime_start") == (began and began.isoformat()))
