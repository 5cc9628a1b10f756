"""The pictures that a user names: files, folders, standard input, IDX; each as the network sees it, or why not."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from models.errors import MnistSearchError
from models.nearest import did_you_mean_file
from trainer.data.idx import MOST_BYTES, parse_idx
from trainer.pictures.framing import SIDE, Framing
from trainer.pictures.seeing import NoDigitError, see_as_is, see_file

STANDARD_INPUT = "-"
_STANDARD_INPUT_NAME = "standard input"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""Of the files of a folder that are taken for pictures; a file that is named may be called anything."""

_IDX_TYPES = (0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E)
"""Codes of IDX types; all but the first are refused, by name."""
_GZIP_START = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture as the network sees it."""

    name: str
    pixels: np.ndarray
    """(28, 28) uint8, light on black."""


@dataclass(frozen=True)
class Empty:
    """A picture that was read and shows nothing; `reason` is a text without its name."""

    name: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """A file that cannot be read as a picture; `reason` is a line that names it."""

    name: str
    reason: str


Given = Seen | Empty | Refused


def given_pictures(words: Sequence[str], framing: Framing, as_is: bool, standard_input: BinaryIO) -> Iterator[Given]:
    """What each word stands for, in order: a file, a folder's pictures by name, or `-`.

    The images of an IDX file are taken as they are, and so is, with `as_is`, every picture: it must have 28x28 pixels.
    """
    for word in words:
        name = _STANDARD_INPUT_NAME if word == STANDARD_INPUT else word
        try:
            yield from _of_word(word, framing, as_is, standard_input)
        except NoDigitError as error:
            yield Empty(name, error.reason)
        except MnistSearchError as error:
            yield Refused(name, str(error))


def left_out(word: str) -> int:
    """How many files of a folder are not taken for pictures; 0 of what is no folder."""
    if not os.path.isdir(word) or not os.access(word, os.R_OK | os.X_OK):
        return 0
    names = [entry.name for entry in os.scandir(word) if entry.is_file()]
    return sum(not name.lower().endswith(SUFFIXES) for name in names)


def _of_word(word: str, framing: Framing, as_is: bool, standard_input: BinaryIO) -> Iterator[Given]:
    if word == STANDARD_INPUT:
        yield from _of_bytes(_from(standard_input), _STANDARD_INPUT_NAME, framing, as_is)
    elif os.path.isdir(word):
        yield from given_pictures(_pictures_in(word), framing, as_is, standard_input)
    else:
        yield from _of_bytes(_content(word), word, framing, as_is)


def _pictures_in(folder: str) -> list[str]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise MnistSearchError(f"{folder} cannot be read: {error.strerror}") from None
    pictures = [os.path.join(folder, name) for name in names if name.lower().endswith(SUFFIXES)]
    if not pictures:
        raise MnistSearchError(f"{folder} holds no picture: put files ending in {', '.join(SUFFIXES)} there")
    return pictures


def _content(word: str) -> bytes:
    try:
        with Path(word).open("rb") as file:
            return _whole(file, word)
    except FileNotFoundError:
        near = did_you_mean_file(Path(word)) or "name a picture, a folder of them, an IDX file or -"
        raise MnistSearchError(f"there is no file {word}: {near}") from None
    except OSError as error:
        raise MnistSearchError(f"{word} cannot be read: {error.strerror}") from None


def _from(standard_input: BinaryIO) -> bytes:
    try:
        return _whole(standard_input, _STANDARD_INPUT_NAME)
    except OSError as error:  # it is open for writing alone, or its terminal is gone
        raise MnistSearchError(f"standard input cannot be read: {error.strerror or error}") from None


def _of_bytes(raw: bytes, name: str, framing: Framing, as_is: bool) -> Iterator[Seen]:
    if not raw:
        raise MnistSearchError(f"{name} is empty: give a PNG, a JPEG or an IDX file")
    if raw.startswith(_GZIP_START):
        raw = _unzipped(raw, name)
    if _is_idx(raw):
        yield from _of_idx(raw, name)
    else:
        yield Seen(name, see_as_is(raw, name) if as_is else see_file(raw, framing, name))


def _is_idx(raw: bytes) -> bool:
    """Two zero bytes, a type and a number of dimensions, which some TGA pictures have, too, but for the last."""
    return len(raw) > 3 and not raw[0] and not raw[1] and raw[2] in _IDX_TYPES and raw[3] > 0


def _unzipped(raw: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            return _whole(file, f"{name}, unpacked,")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MnistSearchError(f"{name} is not a whole gzip file ({error})") from None


def _whole(file: IO[bytes] | gzip.GzipFile, name: str) -> bytes:
    """All that a file holds. Raises MnistSearchError for one with no end in sight, such as a device."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise MnistSearchError(f"{name} has more than {MOST_BYTES // 2**20:,} MiB: give less at once")
    return content


def _of_idx(raw: bytes, name: str) -> Iterator[Seen]:
    images = parse_idx(raw, name)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        shape = "x".join(map(str, images.shape))
        raise MnistSearchError(f"{name} holds {shape} values, not N images of {SIDE}x{SIDE}")
    if not len(images):
        raise MnistSearchError(f"{name} holds no image")
    for number, pixels in enumerate(images):
        yield Seen(f"{name}#{number}", pixels)
