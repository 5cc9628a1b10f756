"""What `status` prints, and what it leaves out."""

import json
from pathlib import Path

import pytest

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.cli import call
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.searches import begin


def test_a_verification_that_was_gone_on_with_is_told_once(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, [0.995, 0.993])
    code, out, _ = call(["status"], capsys)
    assert code == 0
    assert "           too few seeds at 99.00%\n           3 more seeds are needed\n" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    add_verification(study, 0, [0.995, 0.993, 0.994, 0.9935, 0.9945])
    code, out, _ = call(["status"], capsys)
    assert code == 0
    assert out.count("proof ") == 1
    assert "over 5 seeds, 5 held\n           verified at 99.00%" in out
    code, out, _ = call(["status", "--json"], capsys)
    assert [one["n_seeds"] for one in json.loads(out)["verifications"]] == [2, 5]


def test_the_workers_and_slots_of_the_dispatcher_at_work_are_told(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study(own_folder, 1)

    def told() -> tuple[str, list[object]]:
        lines = [line for line in call(["status"], capsys)[1].splitlines() if line.startswith("at work")]
        facts = json.loads(call(["status", "--json"], capsys)[1])
        return "".join(lines), [facts["workers"], facts["slots"]]

    assert told() == ("", [None, None])
    session = StudySession(study.store.engine, study.study_id)
    session.drives(2, 17)
    assert told() == ("at work    2 workers, 17 slots", [2, 17])
    session.end()
    assert told() == ("", [None, None])


def test_what_was_stopped_half_way_is_told(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(f"sqlite:///{own_folder / 'mnist-search.db'}")
    study = begin(store, epochs=3)
    session = StudySession(store.engine, study.study_id)
    engine = InlineEngine(small_digits(), after_epoch=lambda job, record: dispatcher.stop())
    dispatcher = Dispatcher(study, engine, Limits(1), session, Listener())
    dispatcher.run()
    session.end()
    [one] = json.loads(call(["status", "--json"], capsys)[1])["interrupted"]
    assert (one["trial"], one["epoch"]) == (engine.jobs[0].number, 1)
    last = call(["status"], capsys)[1].splitlines()[-1]
    assert last.startswith(f"to go on   trial {one['trial']}: {one['params']:,} parameters, epoch 1, ")
