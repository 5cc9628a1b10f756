"""Reading IDX files, the format of the MNIST family, gzipped or not.

Format: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each dimension as a big-endian
32-bit integer, then the values. Source: http://yann.lecun.com/exdb/mnist/.
"""

import gzip
import math
import os
import stat
import zlib
from pathlib import Path

import numpy as np

from models.errors import MnistSearchError

MOST_BYTES = 1 << 29
"""Eleven times MNIST: all images are held in memory."""
_UNSIGNED_BYTE = 8
_MOST_DIMS = 8


def read_idx(path: Path) -> np.ndarray:
    """The array of one file, uint8. Raises MnistSearchError that names the file and what is wrong with it."""
    return parse_idx(_read_bytes(path), str(path))


def parse_idx(raw: bytes, path: str) -> np.ndarray:
    """The array of a file's bytes, not gzipped, uint8. Raises MnistSearchError that names the file, `path`."""
    if len(raw) < 4 or raw[0] or raw[1]:
        raise MnistSearchError(f"{path} is not an IDX file: it does not start with two zero bytes")
    if raw[2] != _UNSIGNED_BYTE:
        raise MnistSearchError(f"{path} is not an IDX file of unsigned bytes: its type code is {raw[2]}, not 8")
    n_dims = raw[3]
    if n_dims > _MOST_DIMS:
        raise MnistSearchError(f"{path} is not an IDX file of images or labels: it has {n_dims} dimensions")
    header = 4 + 4 * n_dims
    if len(raw) < header:
        raise MnistSearchError(f"{path} is truncated: it ends within its header, at {len(raw)} bytes")
    dims = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(4, header, 4))
    expected = header + math.prod(dims)
    if len(raw) != expected:
        state = "truncated" if len(raw) < expected else "too long"
        raise MnistSearchError(
            f"{path} is {state}: {len(raw):,} bytes where its header {dims} needs {expected:,}; fetch it again"
        )
    if 0 in dims and max(dims) > MOST_BYTES:
        raise MnistSearchError(f"{path} holds nothing, in {dims} dimensions; fetch it again")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(dims)


def _read_bytes(path: Path) -> bytes:
    try:
        # Looked at before it is opened: a pipe would be waited for, and a device has no end.
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise MnistSearchError(f"{path} is no file but a device or a pipe")
        with path.open("rb") as file:
            is_zipped = _is_zipped(path, file.read(2))
            file.seek(0)
            raw = (gzip.GzipFile(fileobj=file) if is_zipped else file).read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            unpacked = "unpacked it" if is_zipped else "it"
            raise MnistSearchError(
                f"{path} is too large: {unpacked} has more than {MOST_BYTES >> 20} MiB; fetch it again"
            )
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MnistSearchError(f"{path} is not a whole gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise MnistSearchError(f"{path} cannot be read: {error.strerror}") from None
    return raw


def _is_zipped(path: Path, start: bytes) -> bool:
    """Whether a file that starts so is gzipped: some programs unpack a download and leave `.gz`, or the other way."""
    return start == b"\x1f\x8b" or (path.suffix == ".gz" and start != b"\0\0")
