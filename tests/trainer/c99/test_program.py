"""The compiled program computes what torch and the integer network do, and what fails names the file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import MnistSearchError, WorkFailedError
from tests.helpers.c_programs import STRICT, Written, needs_compiler, run, some_pixels
from tests.helpers.integers import reference_logits
from trainer.c99.program import NoCompilerError, Program, ProgramFailedError, compiled

pytestmark = needs_compiler


def test_float_logits_are_torch_s(sanitised: tuple[Written, Program]) -> None:
    written, program = sanitised
    pixels = some_pixels()
    with torch.no_grad():
        theirs = written.network.module()(pixels.unsqueeze(1)).numpy()
    ours = program.logits("f32", pixels.numpy())
    assert ours.dtype == np.float32
    assert (np.abs(ours - theirs).max(1) <= 1e-4 * np.abs(theirs).max(1)).all()
    assert np.array_equal(ours.argmax(1), theirs.argmax(1))
    assert len(np.unique(ours, axis=0)) > 50  # images matter


def test_int8_logits_are_the_definition_s_bit_for_bit(sanitised: tuple[Written, Program]) -> None:
    written, program = sanitised
    pixels = some_pixels()
    ours = program.logits("int8", pixels.numpy())
    assert ours.dtype == np.int32
    assert np.array_equal(ours, written.integer.logits(pixels))
    assert np.array_equal(ours[:6], reference_logits(written.integer, pixels[:6].numpy()))


def test_the_program_checks_itself(sanitised: tuple[Written, Program]) -> None:
    lines = sanitised[1].check().splitlines()
    assert len(lines) == 21
    assert lines[-1] == "all 20 as expected"


def test_no_image_has_no_logits(sanitised: tuple[Written, Program]) -> None:
    assert sanitised[1].logits("f32", np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)


def test_images_of_another_kind_are_refused(sanitised: tuple[Written, Program]) -> None:
    with pytest.raises(MnistSearchError, match=r"^images must be \(N, 28, 28\) uint8, and are \(2, 8, 8\) float64$"):
        sanitised[1].logits("f32", np.zeros((2, 8, 8)))


@pytest.mark.parametrize(("variant", "values"), [("f32", "float f32_weight"), ("int8", "int8_t int8_weight")])
def test_a_changed_weight_is_seen(own_odd: Path, variant: str, values: str) -> None:
    text = own_odd.read_text()
    place = text.index("*/\n", text.index(f"static const {values}")) + 3
    old = text[place:].split(",", 1)[0]
    new = "1.5f" if old.endswith("f") else str(int(old) // 2 - 1)
    own_odd.write_text(text[:place] + new + text[place + len(old) :])
    with compiled(own_odd, STRICT) as program:
        done = run(program.executable)
        with pytest.raises(
            ProgramFailedError, match=rf"^{own_odd}: \d+ of 20 differ: this is not the network that was"
        ):
            program.check()
    wrong = [line for line in done.stdout.splitlines() if line.endswith((", with other logits", ", WRONG"))]
    assert wrong
    assert {line.split()[0] for line in wrong} == {variant}


def test_a_text_that_does_not_compile_is_named(own_odd: Path) -> None:
    own_odd.write_text(own_odd.read_text().replace("return best;", "return bset;"))
    with pytest.raises(ProgramFailedError, match=rf"^{own_odd} does not compile: .*error: .*bset"), compiled(own_odd):
        pass


def a_program(folder: Path, script: str) -> Program:
    executable = folder / "model"
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o700)
    return Program(folder / "model.c", executable, run_seconds=0.2)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("kill -SEGV $$", "{}: its program crashed (signal 11)"),
        ("exec sleep 5", "{}: its program did not end in 0.2 s"),
        ("echo why >&2; exit 2", "{}: why"),
        ("exit 1", "{}: its program says nothing"),
        ("echo 1 2 3", "{} gave 3 logits for 2 images"),
    ],
)
def test_what_a_program_does_wrong_is_said(tmp_path: Path, script: str, text: str) -> None:
    with pytest.raises(WorkFailedError) as caught:
        a_program(tmp_path, script).logits("int8", np.zeros((2, 28, 28), np.uint8))
    assert str(caught.value) == text.format(tmp_path / "model.c")


def test_without_a_compiler_one_learns_what_to_install(odd: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCompilerError) as caught, compiled(odd.path):
        pass
    assert str(caught.value) == "there is no C compiler here: install gcc or clang, or name one in CC"


def test_a_compiler_that_does_not_work_is_named(odd: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "true")
    with pytest.raises(NoCompilerError) as caught, compiled(odd.path):
        pass
    assert str(caught.value) == ("the C compiler `true` does not work here (it writes no program): name another in CC")


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang_takes_it_too(odd: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "clang")
    with compiled(odd.path, STRICT) as program:
        assert program.check().endswith("all 20 as expected\n")
