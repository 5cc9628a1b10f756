"""What is named on the command line: IDX files of every type, devices without an end."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pictures import MNIST, printed
from trainer.pictures.framing import FRAMINGS
from trainer.pictures.given import Empty, Given, Refused, Seen, given_pictures

NOTHING = io.BytesIO()


def the_one(word: str) -> Given:
    [one] = given_pictures([word], MNIST, False, NOTHING)
    return one


@pytest.mark.parametrize("code", [0x09, 0x0B, 0x0C, 0x0D, 0x0E])
def test_an_idx_file_of_another_type_is_called_one(tmp_path: Path, code: int) -> None:
    path = tmp_path / "images"
    path.write_bytes(bytes([0, 0, code, 3]) + struct.pack(">III", 1, 28, 28) + bytes(28 * 28 * 8))
    told = f"{path} is not an IDX file of unsigned bytes: its type code is {code}, not 8"
    assert the_one(str(path)) == Refused(str(path), told)


def test_a_picture_that_begins_like_an_idx_file_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "seven.tga"
    printed(7).save(path, compression="tga_rle")
    assert path.read_bytes().startswith(b"\0\0\x0b\0")
    seen, (wanted,) = the_one(str(path)), given_pictures([saved_png(tmp_path)], MNIST, False, NOTHING)
    assert isinstance(seen, Seen)
    assert isinstance(wanted, Seen)
    assert np.array_equal(seen.pixels, wanted.pixels)


def saved_png(folder: Path) -> str:
    path = folder / "seven.png"
    printed(7).save(path)
    return str(path)


def test_what_has_no_end_is_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.pictures.given.MOST_BYTES", 2**20)
    assert the_one("/dev/zero") == Refused("/dev/zero", "/dev/zero has more than 1 MiB: give less at once")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1100, 1000), dtype=np.uint8))
    noise.save(tmp_path / "large.bmp")
    with (tmp_path / "large.bmp").open("rb") as file:
        [told] = given_pictures(["-"], MNIST, False, file)
    assert told == Refused("standard input", "standard input has more than 1 MiB: give less at once")


@pytest.mark.parametrize(
    ("framing", "reason"),
    [("mnist", "no digit found: the picture is blank"), ("fashion-mnist", "nothing found: the picture is blank")],
)
def test_a_blank_picture_is_empty_and_not_refused(tmp_path: Path, framing: str, reason: str) -> None:
    path = tmp_path / "blank.png"
    for blank in (Image.new("L", (60, 60), 200), Image.new("RGBA", (60, 60), (9, 99, 199, 0))):
        blank.save(path)
        with path.open("rb") as file:
            given = [*given_pictures([str(path), "-"], FRAMINGS[framing], False, file)]
        assert given == [Empty(str(path), reason), Empty("standard input", reason)]
