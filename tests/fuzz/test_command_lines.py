"""The command line: whatever is given to whichever option, a command ends by a known code, in words."""

from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from search.cli.app import app
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import TEXTS
from tests.helpers.outcomes import command

SUBJECT = "command lines"
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
ENDLESS = {"dashboard", "bench", "train", "verify", "run", "export"}
"""Those that would work for long, or serve for ever, were all they are given right: they get something impossible too.

What is given last counts, and each of these is refused before any work begins.
"""
REFUSED = {
    "dashboard": [["--host", "203.0.113.1"], ["--token", "short"], ["--allow-host", "a b"], ["--port", "0"]],
    "bench": [["--rounds", "0"], ["--images", "0"], ["--device", "tpu"], ["--precision", "half"]],
    "train": [["--device", "tpu"], ["--precision", "half"], ["--dataset", "cifar"], ["--threads", "0"]],
    "verify": [["--seeds", "0"], ["--top", "0"], ["--device", "tpu"], ["--workers", "none"], ["--dataset", "cifar"]],
    "run": [["--trials", "0"], ["--device", "tpu"], ["--workers", "0"], ["--dataset", "cifar"], ["--set", "lr"]],
    "export": [["--seed", "0"], ["--seed", "9", "--dataset", "cifar"]],
}
NUMBERS = (
    "0",
    "1",
    "-1",
    "5",
    "1e9",
    "nan",
    "inf",
    "-inf",
    "0x1",
    "٣",
    "1_0",
    str(2**31),
    str(2**63),
    str(10**30),
    "9" * 5000,
)
WORDS = (
    *(
        "best",
        "smallest",
        "0",
        "99",
        "a-step5",
        "digits",
        "mnist",
        "auto",
        "cpu",
        "tpe",
        "test",
        "json",
        "--",
        "-",
        "-x",
    ),
    *("sqlite:///mnist-search.db", "sqlite:///none.db", "sqlite://", "spec.yaml", "space.yaml", ".", "..", "/dev/null"),
    *("body_width=4:8", "lr=0.1", "presets", "file:///tmp", "s3://", "127.0.0.1", "localhost"),
)


def _argv(text: str) -> bool:
    """Whether a shell can hand it over: no byte of zero, and what is not UTF-8 as Python reads it."""
    return "\0" not in text and not any(
        0xD800 <= ord(letter) < 0xDC80 or 0xDCFF < ord(letter) < 0xE000 for letter in text
    )


words = st.sampled_from([*WORDS, *NUMBERS, *filter(_argv, TEXTS), "\udcff"]) | st.text(max_size=8).filter(_argv)


def options_of(name: str) -> list[Any]:
    return [one for one in COMMANDS[name].params if one.param_type_name == "option" and one.name != "help"]


@st.composite
def lines(draw: DrawFn) -> list[str]:
    """A command with some of its options and arguments, each given anything."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    given_words: list[str] = []
    for option in draw(st.lists(st.sampled_from(options_of(name)), max_size=4)):
        given_words.append(draw(st.sampled_from(option.opts)))
        if not option.is_flag:
            given_words.append(draw(words))
    given_words += draw(st.lists(words, max_size=2))
    return [name, *given_words, *(draw(st.sampled_from(REFUSED[name])) if name in REFUSED else [])]


@pytest.fixture
def here(with_a_study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a study, in which nothing is fetched."""
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: "no network")
    return with_a_study


@pytest.mark.usefixtures("here")
@tried_on(60, 5_000, SUBJECT)
@given(lines())
def test_options_of_commands(line: list[str]) -> None:
    command(line, codes=(0, 1, 2))


@pytest.mark.usefixtures("here")
@tried_on(20, 1_500, SUBJECT)
@given(st.lists(words, max_size=4))
def test_any_words(line: list[str]) -> None:
    if not (line and line[0] in COMMANDS):
        command(line, codes=(0, 2))


def test_every_command_that_works_for_long_is_refused_here() -> None:
    assert set(REFUSED) == ENDLESS
