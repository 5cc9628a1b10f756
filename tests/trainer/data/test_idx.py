"""IDX files, good and damaged."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from models.errors import MnistSearchError
from tests.helpers.datasets import idx_bytes, some_images
from trainer.data.idx import read_idx


def fault_of(path: Path) -> str:
    """What `read_idx` says of a file, without the path that must come first."""
    with pytest.raises(MnistSearchError) as caught:
        read_idx(path)
    text = str(caught.value)
    assert text.startswith(f"{path} ")
    assert "\n" not in text
    return text.removeprefix(f"{path} ")


@pytest.mark.parametrize("shape", [(3,), (2, 28, 28), (2, 3, 4, 5), (0, 28, 28)])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_is_read(tmp_path: Path, shape: tuple[int, ...], zipped: bool) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    read = read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array, strict=True)


WHOLE = idx_bytes(some_images(2))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            WHOLE[:-1],
            "is truncated: 1,583 bytes where its header (2, 28, 28) needs 1,584; fetch it again",
        ),
        (
            WHOLE + b"\0\0",
            "is too long: 1,586 bytes where its header (2, 28, 28) needs 1,584; fetch it again",
        ),
        (WHOLE[:10], "is truncated: it ends within its header, at 10 bytes"),
        (b"\0\0\x08", "is not an IDX file: it does not start with two zero bytes"),
        (b"", "is not an IDX file: it does not start with two zero bytes"),
        (b"\0\1" + WHOLE[2:], "is not an IDX file: it does not start with two zero bytes"),
        (b"<html>404</html>", "is not an IDX file: it does not start with two zero bytes"),
        (
            b"\0\0\x0d" + WHOLE[3:],
            "is not an IDX file of unsigned bytes: its type code is 13, not 8",
        ),
        (
            b"\0\0\x08\x02" + b"\xff" * 8 + b"few",
            "is truncated: 15 bytes where its header (4294967295, 4294967295) needs 18,446,744,065,119,617,037; "
            "fetch it again",
        ),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_faults_of_an_idx_file(tmp_path: Path, content: bytes, fault: str, zipped: bool) -> None:
    path = tmp_path / ("images.gz" if zipped else "images")
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert fault_of(path) == fault


def test_a_truncated_gzip_file(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(WHOLE)[:-20])
    reason = "Compressed file ended before the end-of-stream marker was reached"
    assert fault_of(path) == f"is not a whole gzip file ({reason}); fetch it again"


def test_a_gzip_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(b"<html>404</html>")
    assert fault_of(path) == "is not a whole gzip file (Not a gzipped file (b'<h')); fetch it again"


def test_a_gzip_file_with_a_wrong_checksum(tmp_path: Path) -> None:
    zipped = bytearray(gzip.compress(WHOLE))
    zipped[-8:-4] = struct.pack("<I", 1)  # a gzip file ends in the checksum and the length of its content
    path = tmp_path / "images.gz"
    path.write_bytes(zipped)
    assert fault_of(path).startswith("is not a whole gzip file (CRC check failed")


def test_a_gzip_file_with_a_damaged_body(tmp_path: Path) -> None:
    zipped = bytearray(gzip.compress(WHOLE))
    zipped[10] = 0xFF  # the first byte after the header: a block of a kind that does not exist
    path = tmp_path / "images.gz"
    path.write_bytes(zipped)
    reason = "Error -3 while decompressing data: invalid block type"
    assert fault_of(path) == f"is not a whole gzip file ({reason}); fetch it again"


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "none") == "cannot be read: No such file or directory"
    assert fault_of(tmp_path) == "cannot be read: Is a directory"
