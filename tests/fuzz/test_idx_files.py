"""IDX files: an array or one line that names the file, whatever is in it, and no more memory than a data set takes."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import MnistSearchError
from tests.helpers.datasets import TEST_IMAGES, TRAIN_LABELS, idx_bytes, some_images, write_dataset
from tests.helpers.many_inputs import tried_on
from tests.helpers.outcomes import Line, outcome_of
from trainer.data.find import dataset_at_hand
from trainer.data.idx import read_idx

SUBJECT = "IDX files"
WHOLE = idx_bytes(some_images(2))
dims = st.integers(0, 3) | st.sampled_from([28, 255, 2**16, 2**31, 2**32 - 1])
headers = st.builds(
    lambda start, kind, sizes: start + bytes([kind, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes),
    st.sampled_from([b"\0\0", b"\0\1", b"\x1f\x8b"]), st.sampled_from([8, 8, 8, 0, 9, 255]),
    st.lists(dims, max_size=6) | st.lists(st.just(1), min_size=60, max_size=255),
)  # fmt: skip


def outcome(path: Path, content: bytes) -> np.ndarray | Line:
    """What a file comes to: its array, or the line that says what is wrong with it."""
    path.write_bytes(content)
    found: np.ndarray | Line = outcome_of(read_idx, path)
    if isinstance(found, Line):
        assert found.startswith(f"{path} ")
        assert found.isprintable()
    else:
        assert found.dtype == np.uint8
    return found


def packed(content: bytes, is_packed: bool) -> tuple[str, bytes]:
    """A file's name and content."""
    return ("images.gz", gzip.compress(content, 1)) if is_packed else ("images", content)


@tried_on(50, 8_000, SUBJECT)
@given(headers, st.binary(max_size=40), st.booleans())
def test_any_header(folder: Path, header: bytes, rest: bytes, is_packed: bool) -> None:
    name, content = packed(header + rest, is_packed)
    outcome(folder / name, content)


@tried_on(50, 8_000, SUBJECT)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=8), st.integers(0, 20), st.booleans())
def test_a_whole_file_with_something_put_into_it(
    folder: Path, at: int, piece: bytes, length: int, is_packed: bool
) -> None:
    name, content = packed(WHOLE[:at] + piece + WHOLE[at + length :], is_packed)
    outcome(folder / name, content)


@tried_on(50, 8_000, SUBJECT)
@given(st.data())
def test_a_packed_file_that_is_damaged(folder: Path, data: st.DataObject) -> None:
    content = gzip.compress(WHOLE, 1)
    at = data.draw(st.integers(0, len(content)))
    length, piece = data.draw(st.integers(0, 10)), data.draw(st.binary(max_size=6))
    outcome(folder / "images.gz", content[:at] + piece + content[at + length :])


@tried_on(15, 500, SUBJECT)
@given(st.sampled_from([TEST_IMAGES, TRAIN_LABELS]), headers, st.binary(max_size=100))
def test_a_data_set_with_one_file_of_another_kind(
    tmp_path_factory: pytest.TempPathFactory, name: str, header: bytes, rest: bytes
) -> None:
    folder = tmp_path_factory.mktemp("data")
    raw = write_dataset(folder)
    (raw / name).write_bytes(header + rest)
    with pytest.raises(MnistSearchError) as caught:
        dataset_at_hand("mnist", folder)
    assert str(raw) in str(caught.value)


def test_a_gzip_file_of_gigabytes_of_zeros_is_not_unpacked(folder: Path) -> None:
    mebibyte = gzip.compress(bytes(1 << 20))
    fault = outcome(folder / "bomb.gz", mebibyte * 4096)  # members one after the other are one file
    assert fault == f"{folder / 'bomb.gz'} is too large: unpacked it has more than 512 MiB; fetch it again"


def test_a_file_far_larger_than_any_data_set_is_not_read(folder: Path) -> None:
    path = folder / "sparse"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(MnistSearchError, match=r"sparse is too large: it has more than 512 MiB; fetch it again$"):
        read_idx(path)


@pytest.mark.parametrize("what", ["pipe", "device", "folder", "link to itself", "link to nowhere"])
def test_what_is_no_file(folder: Path, what: str) -> None:
    path = folder / what
    match what:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "link to itself":
            path.symlink_to(path)
        case _:
            path.symlink_to(folder / "nowhere")
    with pytest.raises(MnistSearchError, match=rf"^{path} (is no file but a device or a pipe|cannot be read: \w)"):
        read_idx(path)


@pytest.mark.parametrize(
    ("sizes", "body", "fault"),
    [
        ((1,) * 70, b"x", "is not an IDX file of images or labels: it has 70 dimensions"),
        ((0, 2**32 - 1, 2**32 - 1), b"", "holds nothing, in (0, 4294967295, 4294967295) dimensions; fetch it again"),
    ],
)
def test_dimensions_that_no_array_has(folder: Path, sizes: tuple[int, ...], body: bytes, fault: str) -> None:
    content = struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes) + body
    assert outcome(folder / "images", content) == f"{folder / 'images'} {fault}"
