"""The options that say what runs the workers."""

from pathlib import Path

import pytest

from tests.helpers.cli import QUICK, call

FAULTS = [
    (["--engine", "slurm"], "unknown engine 'slurm': use local or ray"),
    (["--ray-address", "auto"], "--ray-address is for --engine ray: add that, or leave it out"),
    (["--gpus-per-worker", "0.5"], "--gpus-per-worker is for --engine ray: add that, or leave it out"),
    (["--engine", "ray", "--device", "mps"], "no device 'mps' with --engine ray: use auto, cpu or cuda"),
]


@pytest.mark.parametrize(("words", "line"), FAULTS)
def test_what_cannot_be_is_refused_before_anything_is_begun(
    words: list[str], line: str, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["run", *QUICK, *words], capsys) == (2, "", f"mnist-search: {line}\n")
    assert list(own_folder.glob("*.db")) == []


def test_verify_takes_them_too(with_a_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["verify", "best", "--engine", "slurm"], capsys)
    assert (code, out, err) == (2, "", "mnist-search: unknown engine 'slurm': use local or ray\n")
