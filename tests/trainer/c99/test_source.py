"""The text: the same for the same network, small, and as large in a device as it says."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import MnistSearchError
from tests.helpers.c_programs import ARCHS, STRICT, Written, build, folded, needs_compiler, run, some_pixels, write
from trainer.c99.layout import lay_out
from trainer.c99.quantise import quantise
from trainer.c99.source import write_c
from trainer.c99.vectors import Vectors

HARNESS = r"""
#include <stdlib.h>
#include "model.h"

/* Exactly as much scratch as the header says; with an argument, one float or one int32_t less. */
int main(int argc, char **argv) {
    static uint8_t image[MODEL_PIXELS];
    const size_t less_f32 = argc > 1 && *argv[1] == 'f', less_int8 = argc > 1 && *argv[1] == 'i';
    float f32_logits[MODEL_CLASSES], *f32 = malloc(sizeof *f32 * (MODEL_F32_SCRATCH - less_f32));
    int32_t int8_logits[MODEL_CLASSES], *int8 = malloc(sizeof *int8 * (MODEL_INT8_SCRATCH - less_int8));
    if (!f32 || !int8) return 3;
    model_f32(image, f32_logits, f32);
    model_int8(image, int8_logits, int8);
    free(f32);
    free(int8);
    return 0;
}
"""


def test_the_same_network_gives_the_same_text(odd: Written, tmp_path: Path) -> None:
    again = write(folded(ARCHS["odd"]), tmp_path)
    assert again.text == odd.text
    assert (tmp_path / "model.c").read_bytes() == odd.path.read_bytes() == odd.text.model_c.encode("ascii")


def test_lines_are_short_and_placeholders_filled(written: dict[str, Written]) -> None:
    for one in written.values():
        for text in (one.text.model_c, one.text.model_h):
            assert [line for line in text.splitlines() if len(line) > 120 or line != line.rstrip()] == []
            assert "@" not in text


def test_a_small_network_is_a_small_file(written: dict[str, Written]) -> None:
    one = written["preset"]  # ten characters and a comma for a float, three for an int8; kernels and vectors
    assert len(one.text.model_c) < one.network.n_weights * 17 + 45_000


@pytest.fixture(scope="module", params=ARCHS)
def built(
    request: pytest.FixtureRequest, written: dict[str, Written], tmp_path_factory: pytest.TempPathFactory
) -> Written:
    """With an object of the library part beside the text, for each choice of variants."""
    one = written[request.param]
    for name, flags in (("both", ()), ("int8", ("-DMODEL_NO_F32",)), ("f32", ("-DMODEL_NO_INT8",))):
        build(*flags, "-c", one.path, "-o", one.folder / f"{name}.o")
    return one


def symbols(path: Path) -> dict[str, tuple[str, int]]:
    """Of each symbol of an object its letter and its size, as nm tells them."""
    lines = [line.split() for line in run("nm", "-S", path).stdout.splitlines()]
    return {words[-1]: (words[-2], int(words[1], 16) if len(words) == 4 else 0) for words in lines}


@needs_compiler
def test_the_library_needs_nothing(built: Written) -> None:
    for name, functions in (("both", {"model_f32", "model_int8"}), ("f32", {"model_f32"}), ("int8", {"model_int8"})):
        found = symbols(built.folder / f"{name}.o")
        missing = {symbol for symbol, (letter, _) in found.items() if letter == "U"}
        assert missing <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}
        assert {symbol for symbol, (letter, _) in found.items() if letter == "T"} == functions
        assert {symbol for symbol, (letter, _) in found.items() if letter in "dDbBC"} == set()  # keeps nothing


@needs_compiler
def test_the_table_of_sizes_is_what_the_compiler_makes(built: Written) -> None:
    head = built.text.model_c.partition("*/")[0]
    rows = dict(re.findall(r"^ \* (\w.+?)  +([\d,]+ +[\d,]+)$", head, re.MULTILINE))
    told = {name: [int(value.replace(",", "")) for value in values.split()] for name, values in rows.items()}
    constants = {symbol: size for symbol, (letter, size) in symbols(built.folder / "both.o").items() if letter == "r"}
    tables = {name: size for name, size in constants.items() if re.fullmatch(r"layers|f32_\w+|int8_\w+", name)}
    f32, int8 = (sum(size for name, size in tables.items() if name.startswith(start)) for start in ("f32_", "int8_"))
    assert told["weights, biases and scales in flash, bytes"] == [f32, int8]
    assert told["table of layers in flash (one for both), bytes"] == [tables["layers"], tables["layers"]]
    assert told["multiply-accumulates an image"] == [built.network.macs] * 2


@needs_compiler
def test_the_scratch_is_needed_in_full_and_suffices(built: Written, tmp_path: Path) -> None:
    (tmp_path / "harness.c").write_text(HARNESS)
    flags = (*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", str(built.folder))
    build(tmp_path / "harness.c", built.path, "-o", tmp_path / "harness", flags=flags)
    exact = run(tmp_path / "harness")
    assert (exact.returncode, exact.stderr) == (0, "")
    for short in ("f", "i"):
        assert "heap-buffer-overflow" in run(tmp_path / "harness", short).stderr
    sizes = dict(re.findall(r"#define MODEL_(\w+)_SCRATCH (\d+)", built.text.model_h))
    head = built.text.model_c.partition("*/")[0]
    assert f"{4 * int(sizes['F32']):,}" in head
    assert f"{4 * int(sizes['INT8']):,}" in head


@needs_compiler
def test_in_float32_alone_nothing_of_int8_is_left(odd: Written, tmp_path: Path) -> None:
    vectors = Vectors.of(odd.network, None, some_pixels(10))
    text = write_c(odd.network, None, vectors)
    assert "int8_weight" not in text.model_c
    assert len(text.model_c) < 0.9 * len(odd.text.model_c)
    text.save(tmp_path)
    build("-DMODEL_MAIN", tmp_path / "model.c", "-o", tmp_path / "model")
    done = run(tmp_path / "model")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all 10 as expected")
    assert run(tmp_path / "model", "int8", "none").returncode == 2


def test_weights_that_are_no_numbers_are_refused() -> None:
    network = folded(ARCHS["odd"])
    pixels = torch.zeros(3, 28, 28, dtype=torch.uint8)
    integer = quantise(network, pixels)
    vectors = Vectors.of(network, integer, pixels)
    bias = next(step.bias for step in network.steps if hasattr(step, "bias"))
    bias[0] = np.nan
    for action in (lambda: write_c(network, integer, vectors), lambda: quantise(network, pixels)):
        with pytest.raises(MnistSearchError, match=r"^step 1 of the network has weights that are not finite: train it"):
            action()


def test_a_folder_that_is_not_there(odd: Written, tmp_path: Path) -> None:
    with pytest.raises(
        MnistSearchError, match=rf"^{tmp_path}/none/model\.c cannot be written: No such file or directory$"
    ):
        odd.text.save(tmp_path / "none")


def test_scratch_is_the_most_that_a_layer_s_input_and_output_take(odd: Written) -> None:
    layout = lay_out(odd.network)
    assert layout.f32_scratch == 6 * 14 * 14 + 8 * 14 * 14
    assert layout.int8_scratch == (6 * 14 * 14 + 8 * 14 * 14) // 4
