"""The commands that do it again."""

from pathlib import Path

from models.presets import PRESETS
from search.report.reproduce import search_command, verify_command
from search.report.winner import find_winner
from search.study.warm_start import queue
from tests.helpers.made_studies import add_verification, made_study


def test_the_command_makes_the_same_study(own_folder: Path) -> None:
    study = made_study(own_folder, 3, name="my study")
    command = search_command(study)
    assert command.startswith("mnist-search run --study 'my study' --dataset digits --split holdout")
    assert "--set pool_place=after-first,after-stem" in command.replace(" \\\n ", "")
    assert all(len(line) <= 110 for line in command.splitlines())
    assert "--warm-start" not in command
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
        "mnist-search verify 0 --seeds 5 --epochs 4 --target 0.99 --sustain 3 \\\n  --study mine --precision float32"
    )
