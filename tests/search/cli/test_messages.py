"""How much is printed on stderr, and what `--version` prints."""

from importlib.metadata import version
from pathlib import Path

import pytest

from mnist_search.arguments import seconds as seconds_of
from search.measures.words import seconds_text
from tests.helpers.cli import QUICK, call
from trainer.hardware.machine import usable_cores

RUN = ["run", "--trials", "2", "--workers", "2", *QUICK]


@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_a_run_says_at_once_that_it_starts_its_workers(capsys: pytest.CaptureFixture[str]) -> None:
    lines = call(RUN, capsys)[2].splitlines()
    assert [line.partition(" ")[0] for line in lines[:4]] == ["data:", "precision:", "starting", "study"]
    assert lines[2] == "starting 2 workers…"
    assert not any(line.startswith(("warning", "python", "database")) or " epoch 1/1: " in line for line in lines)


@pytest.mark.parametrize("line", [["-q", *RUN], [*RUN, "-q"], ["--quiet", *RUN]], ids=" ".join)
@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_quiet_leaves_only_the_result(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(line, capsys)
    assert (code, err) == (0, "")
    assert out.startswith("study      digits")


@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_quiet_leaves_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call([*RUN, "-q", "--set", "lr=5:50"], capsys)
    assert (code, err) == (0, "warning: lr=5.0:50.0 is far from the default 0.05:0.4:log; the search goes on with it\n")
    code, out, err = call(["-q", "show", "nothing"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("mnist-search: nothing is called 'nothing': ")


@pytest.mark.parametrize("line", [["-v", *RUN], [*RUN, "--verbose"]], ids=" ".join)
@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_verbose_adds_versions_epochs_and_the_time(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(line, capsys)
    lines = err.splitlines()
    assert code == 0
    assert lines[0].startswith("python 3.")
    assert f"optuna {version('optuna')}" in lines[0]
    assert sum(" epoch 1/1: " in one for one in lines) == 2
    assert lines[-1].startswith("the command took ")


def test_how_much_is_printed_is_asked_for_anew_by_each_command(
    with_a_study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "database: sqlite:///mnist-search.db" in call(["status", "-v"], capsys)[2].splitlines()
    assert call(["status"], capsys)[2] == ""


@pytest.mark.parametrize("command", ["export", "verify", "show"])
@pytest.mark.usefixtures("with_a_study")
def test_verbose_names_the_database_of_a_trial(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call([command, "-v", "999"], capsys)
    assert code == 2
    assert "database: sqlite:///mnist-search.db" in err.splitlines()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("lr=5", "lr=5 is far from the default 0.05:0.4:log"),
        ("lr=0.05:50", "lr=0.05:50.0 is far from the default 0.05:0.4:log"),
        ("adamw_lr=1", "adamw_lr=1 is far from the default 0.001:0.03:log"),
        ("batch_size=2,64", "batch_size=2, 64 is far from the default 64, 128"),
        ("rotation_degrees=0:170", "rotation_degrees=0.0:170.0 is far from the default 0.0:10.0"),
        ("ema_decay=0.99999", "ema_decay=0.99999 is far from the default 0.995"),
        ("lr=0.01:1:log", None),
        ("batch_size=16:512", None),
        ("rotation_degrees=0:15", None),
    ],
)
@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_a_range_far_from_any_sense_is_questioned_and_searched(
    text: str, asked: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call([*RUN, "--set", text], capsys)
    assert code == 0
    assert "2 past the gate" in out
    questions = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert questions == ([] if asked is None else [f"warning: {asked}; the search goes on with it"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("1.5", 1.5), ("1e3", 1000), ("20m", 1200), ("20min", 1200), ("1h", 3600),
        ("1h30m", 5400), ("1H 30M", 5400), ("1.5h", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061), (" 5 m ", 300),
        ("inf", float("inf")), ("0", 0),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of("--timeout", text) == seconds


@pytest.mark.parametrize("seconds", [0.5, 42, 60, 185, 3_600, 3_720, 90_000])
def test_durations_are_read_as_they_are_printed(seconds: float) -> None:
    assert seconds_of("--timeout", seconds_text(seconds)) == seconds


@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_a_timeout_in_words_ends_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call([*RUN, "--trials", "100000", "--timeout", "0.02m", "--patience", "1h"], capsys)
    assert code == 0
    assert int(out.split("trials ")[1].split()[0]) < 100_000


def test_the_version_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"], capsys) == (0, f"mnist-search {version('mnist-search')}\n", "")


@pytest.mark.parametrize("line", [["--version", "--verbose"], ["-v", "--version"]], ids=" ".join)
def test_the_verbose_version_has_what_a_bug_report_needs(
    line: list[str], own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    raw = own_folder / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    monkeypatch.setenv("MNIST_SEARCH_DATA", str(own_folder / "data"))
    code, out, err = call(line, capsys)
    assert (code, err) == (0, "")
    first, *rest = out.splitlines()
    facts = {row[:18].strip(): row[18:] for row in rest}
    assert first == f"mnist-search {version('mnist-search')}"
    assert {name: facts[name] for name in ("torch", "optuna", "numpy")} == {
        name: version(name) for name in ("torch", "optuna", "numpy")
    }
    assert facts["device"].startswith("cpu, ")
    assert facts["device"].endswith(f", cores: {usable_cores()}")
    assert facts["data folder"] == str(own_folder / "data")
    assert facts["data"] == "kmnist, digits (embedded)"
