"""Who may ask a dashboard, and for what: each claim over real HTTP, with the study looked at afterwards."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from models.errors import MnistSearchError
from search.dashboard.access import Access, chosen_token
from tests.helpers.dashboards import Reply, request, serving

TOKEN = "über & geheim="
NOTE = json.dumps({"body": "hello", "version": 1})
CHANGES = [
    ("DELETE", "/api/studies/1", "{}"),
    ("POST", "/api/studies/1/rename", '{"study_name": "other"}'),
    ("PUT", "/api/studies/1/note", NOTE),
    ("PUT", "/api/studies/1/1/note", NOTE),
    ("POST", "/api/trials/1/tell", '{"state": "Fail"}'),
    ("POST", "/api/trials/1/user-attrs", '{"user_attrs": {"a": 1}}'),
    ("POST", "/api/studies", '{"study_name": "new", "directions": ["minimize"]}'),
    ("POST", "/api/artifacts/1", '{"file": "data:text/plain;base64,YQ==", "filename": "a.txt"}'),
    ("POST", "/api/artifacts/1/1", '{"file": "data:text/plain;base64,YQ==", "filename": "a.txt"}'),
]
METHODS = ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"]
PATHS = ["/", "/dashboard", "/api/studies", "/api/studies/1", "/api/studies/1/note", "/static/bundle.js", "/nowhere"]


@pytest.fixture(scope="module")
def url(folder: Path, files: dict[str, str]) -> Iterator[str]:
    with serving(folder, access=Access(allowed_hosts=("Box.Example",))) as dashboard:
        yield dashboard.url


@pytest.fixture(scope="module")
def read_only(folder: Path, files: dict[str, str]) -> Iterator[str]:
    with serving(folder, access=Access(read_only=True)) as dashboard:
        yield dashboard.url


@pytest.fixture(scope="module")
def locked(folder: Path, files: dict[str, str]) -> Iterator[str]:
    with serving(folder, access=Access(token=TOKEN)) as dashboard:
        yield dashboard.url


@pytest.fixture
def unchanged(folder: Path, url: str) -> Iterator[None]:
    before = everything(folder, url)
    assert before
    yield
    assert everything(folder, url) == before


def everything(folder: Path, url: str) -> tuple[bytes, bytes, list[str]]:
    """What a dashboard knows of its studies, and the stored files."""
    kept = sorted(path.name for path in (folder / "mnist-search-artifacts").iterdir())
    studies, study = (request(url, "GET", path).body for path in ("/api/studies", "/api/studies/1"))
    return studies, study, kept


@pytest.mark.usefixtures("unchanged")
def test_read_only_refuses_every_change_and_shows_everything(read_only: str, files: dict[str, str]) -> None:
    a_file = files["notes.txt"].replace("/artifacts", "/api/artifacts")
    tried = [*CHANGES, ("DELETE", a_file, None), *((method, path, None) for method in METHODS for path in PATHS)]
    for method, path, body in tried:
        reply = request(read_only, method, path, body)
        assert reply.status == 403, (method, path)
        if path.startswith("/api"):
            assert json.loads(reply.body) == {"reason": "this dashboard is read-only"}
            assert reply.headers["content-type"] == "application/json"
        else:
            assert reply.text == "this dashboard is read-only\n"
    for path in ("/dashboard", "/api/studies", "/api/studies/1", "/api/meta", files["notes.txt"]):
        assert request(read_only, "GET", path).status == 200
    request_line = b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert raw(read_only, request_line).split()[1] in (b"400", b"403")


def raw(url: str, sent: bytes) -> bytes:
    """What is answered to these very bytes."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_head_is_the_head_alone(url: str, read_only: str, locked: str, files: dict[str, str]) -> None:
    for path in ("/dashboard", "/api/studies/1", files["notes.txt"], "/", "/nowhere"):
        whole, head = request(read_only, "GET", path), request(read_only, "HEAD", path)
        assert (head.status, head.body) == (whole.status, b"")
        assert head.headers["content-length"] == str(len(whole.body))
        sent = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        for one in (url, read_only, locked):
            assert raw(one, sent).partition(b"\r\n\r\n")[2] == b""


