"""`verify` through the command line, and what other commands say of it: real workers, a few digits."""

import json
import re
import shlex
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search.engines import opening
from search.study.naming import find_candidate
from search.study.study import open_study
from search.verification.nominees import nominee_of, top_nominees
from storage.store import Store
from tests.helpers.cli import call, run_here, start
from tests.helpers.inline import InlineEngine
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData

pytestmark = pytest.mark.usefixtures("mine")

VERIFY = ["verify", "mine.yaml", "--dataset", "digits", "--sustain", "1", "--target", "0.2", "--workers", "2",
          "--precision", "float32"]  # fmt: skip
RUN = [
    "run", "--dataset", "digits", "--epochs", "2", "--sustain", "1", "--max-params", "1500", "--trials", "4",
    "--pruner", "none", "--target", "0.05", "--set", "stem_depth=1", "--set", "body_depth=1", "--set", "n_expansions=0",
    "--set", "batch_size=64", "--workers", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study of four trials was made."""
    folder = tmp_path_factory.mktemp("searched")
    run_here(RUN, folder)
    return folder


@pytest.fixture
def _with_a_study(searched: Path, own_folder: Path) -> None:
    shutil.copytree(searched, own_folder, dirs_exist_ok=True)


def test_a_verification_says_what_it_found_and_takes_more_seeds_later(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    code, out, err = call(VERIFY, capsys)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    lines = out.splitlines()
    assert lines[0].startswith("mine: ")
    assert lines[1] == "trained from scratch on all 1,497 training images with each seed,"
    assert lines[2] == "judged by the 300 test images after every epoch"
    assert [line.split()[0] for line in lines[5:10]] == ["1", "2", "3", "4", "5"]
    verdicts = ("verified", "on target, not proven", "below target", "refuted")
    verdict = next(
        line for line in lines if line.startswith(tuple(f"{words} at 20.00%: the mean " for words in verdicts))
    )
    assert lines.index(verdict) == lines.index("", 12) + 1
    assert "5/5 mine, seed" in err
    request.getfixturevalue("inline_engine")
    code, out, err = call([*VERIFY, "--seeds", "6", "--json"], capsys)
    facts = json.loads(out)
    assert (code, facts["n_seeds"], len(facts["runs"])) == (0, 6, 6)
    assert "5 of 6 trainings were done before" in err
    assert facts["n_held"] == sum(run["held"] for run in facts["runs"])
    mean = sum(run["sustained_accuracy"] for run in facts["runs"]) / 6
    assert facts["sustained_accuracy"] == pytest.approx(mean)
    assert facts["verified"] == (facts["mean_interval"][0] >= 0.2) == (facts["verdict"] == "verified")

    code, out, _ = call(["compare", "mine.yaml", "a-step5", "--json"], capsys)
    mine = next(row for row in json.loads(out) if row["name"] == "mine")
    assert (mine["runs"], mine["on"]) == (6, "digits test")
    assert mine["sustained_accuracy"] == pytest.approx(mean)


def test_a_worker_of_three_slots_comes_to_the_same(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    def facts_of(storage: str, *how: str) -> dict[str, Any]:
        code, out, err = call([*VERIFY, *how, "--storage", f"sqlite:///{storage}", "--json"], capsys)
        assert code == 0, err
        assert not how or re.search("^worker ready after .*, 3 slots$", err, re.MULTILINE)
        times = ("seconds", "core_seconds")
        return {run["seed"]: {k: v for k, v in run.items() if k not in times} for run in json.loads(out)["runs"]}

    of_slots = facts_of("slots.db", "--workers", "1", "--slots", "3")
    request.getfixturevalue("inline_engine")
    assert of_slots == facts_of("alone.db")
    assert len(of_slots) == 5


def test_time_in_which_the_machine_was_suspended_is_not_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 44 minutes in the middle of each epoch."""
    real, asleep = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + asleep[0])

    def sleep(*_: object) -> None:
        asleep[0] += 44 * 60

    monkeypatch.setitem(opening.ENGINES, "local", lambda data, *_: InlineEngine(data, sleep))
    code, _, err = call([*VERIFY, "--seeds", "3", "--epochs", "1"], capsys)
    assert (code, asleep[0]) == (0, 3 * 44 * 60), err
    lefts = re.findall(r", ([^,]*) left$", err, re.MULTILINE)
    assert len(lefts) == 3
    assert not [left for left in lefts if " h " in left]
    with closing(sqlite3.connect("mnist-search.db")) as connection:
        [(seconds,)] = connection.execute("SELECT seconds FROM verifications").fetchall()
    assert seconds < 600


