"""Notes each epoch that a process trains, and makes a training raise where that is asked for.

Python imports a module of this name when it starts, worker processes included: nothing of the code under test is
changed for it. RELIABILITY_NOTES names the file that a line is added to for each epoch that ends. Trainings raise in
their second epoch while the file is there that RELIABILITY_RAISE names; the first process that finds it takes it away,
if its content is "once".
"""

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = "trainer.training.train"
_RAISES_IN_EPOCH = 2


class _Finder(MetaPathFinder):
    """Finds the module as Python does, and changes its class once it has been run."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                _change(module.Training)

            spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


def _change(training: Any) -> None:
    begin, end_epoch = training.__init__, training.end_epoch

    def begin_knowing(self: Any, candidate: Any, *arguments: Any, **options: Any) -> None:
        self._candidate_id = candidate.id
        begin(self, candidate, *arguments, **options)

    def end_epoch_noted(self: Any) -> Any:
        record = end_epoch(self)
        if record.epoch == _RAISES_IN_EPOCH:
            _raise_if_asked()
        _note(self._candidate_id, record.epoch)
        return record

    training.__init__, training.end_epoch = begin_knowing, end_epoch_noted


def _note(candidate_id: str, epoch: int) -> None:
    if path := os.environ.get("RELIABILITY_NOTES"):
        line = json.dumps({"candidate": candidate_id, "epoch": epoch, "pid": os.getpid()}) + "\n"
        with open(path, "ab", buffering=0) as file:  # one write: several processes add to it
            file.write(line.encode())


def _raise_if_asked() -> None:
    path = os.environ.get("RELIABILITY_RAISE", "")
    with contextlib.suppress(FileNotFoundError):
        with open(path) as file:
            is_once = file.read().strip() == "once"
        if is_once:
            os.remove(path)  # of two processes one alone succeeds
        raise RuntimeError("a fault that was asked for")


sys.meta_path.insert(0, _Finder())
