"""Which C compiler is taken, and how one that does not work is told from one that does."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.c_programs import needs_compiler
from tests.helpers.compilers import a_compiler
from trainer.fused.compiler import compiler_fault, find_compiler, first_error


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "it fails, and prints nothing"),
        ("echo hello; exit 0", "it writes no program"),
        (
            "echo 'stdint.h: fatal error: no such file' >&2; echo 'stopped' >&2; exit 1",
            "stdint.h: fatal error: no such file",
        ),
        ("kill -SEGV $$", "it fails, and prints nothing"),
        ("printf '\\377 is no UTF-8' >&2; exit 1", "\N{REPLACEMENT CHARACTER} is no UTF-8"),
        ('for last; do :; done; echo object > "$last"', "its programs cannot be run: Permission denied"),
        (
            'for last; do :; done; echo object > "$last"; chmod +x "$last"',
            "its programs cannot be run: Exec format error",
        ),
        ('for last; do :; done; ln -s /bin/echo "$last"', "its programs do not run here"),
    ],
)
def test_a_compiler_that_does_not_work_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    path = a_compiler(tmp_path, script)
    monkeypatch.setenv("CC", f"{path} -g")
    assert find_compiler() == [str(path), "-g"]
    assert compiler_fault() == f"the C compiler `{path} -g` does not work here ({reason}): name another in CC"


@needs_compiler
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_a_cpp_compiler_is_none_for_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "g++")
    fault = compiler_fault()
    assert fault is not None
    assert fault.startswith("the C compiler `g++` does not work here (probe.c:5:")


@needs_compiler
@pytest.mark.parametrize("command", ["", "no-such-compiler", "cc -g", "env cc", 'no-such "compiler'])
def test_a_compiler_that_works_has_no_fault(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("CC", command)
    assert compiler_fault() is None


def test_without_a_compiler_one_learns_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    assert find_compiler() is None
    assert compiler_fault() == "there is no C compiler here: install gcc or clang, or name one in CC"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("a.c: In function f:\na.c:1: error: no\n1 | x", "a.c:1: error: no"),
        ("/usr/bin/ld: cannot find crti.o\ncollect2: error: ld returned 1", "/usr/bin/ld: cannot find crti.o"),
        ("a.c: Fehler\nabgebrochen", "abgebrochen"),
    ],
)
def test_the_line_that_says_what_is_wrong(output: str, line: str) -> None:
    assert first_error(output) == line
