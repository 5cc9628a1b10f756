"""A whole study on a database server: searched by real workers, read by every command from another folder."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from search.shipping.attached import attach
from search.study.outcomes import Outcome
from search.study.study import is_begun, open_study
from search.study.weights import load_weights
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.cli import QUICK, call, finish, start
from tests.helpers.dashboards import request, serving
from tests.helpers.servers import Server
from tests.helpers.shared_servers import KINDS, own_server, shared_server

on_each_server = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def database(kind: str) -> Iterator[str]:
    server = shared_server(kind)
    url = server.new_database(with_tables=False)
    yield url
    server.drop(url)


@on_each_server
def test_a_study_is_searched_and_read_from_another_folder(
    database: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_folder / "search").mkdir()
    files = own_folder / "search" / "mnist-search-artifacts"
    code, out, err = finish(
        ["run", "--storage", database, "--trials", "3", "--workers", "1", *QUICK, "--json"], own_folder / "search"
    )
    assert (code, json.loads(out)["trained"]) == (0, 3), err
    assert f"files: kept in {files}, which every machine that works on this database must see; " in err

    (own_folder / "elsewhere").mkdir()
    monkeypatch.chdir(own_folder / "elsewhere")
    monkeypatch.setenv("MNIST_SEARCH_STORAGE", database)
    assert json.loads(call(["status", "--json"], capsys)[1])["trained"] == 3
    best = json.loads(call(["show", "best", "--json"], capsys)[1])
    assert len(best["curves"]) == 1
    assert call(["report", "--out", "report.html"], capsys)[0] == 0
    assert Path("report.html").stat().st_size > 50_000
    store = Store(database)
    opened = open_study(store, "digits")
    [weights, *_] = [load_weights(opened, trial) for trial in opened.trials(Outcome.TRAINED)]
    assert weights
    attach(opened, Path.cwd(), "bundle")  # as `export` does, which takes longer
    store.close()
    with serving(own_folder, storage=database) as dashboard:
        study = json.loads(request(dashboard.url, "GET", "/api/studies/1").body)
        [bundle] = [one for one in study["artifacts"] if one["filename"].endswith(".zip")]
        stored = request(dashboard.url, "GET", f"/artifacts/1/{bundle['artifact_id']}")
    assert [trial["state"] for trial in study["trials"]].count("Complete") == 3
    assert stored.body == (files / bundle["artifact_id"]).read_bytes()
    assert not Path("mnist-search-artifacts").exists()


def ended(store: Store, name: str = "digits") -> int:
    """How many trials have ended in training."""
    return open_study(store, name).n_past_gate()


@pytest.mark.slow
@on_each_server
def test_a_search_outlives_a_killed_server(kind: str, own_folder: Path) -> None:
    """Killed three times in mid-study, and back after some seconds; the search waits, and loses and repeats nothing."""
    n_trials = 40
    with own_server(kind) as server:
        database = server.new_database(with_tables=False)
        Store(database).close()
        search = start(["run", "--storage", database, "--trials", str(n_trials), "--workers", "2", *QUICK], own_folder)
        try:
            for n_done in (5, 12, 20):
                epochs = kill_when_done(server, database, n_done)
                time.sleep(3)
                server.start_again()
                assert search.poll() is None, search.communicate()
                store = Store(database)
                for trial_id, kept in epochs.items():
                    assert epochs_of(store.engine, trial_id) == kept
                store.close()
            _, err = search.communicate(timeout=300)
        finally:
            search.kill()
            search.wait()
        assert search.returncode == 0, err
        assert err.count("the database does not answer: waiting") >= 1
        store = Store(database)
        study = open_study(store, "digits")
        assert study.counts()["trained"] + study.counts()["pruned"] + study.counts()["diverged"] == n_trials
        assert study.running() == study.interrupted() == []
        assert study.trials(Outcome.FAILED) == []
        with store.engine.connect() as connection:
            numbers = connection.scalars(text("SELECT number FROM trials ORDER BY number")).all()
        assert numbers == list(range(len(numbers)))
        store.close()


def kill_when_done(server: Server, database: str, n_done: int) -> dict[int, list[dict[str, object]]]:
    """Kills the server once so many trials have ended; returns their epochs, which must be there afterwards."""
    store, deadline = Store(database), time.monotonic() + 120
    while not is_begun(store, "digits") or ended(store) < n_done:  # made by Optuna, and then given its settings by us
        assert time.monotonic() < deadline
        time.sleep(0.1)
    trials = open_study(store, "digits").trials(Outcome.TRAINED)
    kept = {trial._trial_id: epochs_of(store.engine, trial._trial_id) for trial in trials}
    server.kill9()
    store.close()
    return kept
