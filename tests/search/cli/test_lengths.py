"""`--epochs` and `--sustain`: what is not given follows what is, so that nobody is refused for a default."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.candidate import Candidate
from models.spec.file import load_spec
from search.study.naming import Named
from search.study.settings import StudySettings, with_lengths
from search.study.setup import StudyRequest, prepare
from search.verification.nominees import goal_of, nominee_of, top_nominees
from tests.helpers.cli import call
from tests.helpers.made_studies import made_study
from tests.helpers.spaces import fault_of

pytestmark = pytest.mark.usefixtures("own_folder")
SPEC = "layers: [{conv: {out: 4, kernel: 5, stride: 4}}, {conv: {out: 10, kernel: 1, then: []}}, gap]\n"


@pytest.fixture
def candidate(own_folder: Path) -> Candidate:
    (own_folder / "mine.yaml").write_text(SPEC + "recipe: {epochs: 2, lr: 0.1}\n")
    return load_spec(Path("mine.yaml"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (8, 3)),
        ({"epochs": 2}, (2, 2)),
        ({"epochs": 1}, (1, 1)),
        ({"epochs": 30}, (30, 3)),
        ({"sustain": 5}, (8, 5)),
        ({"sustain": 9}, (9, 9)),
        ({"epochs": 4, "sustain": 4}, (4, 4)),
        ({"epochs": 2, "sustain": 3}, (2, 3)),  # refused where the settings are made
    ],
)
def test_what_is_not_given_follows_what_is(given: dict[str, int], expected: tuple[int, int]) -> None:
    found = with_lengths(given, epochs=8)
    assert (found["epochs"], found["sustain"]) == expected


@pytest.mark.parametrize(("given", "expected"), [({"epochs": 2}, (2, 2)), ({"sustain": 20}, (20, 20)), ({}, (15, 3))])
def test_a_new_study_and_then_the_same_without_a_word(given: dict[str, int], expected: tuple[int, int]) -> None:
    for settings in (given, {}):
        made = prepare(StudyRequest("sqlite:///s.db", None, "digits", None, settings)).study.settings
        assert (made.epochs, made.sustain) == expected


def test_a_study_keeps_its_own_lengths() -> None:
    def request(**settings: int) -> StudyRequest:
        return StudyRequest("sqlite:///s.db", None, "digits", None, settings)

    prepare(request(epochs=2))
    own = "leave {0} out to go on with it, or begin another with --study NAME"
    for name, value, kept in (("epochs", 1, 2), ("sustain", 1, 2), ("sustain", 3, 2)):
        fault = f"study 'digits' was begun with --{name} {kept}, not {value}: {own.format('--' + name)}"
        assert fault_of(lambda n=name, v=value: prepare(request(**{n: v}))) == fault  # type: ignore[misc]


def goal(named: Named, epochs: int, **given: Any) -> StudySettings:
    return goal_of(named, "digits", "test", epochs, {"target": None, "sustain": None} | given)


def test_a_training_outside_a_study(candidate: Candidate, tmp_path: Path) -> None:
    assert goal(Named("mine", candidate), 2).sustain == 2
    assert goal(Named("mine", candidate), 9).sustain == 3
    study = made_study(tmp_path, 1, sustain=4)
    of_study = Named("trial 0", candidate, study, study.trial(0))
    assert [goal(of_study, epochs).sustain for epochs in (2, 4, 15)] == [2, 4, 4]
    assert [goal(of_study, 15).target, goal(of_study, 15, target=0.5).target] == [0.99, 0.5]
    assert goal(of_study, 15, sustain=7).sustain == 7
    impossible = "--sustain 7 is more than --epochs 2: a training must have them all"
    assert fault_of(lambda: goal(of_study, 2, sustain=7)) == impossible


def test_a_verification_lasts_as_long_as_what_decides(candidate: Candidate, tmp_path: Path) -> None:
    study = made_study(tmp_path, 1)
    trial = Named("trial 0", candidate, study, study.trial(0))
    lengths = {(None, 1): (2, 15), (None, 20): (20, 20), (3, 1): (3, 3), (3, 20): (3, 3)}
    for (epochs, least), (of_file, of_trial) in lengths.items():
        assert nominee_of(Named("mine", candidate), epochs, least).candidate.recipe.epochs == of_file
        assert nominee_of(trial, epochs, least).candidate.recipe.epochs == of_trial
        assert top_nominees(study, 1, "answer", epochs, least)[0].candidate.recipe.epochs == of_trial


@pytest.mark.parametrize(
    ("options", "expected"),
    [("", (2, 2)), ("--epochs 1", (1, 1)), ("--sustain 3", (3, 3)), ("--sustain 1", (2, 1))],
)
@pytest.mark.usefixtures("candidate")
def test_train(options: str, expected: tuple[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["train", "mine.yaml", "--dataset", "digits", "--json", *options.split()], capsys)
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["epochs"], facts["sustain"]) == expected
