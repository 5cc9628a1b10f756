"""A text file that somebody wrote by hand, read whole: what is no file, no text or far too long is refused in words."""

import os
import stat
from pathlib import Path

from models.errors import MnistSearchError
from models.nearest import did_you_mean_file

MOST_BYTES = 1 << 20
"""A network of a thousand layers takes a twentieth of it."""


def read_text(path: Path, what: str) -> str:
    """The text of a file in UTF-8, without a byte order mark; `what` is what the user should name instead.

    Raises MnistSearchError with what is wrong, without the path.
    """
    try:
        content = _content(path, what)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise MnistSearchError(
            f"there is no such file: {did_you_mean_file(path, os.path.isfile) or f'name {what}'}"
        ) from None
    except UnicodeDecodeError as error:
        raise MnistSearchError(f"not text in UTF-8 (byte {error.start + 1})") from None
    except OSError as error:
        raise MnistSearchError(f"cannot be read: {error.strerror}") from None
    return text


def _content(path: Path, what: str) -> bytes:
    # Looked at before it is opened: a pipe would be waited for, and a device has no end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise MnistSearchError("this is a folder: name a file in it")
    if not stat.S_ISREG(mode):
        raise MnistSearchError(f"this is no file but a device or a pipe: name {what}")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise MnistSearchError(f"longer than {MOST_BYTES >> 20} MiB: name {what}")
    return content
