"""Numbers as C text: constants that read back exactly, and arrays of them in lines of at most 120 characters."""

from collections.abc import Iterable, Iterator

import numpy as np

_WIDTH = 120


def float_literal(value: float) -> str:
    """The shortest decimal float constant that is read as this very float32."""
    number = np.float32(value)
    positional = np.format_float_positional(number, unique=True, trim="-")
    whole, _, fraction = positional.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    plain = f"{sign}{digits if digits != '0' or not fraction else ''}.{fraction or '0'}"
    mantissa, _, exponent = np.format_float_scientific(number, unique=True, trim="-").partition("e")
    return min(plain, f"{mantissa}e{int(exponent)}", key=len) + "f"


def float_literals(values: np.ndarray) -> list[str]:
    """Of all values in order."""
    return [float_literal(value) for value in values.ravel()]


def int_literals(values: np.ndarray) -> list[str]:
    """Of all values in order. The lowest int32 would need to be spelled otherwise, and never comes up."""
    return [str(int(value)) for value in values.ravel()]


def array(declaration: str, sections: Iterable[tuple[str, list[str]]]) -> str:
    """`static const DECLARATION = {...};`, a comment before each section that has a title."""
    lines = [line for title, values in sections for line in _section(title, values)]
    return "\n".join([f"static const {declaration} = {{", *lines, "};"])


def _section(title: str, values: list[str]) -> Iterator[str]:
    if title:
        yield f"/* {title} */"
    yield from filled(values)  # not indented: the blanks would be a thirtieth of the file


def filled(values: Iterable[str], width: int = _WIDTH) -> Iterator[str]:
    """Lines of values, each with its comma, no longer than that."""
    line = ""
    for value in values:
        if line and len(line) + len(value) + 1 > width:
            yield line
            line = ""
        line += f"{value},"
    if line:
        yield line
