"""A visitor's own note and ours in one text: what they write is kept, what we say is said anew each time."""

from collections.abc import Iterable

MARK = "*Your own notes go above this line; what is below is kept current.*"


def own_words(written: str, said: Iterable[str]) -> str:
    """What a visitor wrote into a note that they were shown; `said` are our parts of it, as they were lately.

    What they put below the line is theirs too: every line there that we did not say.
    """
    ours = {line.strip() for text in said for line in text.splitlines()} | {MARK, ""}
    above, mark, below = written.partition(MARK)
    if not mark:
        above, below = "", written
    added = [line for line in below.splitlines() if line.strip() not in ours]
    return "\n".join([above.strip(), *added]).strip()


def with_ours(own: str, ours: str) -> str:
    """A note as it is shown: the visitor's own part, and ours as of today."""
    return f"{own.strip()}\n\n{MARK}\n\n{ours}" if own.strip() else f"{MARK}\n\n{ours}"
