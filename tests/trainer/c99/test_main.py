"""The program's command line: exit codes, and what is said of files that are no images."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.c_programs import Written, build, needs_compiler, run, some_pixels
from trainer.c99.program import Program
from trainer.fused.compiler import find_compiler

pytestmark = needs_compiler

NOT_IDX = "is not an uncompressed IDX file of images of 28x28 unsigned bytes"


@pytest.fixture(scope="module")
def program(written: dict[str, Written], tmp_path_factory: pytest.TempPathFactory) -> Program:
    executable = tmp_path_factory.mktemp("program") / "model"
    build("-DMODEL_MAIN", written["odd"].path, "-o", executable)
    return Program(written["odd"].path, executable, 60)


def idx(pixels: np.ndarray) -> bytes:
    return b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in pixels.shape) + pixels.tobytes()


FILES = {
    "empty": b"",
    "half-a-head": idx(np.zeros((1, 28, 28), np.uint8))[:9],
    "gzip": b"\x1f\x8b\x08" + bytes(900),
    "labels": b"\0\0\x08\x01\0\0\0\x02\x01\x02" + bytes(20),
    "small": idx(np.zeros((3, 8, 8), np.uint8)),
    "truncated": idx(np.zeros((3, 28, 28), np.uint8))[:-1],
    "too-long": idx(np.zeros((3, 28, 28), np.uint8)) + b"\0",
    "huge": b"\0\0\x08\x03\xff\xff\xff\xff" + idx(np.zeros((3, 28, 28), np.uint8))[8:],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("variant", ["f32", "int8"])
def test_what_is_no_file_of_images_is_refused(program: Program, tmp_path: Path, name: str, variant: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    done = run(program.executable, variant, path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{path} {NOT_IDX}\n")


def test_a_file_that_is_not_there(program: Program, tmp_path: Path) -> None:
    done = run(program.executable, "int8", tmp_path / "none")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{tmp_path / 'none'} cannot be read\n")


def test_a_line_an_image(program: Program, odd: Written, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx(some_pixels(5).numpy()))
    done = run(program.executable, "int8", path)
    expected = odd.integer.logits(some_pixels(5))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(" ".join(map(str, row)) + "\n" for row in expected)


def test_times_are_told(program: Program, tmp_path: Path) -> None:
    """Of the test vectors, or of the images of a file."""
    (tmp_path / "images").write_bytes(idx(some_pixels(5).numpy()))
    done = run(program.executable, "time", "f32", tmp_path / "images")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ ns an image\n", done.stdout)
    assert 100 < program.nanoseconds("int8") < 1e8


@pytest.mark.parametrize(
    "arguments", [["int4", "x"], ["int8"], ["time"], ["time", "int8", "a", "b"], ["f32", "a", "b"]]
)
def test_usage(program: Program, arguments: list[str]) -> None:
    done = run(program.executable, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"usage: {program.executable} ")


def test_what_cannot_be_timed(program: Program, tmp_path: Path) -> None:
    done = run(program.executable, "time", "int8", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path} has no images of 28x28 unsigned bytes to be timed\n"


@pytest.mark.parametrize(("left_out", "left", "other"), [("F32", "int8", "f32"), ("INT8", "f32", "int8")])
def test_with_one_variant_left_out(odd: Written, tmp_path: Path, left_out: str, left: str, other: str) -> None:
    build("-DMODEL_MAIN", f"-DMODEL_NO_{left_out}", odd.path, "-o", tmp_path / "model")
    lines = run(tmp_path / "model").stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [left] * 10
    assert lines[-1] == "all 10 as expected"
    refused = run(tmp_path / "model", other, odd.path)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_with_both_left_out_nothing_compiles(odd: Written) -> None:
    compiler = find_compiler()
    assert compiler is not None
    done = run(*compiler, "-std=c99", "-fsyntax-only", "-DMODEL_NO_F32", "-DMODEL_NO_INT8", odd.path)
    assert done.returncode != 0
    assert "nothing is left" in done.stderr