def judged(capsys: pytest.CaptureFixture[str], seeds: int, target: float) -> list[str]:
    """The verdict of so many seeds of the spec file and what follows it, trained when first asked for."""
    words = ["--precision", "float32", "--epochs", "1"]
    code, out, err = call([*VERIFY, "--seeds", str(seeds), "--target", str(target), *words], capsys)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    return out.rpartition("\n\n")[2].splitlines()


def command_of(lines: list[str]) -> list[str]:
    """The words of the command that is printed below a verdict."""
    return shlex.split(" ".join(line.removesuffix("\\") for line in lines[2:]))


@pytest.mark.usefixtures("inline_engine")
def test_the_verdict_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    one = judged(capsys, 1, 0.2)
    assert one[0].startswith("too few seeds at 20.00%: the mean is ")
    assert one[1] == "which proves nothing; 4 more seeds are needed"
    command = "mnist-search verify mine.yaml --seeds 5 --epochs 1 --target 0.2 --sustain 1"
    assert command_of(one) == [*command.split(), "--dataset", "digits", "--precision", "float32"]
    code, out, err = call([*command_of(one)[1:], "--json"], capsys)
    facts = json.loads(out)
    assert (code, facts["n_seeds"]) == (0, 5)
    assert "1 of 5 trainings were done before" in err
    assert {run["precision"] for run in facts["runs"]} == {"float32"}
    mean, (low, high) = facts["sustained_accuracy"], facts["mean_interval"]

    refuted, verified = judged(capsys, 5, high + 0.01), judged(capsys, 5, low - 0.01)
    assert [len(refuted), len(verified)] == [2, 2]
    assert (refuted[0].partition(" at ")[0], refuted[1]) == ("refuted", "and so is its whole interval")
    assert (verified[0].partition(" at ")[0], verified[1]) == ("verified", "and no part of its interval is below")
    above, below = (
        judged(capsys, 5, (low + 3 * mean) / 4),
        judged(capsys, 5, (high + 3 * mean) / 4),
    )
    assert above[0].startswith("on target, not proven at ")
    assert below[0].startswith("below target at ")
    for lines, reason in ((above, "but its interval reaches below"), (below, "but its interval reaches it")):
        n_more = int(re.findall(r"about (\d+) more seeds would settle it", lines[1])[0])
        assert lines[1].startswith(f"{reason}; ")
        assert command_of(lines)[3:5] == ["--seeds", str(5 + n_more)]
    exactly = judged(capsys, 5, mean)
    assert exactly[1:] == ["but its interval reaches below; no number of seeds is sure to settle it"]


@pytest.mark.usefixtures("_with_a_study", "inline_engine")
def test_the_winner_of_a_study_is_raced_verified_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["verify", "best", "--top", "3", "--epochs", "2", "--workers", "2", "--json"], capsys)
    assert code == 0, err
    facts = json.loads(out)
    assert "race of the 3 most accurate on held-out training images; the test set is not used" in err
    assert [len(round_["candidates"]) for round_ in facts["race"]] == [3, 2]
    assert [round_["n_seeds"] for round_ in facts["race"]] == [2, 4]
    [winner] = [one for one in facts["race"][-1]["candidates"] if one["goes_on"]]
    assert winner["name"] == facts["name"]
    assert facts["epochs"] == 2
    assert (facts["study"], facts["n_compared"], facts["is_clean"], facts["verified"]) == ("digits", 4, True, True)

    code, out, _ = call(["status", "--json"], capsys)
    status = json.loads(out)
    [proof] = status["verifications"]
    assert (proof["name"], proof["n_seeds"], proof["verified"]) == (facts["name"], 5, True)
    assert status["seconds_to_verified"] > status["seconds"] > status["seconds_to_target"] > 0
    assert status["core_seconds_to_verified"] > status["core_seconds"] >= status["core_seconds_to_target"] > 0
    assert (status["epochs_trained"], status["epochs_saved"]) == (8, 0)
    code, out, _ = call(["status"], capsys)
    assert f"proof      {facts['name']}: " in out
    assert all(len(line) <= 80 for line in out.splitlines())
    code, out, _ = call(["compare", "best", str(facts["trial"])], capsys)
    assert code == 0


