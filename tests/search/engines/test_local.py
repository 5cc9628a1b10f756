"""The engine of this machine: real worker processes, and what becomes of those that die."""

import json
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
import torch

from search.engines.local import LocalEngine, _Slot
from search.engines.opening import ENGINES
from search.engines.protocol import EngineError
from tests.helpers.cli import QUICK, call
from tests.helpers.inline import small_digits
from tests.helpers.running import left_alive, outcomes, sql
from trainer.workers.messages import Job
from trainer.workers.worker import WorkerSettings


class Killing(LocalEngine):
    """Kills the worker that it gave its second job to."""

    n_jobs = 0

    def submit(self, job: Job) -> None:
        super().submit(job)
        self.n_jobs += 1
        if self.n_jobs == 2:
            [slot] = self._slots
            assert slot.process.pid is not None
            os.kill(slot.process.pid, signal.SIGKILL)


def test_a_worker_that_is_killed_fails_its_trial_and_is_replaced(
    own_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "local", Killing)
    code, _, err = call(["run", "--trials", "3", "--workers", "1", *QUICK], capsys)
    assert code == 0, err
    counted = outcomes(own_folder)
    assert counted["failed"] == 1
    assert counted["trained"] + counted.get("pruned", 0) == 2
    [(reason,)] = sql(
        own_folder,
        "SELECT r.value_json FROM trial_user_attributes r JOIN trial_user_attributes o USING (trial_id) "
        "WHERE r.key = 'reason' AND o.key = 'outcome' AND o.value_json = '\"failed\"'",
    )
    assert json.loads(reason) == "its worker ended with exit code -9"


class Stillborn(LocalEngine):
    """Its workers end with exit code 3 and have said nothing."""

    def _start(self, settings: WorkerSettings) -> _Slot:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=os._exit, args=(3,))
        process.start()
        theirs.close()
        return _Slot(settings, process, ours)


def test_workers_that_end_before_they_begin_are_not_replaced_for_ever() -> None:
    with closing(Stillborn(small_digits(), ["cpu"], torch.float32)) as engine:
        for _ in range(2):
            assert engine.poll(60) == []
        with pytest.raises(
            EngineError, match=r"^workers end before they begin; the last one: its worker ended with exit code 3$"
        ):
            engine.poll(60)


def test_closing_ends_the_workers_whatever_they_do() -> None:
    engine = LocalEngine(small_digits(), ["cpu"], torch.float32)
    pids = [slot.process.pid for slot in engine._slots if slot.process.pid is not None]
    assert engine.n_slots == len(pids) == 1
    engine.close()
    assert left_alive(pids) == []
