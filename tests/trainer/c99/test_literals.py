"""Constants read back as they were."""

import re
import struct

import numpy as np
import pytest

from trainer.c99.literals import array, filled, float_literal, float_literals

C_FLOAT = re.compile(r"-?(\d+\.\d*|\.\d+|\d+)(e-?\d+)?f")


def test_every_float_reads_back_exactly() -> None:
    """Random bits are floats of every size, the subnormal ones among them."""
    bits = np.random.default_rng(0).integers(0, 2**32, 5000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = np.concatenate(
        [values[np.isfinite(values)], np.array([0, -0.0, 1, -1, 0.1, 16777216, 255, 1e-45], np.float32)]
    )
    texts = float_literals(values)
    assert [text for text in texts if not C_FLOAT.fullmatch(text)] == []
    read = np.array([struct.pack("f", float(text[:-1])) for text in texts])
    assert np.array_equal(read, np.array([struct.pack("f", value) for value in values]))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0f"), (-0.0, "-0.0f"), (1, "1.0f"), (-2.5, "-2.5f"), (0.1, ".1f"), (-0.03125, "-.03125f"), (1e-7, "1e-7f"),
     (3e20, "3e20f")],
)  # fmt: skip
def test_it_is_short(value: float, text: str) -> None:
    assert float_literal(value) == text


def test_a_constant_without_a_point_or_an_exponent_would_not_compile() -> None:
    assert not re.fullmatch(r"-?\d+f", float_literal(10.0))


def test_lines_are_no_longer_than_120() -> None:
    values = [str(n) for n in range(1000)]
    lines = list(filled(values))
    assert max(map(len, lines)) <= 120
    assert min(map(len, lines[:-1])) > 110
    assert "".join(lines) == "".join(f"{value}," for value in values)


def test_an_array() -> None:
    text = array("int8_t a[3]", [("one", ["1", "2"]), ("", ["-3"])])
    assert text == "static const int8_t a[3] = {\n/* one */\n1,2,\n-3,\n};"
