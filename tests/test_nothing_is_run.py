"""What the program never does: unpickle, evaluate, or serve beyond this machine, wherever in its source.

Read from the source, since a test of what it does would have to know of every place.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.dashboard.access import LOCALHOST, Access
from search.dashboard.opening import Dashboard

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for room in ("mnist_search", "models", "trainer", "search", "storage", "benchmarks")
    for path in (ROOT / room).rglob("*.py")
]
UNPICKLING = {
    "trainer/formats/pt2_reading.py": "made anew without pickles before",
    "trainer/alone/run_files.py": "of a bundle that was just made, or that `export --check` has looked into",
}
"""Where `torch.export.load` is called, and why it may be."""
BINDING = {
    "search/dashboard/server.py": "on the address that was asked for, this machine's own by default",
    "benchmarks/dashboard.py": "127.0.0.1",
}
"""Where an address is taken."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with the dotted name of what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def places(*names: str) -> dict[str, list[ast.Call]]:
    """The calls of these names, by file."""
    found: dict[str, list[ast.Call]] = {}
    for path in SOURCES:
        of_file = [call for name, call in calls(path) if name in names or name.rpartition(".")[2] in names]
        if of_file:
            found[str(path.relative_to(ROOT))] = of_file
    return found


def keywords(call: ast.Call) -> dict[str, str]:
    return {str(one.arg): ast.unparse(one.value) for one in call.keywords}


def test_torch_reads_tensors_alone() -> None:
    loads = [
        call for of_file in places("torch.load").values() for call in of_file if ast.unparse(call.func) == "torch.load"
    ]
    assert [keywords(call).get("weights_only") for call in loads] == ["True"]


def test_programs_of_torch_export_are_read_in_two_places() -> None:
    exported = {
        path for path, of_file in places("load").items() if any("export.load" in ast.unparse(c) for c in of_file)
    }
    assert exported == set(UNPICKLING)


def test_numpy_reads_no_objects() -> None:
    loads = [call for of_file in places("load").values() for call in of_file if ast.unparse(call.func) == "np.load"]
    assert loads
    assert all(keywords(call).get("allow_pickle", "False") == "False" for call in loads)


def test_yaml_is_read_by_loaders_of_ours() -> None:
    loads = {path: of for path, of in places("load").items() if any(ast.unparse(c.func) == "yaml.load" for c in of)}
    assert set(loads) == {"models/spec/parsers.py"}
    assert not places("unsafe_load", "full_load", "load_all")


def test_nothing_is_unpickled_or_evaluated() -> None:
    assert not places("loads") or all(
        ast.unparse(call.func) in ("json.loads", "self.loads")
        for of_file in places("loads").values()
        for call in of_file
    )
    assert not [
        (path, ast.unparse(call))
        for path, of_file in places("eval", "exec").items()
        for call in of_file
        if isinstance(call.func, ast.Name)
    ]


def test_imports_of_pickle_name_its_errors_alone() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {
                    "pickle",
                    "cloudpickle",
                    "dill",
                    "joblib",
                    "shelve",
                }, path
            elif isinstance(node, ast.ImportFrom) and node.module == "pickle":
                assert {alias.name for alias in node.names} == {"UnpicklingError"}, path


def test_addresses_are_taken_where_it_is_known() -> None:
    assert set(places("bind", "make_server", "HTTPServer", "ThreadingHTTPServer", "run_server")) == set(BINDING)
    assert '"0.0.0.0"' not in "".join(path.read_text() for path in SOURCES)


def test_a_dashboard_is_served_on_this_machine_alone_unless_told(own_folder: Path) -> None:
    """That of `run --dashboard` is made by the same code, with the same default."""
    assert Access().host == LOCALHOST == "127.0.0.1"
    dashboard = Dashboard("sqlite:///mnist-search.db", None, Access())
    try:
        assert dashboard._server._server.effective_host == "127.0.0.1"
        assert dashboard.url.startswith("http://127.0.0.1:")
    finally:
        dashboard._server.close()


@pytest.mark.parametrize("path", ["mnist_search/searching.py", "search/dashboard/beside.py"])
def test_the_dashboard_beside_a_search_is_given_no_other_address(path: str) -> None:
    made = [call for name, call in calls(ROOT / path) if name == "Access"]
    assert all("host" not in keywords(call) and not call.args for call in made)
    assert made or path.endswith("beside.py")
