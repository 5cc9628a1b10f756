"""A dashboard that was opened too early waits, without making anything, and begins by itself."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search.dashboard.access import Access
from search.dashboard.app import make_app
from search.dashboard.opening import Dashboard
from search.dashboard.wsgi import App
from storage.store import Store
from tests.helpers.cli import call
from tests.helpers.dashboards import request, serving
from tests.helpers.databases import new_study


def test_it_waits_for_a_study_and_then_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Store] = []

    def make_and_count(store: Store) -> App:
        made.append(store)
        return make_app(store)

    monkeypatch.setattr("search.dashboard.waiting.make_app", make_and_count)
    with serving(tmp_path) as dashboard:
        assert dashboard.awaited == (
            f"waiting for a study in sqlite:///{tmp_path}/mnist-search.db: `mnist-search run` begins one"
        )
        assert dashboard.url.endswith("/")
        for path in ("/", "/dashboard", "/api/studies"):
            reply = request(dashboard.url, "GET", path)
            assert (reply.status, reply.headers["retry-after"]) == (503, "2")
            assert '<meta http-equiv="refresh" content="2">' in reply.text
            assert "waiting for a study in sqlite:///" in reply.text
        assert request(dashboard.url, "POST", "/api/studies", "{}").status == 503
        assert list(tmp_path.iterdir()) == []

        store = Store(f"sqlite:///{tmp_path / 'mnist-search.db'}")
        assert request(dashboard.url, "GET", "/").status == 503  # a database, and no study in it yet
        new_study(store, "first")
        with ThreadPoolExecutor(8) as visitors:
            replies = list(visitors.map(lambda _: request(dashboard.url, "GET", "/"), range(16)))
        assert {(reply.status, reply.headers["location"]) for reply in replies} == {(303, "/dashboard/studies/1")}
        assert len(made) == 1
        assert dashboard.awaited is None
        assert request(dashboard.url, "GET", "/dashboard").status == 200

        new_study(store, "second")
        assert request(dashboard.url, "GET", "/").headers["location"] == "/dashboard"
        store.close()


def test_it_waits_for_the_study_that_was_named(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'mnist-search.db'}")
    new_study(store, "first")
    name = "<b>&'x'"
    with serving(tmp_path, name, Access(read_only=True, token="12345678")) as dashboard:
        assert dashboard.awaited == f"waiting for study {name!r} in sqlite:///{tmp_path}/mnist-search.db"
        assert dashboard.url.endswith("/?token=12345678")
        secret = {"Authorization": "Bearer 12345678"}
        reply = request(dashboard.url, "GET", "/", **secret)
        assert reply.status == 503
        assert "<b>" not in reply.text
        assert "&lt;b&gt;&amp;" in reply.text
        assert request(dashboard.url, "GET", "/").status == 401
        assert request(dashboard.url, "PUT", "/", **secret).status == 403
        new_study(store, name)
        reply = request(dashboard.url, "GET", "/", **secret)
        assert (reply.status, reply.headers["location"]) == (303, "/dashboard/studies/2")
    store.close()


def test_what_comes_to_be_there_is_no_database(tmp_path: Path) -> None:
    with serving(tmp_path) as dashboard:
        (tmp_path / "mnist-search.db").write_text("Dear Sir or Madam, " * 100)
        reply = request(dashboard.url, "GET", "/")
    assert reply.status == 503
    assert "is not an SQLite database" in reply.text


@pytest.mark.usefixtures("own_folder")
def test_the_command_says_what_it_waits_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = Dashboard.serve

    def serve_a_moment(dashboard: Dashboard) -> None:
        threading.Timer(0.05, dashboard.stop).start()
        serve(dashboard)

    monkeypatch.setattr(Dashboard, "serve", serve_a_moment)
    for arguments, awaited in (
        ([], "waiting for a study in sqlite:///mnist-search.db: `mnist-search run` begins one"),
        (["--study", "x"], "waiting for study 'x' in sqlite:///mnist-search.db"),
    ):
        code, out, err = call(["dashboard", *arguments], capsys)
        assert (code, out) == (0, "")
        *_, url, said = err.splitlines()
        assert url.endswith("/  (Ctrl-C ends it)")
        assert said == awaited
    assert not Path("mnist-search.db").exists()


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("nonsense", "'nonsense' is not a storage URL: "),
        ("sqlite:////no/such/x.db", "the folder /no/such does not exist: make it, or name another with --storage"),
        ("sqlite:///letter.db", "letter.db is not an SQLite database: name another with --storage"),
    ],
)
def test_what_can_never_be_is_said_at_once(url: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("letter.db").write_text("Dear Sir or Madam, " * 100)
    code, out, err = call(["dashboard", "--storage", url], capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"mnist-search: {text}")
    assert err.count("\n") == 1