@pytest.mark.usefixtures("_with_a_study")
def test_a_trial_is_verified_for_15_epochs_however_short_its_training_was(own_folder: Path) -> None:
    study = open_study(Store(f"sqlite:///{own_folder / 'mnist-search.db'}"), "digits")
    for epochs, expected in ((None, 15), (3, 3)):
        both = top_nominees(study, 2, "best", epochs)
        assert [nominee.candidate.recipe.epochs for nominee in both] == [expected] * 2
        assert nominee_of(find_candidate("best", lambda: study), epochs).candidate == both[0].candidate
    mine = find_candidate("mine.yaml", lambda: study)
    assert nominee_of(mine, None).candidate.recipe.epochs == 2


@pytest.mark.usefixtures("_with_a_study")
def test_the_race_never_sees_a_test_image(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[TrainingData] = []

    class Watched(InlineEngine):
        def __init__(self, data: TrainingData, *_: Any) -> None:
            judged.append(data)
            super().__init__(data)

    monkeypatch.setitem(opening.ENGINES, "local", Watched)
    code, _, err = call(["verify", "--top", "2", "--epochs", "2"], capsys)
    assert code == 0, err
    test = {image.numpy().tobytes() for image in load_digits().test.pixels}
    *raced, final = [{image.numpy().tobytes() for image in data.evaluation.pixels} for data in judged]
    assert raced
    assert all(not images & test for images in raced)
    assert final == test


@pytest.mark.usefixtures("inline_engine")
def test_ctrl_c_keeps_the_seeds_that_are_done(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*VERIFY, "--epochs", "4", "--workers", "1"]
    process = start(command, own_folder)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("1/5 "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("interrupted; what was finished is kept, the same command does the rest\n")
    with sqlite3.connect(own_folder / "mnist-search.db") as database:
        n_kept = database.execute("SELECT COUNT(*) FROM verification_runs").fetchone()[0]
    database.close()
    assert 1 <= n_kept < 5
    code, out, err = call([*command, "--json"], capsys)
    assert code == 0, err
    assert f"{n_kept} of 5 trainings were done before" in err
    assert json.loads(out)["n_seeds"] == 5


@pytest.mark.usefixtures("inline_engine")
def test_a_kill_loses_no_finished_seed(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = start([*VERIFY, "--epochs", "4"], own_folder)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("1/5 "):
            break
    process.kill()
    process.communicate()
    code, out, err = call([*VERIFY, "--epochs", "4", "--json"], capsys)
    assert code == 0, err
    assert " of 5 trainings were done before" in err
    assert json.loads(out)["n_seeds"] == 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mine.yaml", "--top", "2"], "--top 2 chooses among a study's trials: leave mine.yaml or --top out"),
        (["--top", "2"], "nothing is stored at sqlite:///mnist-search.db yet: run `mnist-search run` first"),
        (["mine.yaml", "--workers", "0"], "--workers 0: use auto, or a number of at least 1"),
        (["mine.yaml", "--dataset", "digits", "--target", "99.4"], "--target 99.4 is not an accuracy"),
        (
            ["mine.yaml", "--dataset", "digits", "--epochs", "2", "--sustain", "3"],
            "--sustain 3 is more than --epochs 2",
        ),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["verify", *arguments], capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"mnist-search: {text}")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("inline_engine")
def test_more_candidates_than_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*RUN[:-2], "--trials", "1"], capsys)[0] == 0
    code, _, err = call(["verify", "--top", "5"], capsys)
    assert code == 2
    assert err.startswith("mnist-search: --top 5: study 'digits' has 1 trained candidate: ask for fewer, or go on with")
