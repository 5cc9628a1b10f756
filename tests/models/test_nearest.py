"""What is suggested for a name that is not known."""

from pathlib import Path

import pytest

from models.nearest import did_you_mean, did_you_mean_file

KNOWN = ("best", "a-step1", "a-step2", "a-step5", "Mine")


@pytest.mark.parametrize(
    ("word", "question"),
    [
        ("bset", "did you mean best?"),
        ("BEST", "did you mean best?"),
        ("mine", "did you mean Mine?"),
        ("a-step", "did you mean a-step5, a-step2, a-step1?"),
        ("a-step9", "did you mean a-step5, a-step2, a-step1?"),
        ("quite another", ""),
        ("", ""),
        ("b" * 100_000, ""),
    ],
)
def test_known_names(word: str, question: str) -> None:
    assert did_you_mean(word, KNOWN) == question


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("nets/min.yaml", "did you mean nets/mine.yaml?"),
        ("nest/mine.yaml", "did you mean nets/mine.yaml?"),
        ("nest/other.yaml", ""),
        ("other/mine.yaml", ""),
        ("n\0ts/mine.yaml", "did you mean nets/mine.yaml?"),
        ("x" * 5_000, ""),
    ],
)
def test_files(path: str, question: str, own_folder: Path) -> None:
    (own_folder / "nets").mkdir()
    (own_folder / "nets" / "mine.yaml").touch()
    assert did_you_mean_file(Path(path)) == question


def test_a_folder_that_cannot_be_read_suggests_nothing(own_folder: Path) -> None:
    assert did_you_mean_file(own_folder / "gone" / "further" / "mine.yaml") == ""
    (own_folder / "nets").touch()
    assert did_you_mean_file(own_folder / "nets" / "mine.yaml") == ""
