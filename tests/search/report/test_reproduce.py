"""The commands that do it again."""

import inspect
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from models.presets import PRESETS
from search.cli import run
from search.cli.app import app
from search.facts.commands import DEFAULT_TRIALS
from search.report.reproduce import search_command, verify_command
from search.report.winner import find_winner
from search.space.space import Space
from search.study.settings import StudySettings
from search.study.setup import StudyRequest, prepare
from search.study.warm_start import queue
from tests.helpers.made_studies import add_verification, made_study

DEFAULTS: dict[str, Any] = {"target": 0.98, "epochs": 15, "max_params": 10_000}


def made_again(command: str) -> StudySettings:
    """The settings of the study that the printed command would begin."""
    words = shlex.split(command.replace("\\\n", " "))
    with _run_parser().make_context("run", words[2:]) as context:
        given = dict(context.params)
    names = {f.name for f in fields(StudySettings)} - {"space", "dataset"}
    settings = {name: given[name] for name in names if name in given}
    settings["deterministic"] = settings["deterministic"] or None
    request = StudyRequest("sqlite:///new.db", given["study"], given["dataset"], None, settings,
                           set_ranges=tuple(given["set"] or ()))  # fmt: skip
    return prepare(request).study.settings


def _run_parser() -> Any:
    return typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]


def test_a_study_of_defaults_has_a_short_command(own_folder: Path) -> None:
    study = made_study(own_folder, 3, **DEFAULTS)
    assert search_command(study) == "mnist-search run --dataset digits --trials 3"
    assert made_again(search_command(study)) == study.settings


def test_the_number_of_trials_that_is_left_out_is_the_default() -> None:
    assert inspect.signature(run.command).parameters["trials"].default == DEFAULT_TRIALS


@pytest.mark.parametrize(
    ("settings", "ranges", "said"),
    [
        ({"seed": 7, "sampler": "random", "pruner": "none", "split": "test"}, {},
         "--split test --sampler random --pruner none --seed 7"),
        ({"epochs": 2, "sustain": 2, "target": 0.9}, {}, "--epochs 2 --target 0.9"),
        ({"find": "smallest", "margin": 0.001}, {}, "--find smallest --margin 0.001"),
        ({"deterministic": True, "window": 3}, {}, "--window 3 --deterministic"),
        # Widths follow the budget, and other ranges: they are left out where a new study would find them again.
        ({"max_params": 4_000}, {}, "--max-params 4000"),
        ({}, {"lr": "0.1", "head": "gap-hidden"}, "--set head=gap-hidden --set lr=0.1"),
        ({}, {"stem_width": "4:9"}, "--set stem_width=4:9 --set transition_width=4:48 --set body_width=4:48"),
    ],
)  # fmt: skip
def test_the_command_names_what_differs_and_makes_the_same_study(
    own_folder: Path, settings: dict[str, Any], ranges: dict[str, str], said: str
) -> None:
    given = DEFAULTS | settings
    study = made_study(own_folder, 1, name="my study", space=Space.of(ranges, given["max_params"]).to_dict(), **given)
    command = search_command(study)
    assert command.replace(" \\\n ", "") == f"mnist-search run --study 'my study' --dataset digits --trials 1 {said}"
    assert all(len(line) <= 110 for line in command.splitlines())
    assert made_again(command) == study.settings


def test_the_command_names_what_the_search_was_given(own_folder: Path) -> None:
    study = made_study(own_folder, 3)
    assert "--warm-start" not in search_command(study)
    queue(study, {"a-step5": PRESETS["a-step5"].candidate, "my own.yaml": PRESETS["d-model1"].candidate})
    assert "--warm-start a-step5 --warm-start 'my own.yaml'" in search_command(study).replace(" \\\n ", "")


def test_the_command_of_a_verification_names_its_epochs(own_folder: Path) -> None:
    """Also where they are the study's: without them a trial would be verified for 15."""
    study = made_study(own_folder, 1, name="mine")
    winner = find_winner(study)
    assert winner is not None
    assert verify_command(study, winner) == "mnist-search verify 0 --study mine --seeds 10"
    add_verification(study, 0, [0.999] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert verify_command(study, winner) == (
        "mnist-search verify 0 --seeds 5 --epochs 4 --study mine --precision float32"
    )
