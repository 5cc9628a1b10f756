"""What `status` prints, and what it leaves out."""

import json
import os
import signal
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.cli import COMMAND, call, start
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.searches import begin
from tests.helpers.terminals import in_terminal, read_until


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


@pytest.mark.parametrize("name", ["digits", "a study with a name of many words " * 5, "x" * 200])
def test_it_keeps_to_80_columns(name: str, own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = made_study(own_folder, 600, name, epochs=30, sustain=10, find="smallest", max_params=9_999_999)
    add_verification(study, 0, [0.995, 0.993])
    code, out, _ = call(["status", "--study", name], capsys)
    assert code == 0
    told = [line for line in out.splitlines() if not line.lstrip().startswith(("mnist-search ", "--"))]
    assert max(map(len, told)) <= 80
    assert "spared by the gate" in " ".join(out.split())
    assert f"study {name.split()[0][:50]}" in " ".join(out.split())


@pytest.fixture
def session(own_folder: Path) -> StudySession:
    """A session at work on a study."""
    study = made_study(own_folder, 1)
    session = StudySession(study.store.engine, study.study_id)
    session.drives(1, 2)
    return session


def block_of(process: subprocess.Popen[str]) -> str:
    """The next status that is printed."""
    assert process.stdout is not None
    lines = list(takewhile(lambda line: line.strip(), iter(process.stdout.readline, "")))
    return "".join(lines)


def test_watching_prints_what_changes_until_no_search_runs(
    session: StudySession, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = start(["status", "--watch"], own_folder)
    assert block_of(process).endswith("\nat work    1 worker, 2 slots\n")
    session.drives(1, 5)
    assert block_of(process).endswith("\nat work    1 worker, 5 slots\n")
    session.end()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "no search runs on this study\n")
    assert out == call(["status"], capsys)[1]
    assert "at work" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watching_ends_when_it_is_interrupted(number: int, session: StudySession, own_folder: Path) -> None:
    process = start(["status", "--watch"], own_folder)
    assert "at work " in block_of(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("interrupted; ")
    session.end()


def test_watching_on_a_terminal_draws_over_itself(session: StudySession, own_folder: Path) -> None:
    with in_terminal([*COMMAND, "status", "--watch"], own_folder) as (process, user):
        assert "\x1b" in read_until(user, "2 slots")
        session.drives(1, 5)
        assert "\x1b[1A" in read_until(user, "5 slots"), "the cursor goes up"
        session.end()
        assert read_until(user, "no search runs on this study").rpartition("\x1b")[2].count("study      digits") == 1
        assert process.wait(60) == 0
        os.close(user)