def test_without_read_only_the_page_may_change(url: str) -> None:
    for headers in ({}, {"Origin": url.partition("/dashboard")[0], "Sec_Fetch_Site": "same-origin"}):
        note = json.loads(request(url, "GET", "/api/studies/1").body)["note"]
        body = json.dumps({"body": "hello", "version": note["version"] + 1})
        assert request(url, "PUT", "/api/studies/1/note", body, **headers).status == 200


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "{own}.evil.example"},
        {"Origin": "{own}, http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "{own}", "Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_another_site_changes_nothing(url: str, headers: dict[str, str]) -> None:
    sent = {name: value.format(own=url.partition("/dashboard")[0]) for name, value in headers.items()}
    for method, path, body in [*CHANGES, ("FOO", "/api/studies", None)]:
        reply = request(url, method, path, body, **sent)
        assert (reply.status, reply.text) == (403, "another site may not change anything here\n"), (method, path)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "", None, "a b",
     "localhost:80:80", "localhost:", "localhost@evil.example", "[::1", "[evil.example]", "::1", "127.0.0.1, evil",
     "1.2.3", "2130706433", "\xe4.example"],
)  # fmt: skip
def test_a_name_that_was_bent_to_this_machine_reads_nothing(url: str, host: str | None) -> None:
    for path in ("/", "/dashboard", "/api/studies/1", "/nowhere"):
        reply = request(url, "GET", path, Host=host)
        assert reply.status in (400, 421)
        assert b"digits" not in reply.body
    assert request(url, "DELETE", "/api/studies/1", Host=host).status in (400, 421)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:1", "localhost.", "127.0.0.1:9999", "192.168.7.7", "[::1]:80", "[2001:db8::1]", "0.0.0.0",
     "box.example", "BOX.example:22"],
)  # fmt: skip
def test_numbers_and_its_own_names_are_let_in(url: str, host: str) -> None:
    assert request(url, "GET", "/api/studies", Host=host).status == 200


def test_beyond_this_machine_it_knows_the_machines_own_names(folder: Path) -> None:
    own = socket.gethostname()
    with serving(folder, access=Access(host="0.0.0.0", read_only=True)) as dashboard:
        assert request(dashboard.url, "GET", "/api/studies", Host=f"{own}:8080").status == 200
        assert request(dashboard.url, "GET", "/api/studies", Host="evil.example").status == 421
        assert request(dashboard.url, "DELETE", "/api/studies/1", "{}").status == 403


def test_this_machines_name_is_none_while_only_it_can_ask(url: str) -> None:
    if "localhost" not in (own := socket.gethostname()):
        assert request(url, "GET", "/api/studies", Host=own).status == 421


def is_locked_out(reply: Reply) -> bool:
    assert reply.text.startswith("this dashboard needs its token: ") or not reply.body
    assert reply.text.count("\n") <= 1
    return reply.status == 401 and reply.headers["www-authenticate"] == "Bearer" and "set-cookie" not in reply.headers


@pytest.mark.usefixtures("unchanged")
def test_without_the_token_nothing_is_seen_or_done(locked: str, files: dict[str, str]) -> None:
    for path in [*PATHS, "/api/meta", "/csv/1", "/favicon.ico", *files.values()]:
        for method in ["GET", "HEAD", *METHODS]:
            assert is_locked_out(request(locked, method, path)), (method, path)
    for method, path, body in CHANGES:
        assert is_locked_out(request(locked, method, path, body))
        assert is_locked_out(request(locked, method, f"{path}?{urlsplit(locked).query}", body))  # of a GET alone


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong-token"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": "mnist_search_{port}=wrong"},
        {"Cookie": "mnist_search_{port}="},
        {"Cookie": "mnist_search_1={worth}"},
        {"Cookie": "other={worth}"},
        {"Cookie": "mnist_search_{port}=\xff; ;=;;"},
    ],
    ids=str,
)
def test_what_is_no_token(locked: str, headers: dict[str, str]) -> None:
    worth = let_in(locked).partition("=")[2]
    sent = {name: value.format(port=urlsplit(locked).port, worth=worth) for name, value in headers.items()}
    assert is_locked_out(request(locked, "GET", "/api/studies", **sent))


