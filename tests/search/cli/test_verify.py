"""`verify` through the command line, and what other commands say of it: real workers, a few digits."""

import json
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from search.engines import opening
from search.study.naming import find_candidate
from search.study.study import open_study
from search.verification.nominees import best_nominees, nominee_of
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
    assert lines[-1].startswith(("verified at 20.00%: the mean is ", "not verified at 20.00%: the mean is "))
    assert "5/5 mine, seed" in err
    request.getfixturevalue("inline_engine")
    code, out, err = call([*VERIFY, "--seeds", "6", "--json"], capsys)
    facts = json.loads(out)
    assert (code, facts["n_seeds"], len(facts["runs"])) == (0, 6, 6)
    assert "5 of 6 trainings were done before" in err
    assert facts["n_held"] == sum(run["held"] for run in facts["runs"])
    mean = sum(run["sustained_accuracy"] for run in facts["runs"]) / 6
    assert facts["sustained_accuracy"] == pytest.approx(mean)
    assert facts["verified"] == (facts["sustained_accuracy"] >= 0.2)

    code, out, _ = call(["compare", "mine.yaml", "a-step5", "--json"], capsys)
    mine = next(row for row in json.loads(out) if row["name"] == "mine")
    assert (mine["runs"], mine["on"]) == (6, "digits test")
    assert mine["sustained_accuracy"] == pytest.approx(mean)


@pytest.mark.usefixtures("_with_a_study", "inline_engine")
def test_the_winner_of_a_study_is_raced_verified_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["verify", "--top", "3", "--epochs", "2", "--workers", "2", "--json"], capsys)
    assert code == 0, err
    facts = json.loads(out)
    assert "the test images stay closed" in err
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
        both = best_nominees(study, 2, epochs)
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
        (["mine.yaml", "--seeds", "4"], "--seeds 4: a verification takes at least 5; `train` does a single one"),
        (["mine.yaml", "--top", "2"], "--top 2 races the best of a study: leave mine.yaml out, or --top"),
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
