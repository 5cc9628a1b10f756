"""Text of somebody else as it may be printed: a line that steers no terminal, hides nothing and has an end."""

LONGEST_LINE = 1_000


def printable(text: str) -> str:
    """The same text with a visible code in the place of everything that is no visible letter, such as `\\x1b`.

    What moves a cursor, what turns the direction of writing, ends of lines, and halves of characters, as a file's name
    may hold them.
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else _code(one) for one in text)


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Any text in one line of at most so many letters, for an error: its beginning, if it has more."""
    line = printable(" ".join(text[: 4 * longest].split()))
    return line if len(line) <= longest else f"{line[: longest - 2]} …"


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