@pytest.mark.parametrize("query", ["token=", "token=wrong", "token", "token=%ff", "x=1&token=wrong"])
def test_what_is_no_token_in_an_address(locked: str, query: str) -> None:
    assert is_locked_out(request(locked, "GET", f"/api/studies?{query}"))
    assert is_locked_out(request(locked, "GET", f"/api/studies?{query}", Cookie=let_in(locked)))


def let_in(locked: str) -> str:
    """The cookie for somebody who opens the address that was printed."""
    reply = request(locked, "GET", f"/dashboard?{urlsplit(locked).query}")
    return reply.headers["set-cookie"].partition(";")[0]


def test_the_token_in_the_address_becomes_a_cookie(locked: str) -> None:
    place = urlsplit(locked)
    assert place.path == "/dashboard/studies/1"
    reply = request(locked, "GET", f"{place.path}?a=1&{place.query}&b=%20x")
    assert (reply.status, reply.headers["location"], reply.body) == (303, f"{place.path}?a=1&b=+x", b"")
    cookie, *rest = reply.headers["set-cookie"].split("; ")
    assert sorted(rest) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    name, _, worth = cookie.partition("=")
    assert name == f"mnist_search_{place.port}"
    assert len(worth) == 64
    assert int(worth, 16)  # nothing in it that a browser would quote
    assert request(locked, "GET", "/api/studies", Cookie=f"a=b; {cookie}; c=d").status == 200
    assert request(locked, "GET", f"/?{place.query}").headers["location"] == "/"


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/%2fevil.example", "/%5cevil.example", "/%0d%0aX:1", "/\\evil.example"]
)
def test_the_way_on_never_leads_elsewhere(locked: str, path: str) -> None:
    reply = request(locked, "GET", f"{path}?{urlsplit(locked).query}")
    if reply.status == 303:
        assert reply.headers["location"].startswith("/")
        assert not reply.headers["location"].startswith(("//", "/\\"))
        assert "x" not in reply.headers
    else:
        assert reply.status in (400, 401)


def test_the_token_as_a_header(locked: str) -> None:
    text = TOKEN.encode().decode("latin-1")
    for value in (f"Bearer {text}", f"bearer  {text}"):
        assert request(locked, "GET", "/api/studies", Authorization=value).status == 200


def test_every_answer_says_how_it_is_to_be_taken(url: str, locked: str, files: dict[str, str]) -> None:
    replies = [request(url, "GET", path) for path in [*PATHS, *files.values()]]
    replies += [request(locked, "GET", "/"), request(url, "GET", "/", Host="evil"), request(url, "PUT", "/nowhere")]
    for reply in replies:
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in reply.headers
        assert "server" not in reply.headers


def test_a_token_is_none_that_could_be_guessed() -> None:
    for text in ("", "short", "        ", "1234567"):
        with pytest.raises(MnistSearchError, match="at least 8 characters"):
            Access(token=chosen_token(text))
    one, other = chosen_token("auto"), chosen_token("auto")
    assert one is not None
    assert len(one) >= 20
    assert one != other
    assert Access(token=one).token == one


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "box.example", "", "localhost.evil.example"])
def test_beyond_this_machine_it_wants_a_token_or_read_only(host: str) -> None:
    with pytest.raises(MnistSearchError, match=r"serves beyond this machine: add --read-only, or --token auto"):
        Access(host=host)
    assert not Access(host=host, read_only=True).is_local
    assert not Access(host=host, token="12345678").is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine_alone(host: str) -> None:
    assert Access(host=host).is_local


@pytest.mark.parametrize("name", ["", "a b", "http://box", "box:80", "[::1]"])
def test_a_further_name_is_a_name(name: str) -> None:
    with pytest.raises(MnistSearchError, match=r"--allow-host .*: give a name alone"):
        Access(allowed_hosts=(name,))
