"""A visitor's own note and ours in one text: what they wrote stays theirs, what we wrote is written anew."""

MARK = "*Your own notes go above this line; what is below is kept current.*"


def own_words(stored: str) -> str:
    """What a visitor wrote into a note that was stored with our part in it, or without."""
    return stored.partition(MARK)[0].strip()


def with_ours(stored: str, ours: str) -> str:
    """A note as it is shown: the visitor's own part of what is stored, and ours as of today."""
    own = own_words(stored)
    return f"{own}\n\n{MARK}\n\n{ours}" if own else f"{MARK}\n\n{ours}"
