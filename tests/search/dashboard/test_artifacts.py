"""Files that somebody stored with a study: shown or saved, never run, and none but those."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.dashboard.artifacts import contain
from search.dashboard.wsgi import Answer
from tests.helpers.dashboards import request, serving

POLICY = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; media-src 'self'"
SHOWN = {
    "notes.txt": "text/plain",
    "numbers.csv": "text/csv",
    "facts.json": "application/json",
    "records.jsonl": "application/jsonl",
    "picture.png": "image/png",
}


@pytest.fixture(scope="module")
def url(folder: Path, files: dict[str, str]) -> Iterator[str]:
    with serving(folder) as dashboard:
        yield dashboard.url


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *SHOWN.items(),
        ("page.html", "application/octet-stream"),
        ("drawing.svg", "image/svg+xml"),
        ("unknown.bin", "application/octet-stream"),
        ("tree.xml", "application/octet-stream"),
    ],
)
def test_no_file_runs_anything(url: str, files: dict[str, str], folder: Path, name: str, kind: str) -> None:
    for method in ("GET", "HEAD"):
        reply = request(url, method, files[name])
        assert reply.status == 200
        assert reply.headers["content-type"] == kind
        assert reply.headers["content-security-policy"] == POLICY
        assert reply.headers.get("content-disposition") == (None if name in SHOWN else "attachment")
        assert reply.body == ((folder / name).read_bytes() if method == "GET" else b"")


@pytest.mark.parametrize(
    "kind",
    ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "image/svg+xml; a=b", "image/x+xml", "text/xml",
     "image/png, text/html", "text/plain; a=b, text/html", "image/", "image", "", "text/javascript", "application/pdf",
     "video/x+xml"],
)  # fmt: skip
def test_types_that_are_saved(kind: str) -> None:
    answer = Answer("200 OK", [("content-type", kind), ("Content-Security-Policy", "script-src *")], [])
    contain(answer)
    expected = "image/svg+xml" if "svg" in kind else "application/octet-stream"
    assert sorted(answer.headers) == [
        ("Content-Disposition", "attachment"),
        ("Content-Security-Policy", POLICY),
        ("Content-Type", expected),
    ]


@pytest.mark.parametrize("kind", ["image/png", "Image/JPEG", "audio/ogg", "video/mp4", "text/plain; charset=utf-8"])
def test_types_that_are_shown(kind: str) -> None:
    answer = Answer("200 OK", [("Content-Type", kind)], [])
    contain(answer)
    assert (answer.header("Content-Type"), answer.header("Content-Disposition")) == (kind, None)


def test_a_file_that_is_gone_is_a_404_in_a_line(
    url: str, files: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    gone = files["gone.txt"]
    for path in (gone, gone.replace("/1/", "/77/"), gone.replace("/1/", "/1/7777/"), "/artifacts/1/abc"):
        reply = request(url, "GET", path)
        assert (reply.status, reply.text) == (404, "there is no such file\n"), path
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "path",
    ["/artifacts/1/../mnist-search.db", "/artifacts/1/..%2fmnist-search.db", "/artifacts/1/%2e%2e/mnist-search.db",
     "/artifacts/1/..%5cmnist-search.db", "/artifacts/1/..\\mnist-search.db", "/artifacts/../mnist-search.db",
     "/artifacts/1/%252e%252e%252fmnist-search.db", "/artifacts/1/", "/artifacts/", "/artifacts/1/%00",
     "/artifacts/../api/x", "/artifacts/1/....//mnist-search.db", "/artifacts/1//etc/passwd",
     "/artifacts/1/%2fetc%2fpasswd", "/static/../mnist-search.db", "/static/..%2f..%2f_app.py",
     "/static/%2fetc/passwd"],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(url: str, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        reply = request(url, method, path)
        assert reply.status in (403, 404, 405)
        assert b"SQLite" not in reply.body
        assert b"root:" not in reply.body
    assert capfd.readouterr().err == ""


def test_bytes_that_the_dashboard_would_skip_lead_around_nothing(url: str, files: dict[str, str]) -> None:
    for path in (f"/%ff{files['page.html'][1:]}", files["page.html"].replace("/1/", "/%c0%af1/")):
        reply = request(url, "GET", path)
        assert (reply.status, reply.text) == (400, "this address is not UTF-8\n")


def test_a_fault_is_a_line_and_no_traceback(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    reply = request(url, "GET", f"/artifacts/{10**30}/abc%1b[31m")
    assert reply.status == 404  # no route
    reply = request(url, "GET", f"/artifacts/{10**30}/abc")
    err = capfd.readouterr().err
    assert reply.status in (404, 500)
    assert b"Traceback" not in reply.body
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 1
