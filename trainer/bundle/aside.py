"""A folder that is there whole or not at all: written aside, then renamed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from models.errors import MnistSearchError


@contextlib.contextmanager
def written_aside(folder: Path, may_be_replaced: Callable[[Path], bool]) -> Iterator[Path]:
    """A new folder beside `folder`, which takes its name when the block ends well, and is removed when it does not.

    A folder of that name that is empty, or of which `may_be_replaced` says yes, is replaced; a link to one leads there.
    Raises MnistSearchError if it is another one, or nothing can be written there.
    """
    folder = Path(os.path.realpath(folder))
    check_target(folder, may_be_replaced)
    with _said_of(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    made, old = aside / "new", aside / "old"
    try:
        with _said_of(folder):
            made.mkdir()
            yield made
        check_target(folder, may_be_replaced)
        with _said_of(folder):
            if folder.exists():
                os.replace(folder, old)
            os.replace(made, folder)
    finally:
        if old.exists() and not folder.exists():  # stopped between the two: what was there before stays
            os.replace(old, folder)
        shutil.rmtree(aside, ignore_errors=True)


def check_target(folder: Path, may_be_replaced: Callable[[Path], bool]) -> None:
    """Raises MnistSearchError if `written_aside` would refuse a folder: to be asked before the work for it begins."""
    target = os.path.realpath(folder)  # a link that leads nowhere yet may be written to
    if not os.path.lexists(target):
        return
    if os.path.ismount(target):
        raise MnistSearchError(f"{folder} is where a disk begins and cannot be renamed: name a folder in it with --out")
    if os.path.samefile(target, os.curdir):
        raise MnistSearchError(f"{folder} is the working folder and cannot be renamed: name a folder in it with --out")
    if not os.path.isdir(target):
        raise MnistSearchError(f"{folder} is no folder: name another with --out")
    with _said_of(folder):
        is_in_use = any(folder.iterdir()) and not may_be_replaced(folder)
    if is_in_use:
        raise MnistSearchError(f"{folder} holds other files than a bundle: name a new folder with --out")


@contextlib.contextmanager
def _said_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # A file where a folder of the path should be says only that it exists.
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise MnistSearchError(f"{folder} cannot be written: {reason or error}; name another with --out") from None
