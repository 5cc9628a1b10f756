"""A server that is killed in the middle of work, and comes back: nothing is lost, and nothing is written twice."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import text

from storage.epochs import epochs_of
from storage.errors import StorageFailedError
from storage.patience import Patience
from storage.sessions import StudySession, is_open
from storage.store import Store
from tests.helpers.databases import a_batch, new_study, record
from tests.helpers.servers import Server
from tests.helpers.shared_servers import KINDS, own_server


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with own_server(request.param) as running:
        yield running


def test_a_killed_server_is_waited_for_and_a_batch_in_doubt_is_written_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0)
    store = Store(server.new_database(with_tables=False))
    study = new_study(store)
    trials = [study.ask()._trial_id for _ in range(2)]
    session = StudySession(store.engine, study._study_id)
    do_commit, batch, said = store.engine.dialect.do_commit, a_batch(trials), list[str]()

    def die_after_the_commit(connection: Any) -> None:
        monkeypatch.setattr(store.engine.dialect, "do_commit", do_commit)
        do_commit(connection)
        server.kill9()
        while True:  # until the connection is found lost, as hearing of the commit would have: a signal takes its time
            connection.cursor().execute("SELECT 1")
            time.sleep(0.01)

    monkeypatch.setattr(store.engine.dialect, "do_commit", die_after_the_commit)
    with pytest.raises(StorageFailedError) as lost:
        session.write(batch)
    told, where = str(lost.value), f"({store.url.render_as_string()}: "
    assert told.startswith(f"the database does not answer {where}"), told
    assert told.endswith("): see that its server runs and can be reached; the same command goes on")
    assert lost.value.passes
    with pytest.raises(StorageFailedError) as refused:  # nobody listens any more
        study.ask()
    assert str(refused.value).startswith(f"the database does not answer {where}")
    session.end()  # which is left to be seen

    back = threading.Timer(0.5, server.start_again)
    back.start()
    Patience(said.append).call(lambda: session.write(batch))
    back.join()
    assert said[0] == "the database does not answer: waiting for up to 10 min"
    assert said[1].startswith("the database works again, after ")
    assert [epochs_of(store.engine, trial) for trial in trials] == [[record(1)]] * 2
    assert store.optuna.get_trial(trials[1]).state is TrialState.COMPLETE
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT n_writes, open FROM run_sessions")).all() == [(1, 1)]
    assert not is_open(store.engine, study._study_id), "this process has given it up"
    StudySession(store.engine, study._study_id).end()
    store.close()
