"""The C compiler of this machine, and whether it works."""

import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

_COMPILERS = ("cc", "gcc", "clang")
_SECONDS = 30
_PROBE = """
#include <stdint.h>
#include <stdio.h>

static float twice(const float *restrict x) { return 2.0f * x[0]; }

int main(void)
{
    const float x[1] = {[0] = 1.5f};
    for (int32_t i = 0; i < 1; i++)
        printf("%.1f\\n", (double)twice(x));
    return 0;
}
"""
"""C99 with what our files use: a C++ compiler refuses `restrict`, one without its headers the first line."""
_PROBE_PRINTS = "3.0\n"


def find_compiler() -> list[str] | None:
    """Return the command of the C compiler: `$CC`, or the first there is of cc, gcc and clang. It may not work."""
    commands = [_words(os.environ.get("CC", ""))] + [[name] for name in _COMPILERS]
    return next((command for command in commands if command and shutil.which(command[0])), None)


def compiler_fault() -> str | None:
    """Return why no C program can be compiled and run here, and what to do; None if one can. Tried once a process."""
    compiler = find_compiler()
    if compiler is None:
        return "there is no C compiler here: install gcc or clang, or name one in CC"
    return _fault_of(tuple(compiler), os.environ.get("PATH"))


def first_error(output: str) -> str:
    """Return the line of a compiler's output that says what is wrong, else the last one."""
    lines = output.splitlines() or ["it fails, and prints nothing"]
    return next((line for line in lines if re.search("error: (?!ld )|cannot find", line)), lines[-1])


@functools.cache
def _fault_of(compiler: tuple[str, ...], _path: str | None) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "probe.c", Path(folder) / "probe"
        source.write_text(_PROBE, encoding="ascii")
        reason = _reason([*compiler, "-std=c99", "-O3", str(source), "-o", str(program)], program)
    if reason is None:
        return None
    shown = reason.replace(f"{folder}/", "")
    return f"the C compiler `{shlex.join(compiler)}` does not work here ({shown}): name another in CC"


def _reason(command: list[str], program: Path) -> str | None:
    """Why a compiler cannot be used: it compiles and runs a small program."""
    try:
        compiled = _run(command)
        if compiled.returncode:
            return first_error(compiled.stderr)
        if not program.is_file():
            return "it writes no program"
        ran = _run([str(program)])
    except OSError as error:
        return f"{'its programs' if program.exists() else 'it'} cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"it does not end within {_SECONDS} s"
    return None if ran.stdout == _PROBE_PRINTS else "its programs do not run here"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quote that is not closed
        return [command]
