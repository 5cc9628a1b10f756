"""`predict`: pictures in, digits out; and each that is none is told in a line of its own."""

import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.bundles import digits, network
from tests.helpers.cli import call

TEST = digits().test


def idx_of(images: np.ndarray) -> bytes:
    return b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in images.shape) + images.tobytes()


def picture(number: int) -> Image.Image:
    """A test image, enlarged, dark on light: as somebody might have scanned it."""
    return Image.fromarray(255 - TEST.pixels[number].numpy()).resize((200, 200), Image.Resampling.BICUBIC)


@pytest.fixture
def model(bundle: Path, own_folder: Path) -> str:
    """A quick file of the bundle, seen from a folder of one's own."""
    return str(bundle / "model.onnx")


def test_pictures_of_any_kind_are_read(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture(0).save("one.png")
    picture(1).convert("RGB").save("two.jpg", quality=95)
    code, out, err = call(["predict", model, "one.png", "two.jpg"], capsys)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines] == [
        ["one.png", str(int(TEST.labels[0]))], ["two.jpg", str(int(TEST.labels[1]))],
    ]  # fmt: skip
    assert all(line[2].endswith("%") and line[3] == "then" for line in lines)
    code, out, _ = call(["predict", model, "one.png", "--json"], capsys)
    [fact] = json.loads(out)
    assert list(fact) == ["name", "answer", "confidence", "runner_up", "runner_up_confidence"]
    assert 0.5 < fact["confidence"] <= 1
    assert fact["answer"] != fact["runner_up"]


def test_idx_files_are_taken_as_they_are(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    images = TEST.pixels[:30].numpy()
    Path("t30.idx").write_bytes(idx_of(images))
    Path("t30.idx.gz").write_bytes(gzip.compress(idx_of(images)))
    wanted = [str(int(answer)) for answer in network().logits(TEST.pixels[:30]).argmax(1)]
    for name in ("t30.idx", "t30.idx.gz"):
        code, out, _ = call(["predict", model, name, "--json"], capsys)
        facts = json.loads(out)
        assert code == 0
        assert [fact["answer"] for fact in facts] == wanted
        assert facts[17]["name"] == f"{name}#17"


def test_as_is_nothing_is_framed(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(TEST.pixels[3].numpy()).save("small.png")
    picture(3).save("large.png")
    code, out, err = call(["predict", model, "small.png", "large.png", "--as-is"], capsys)
    assert code == 2
    assert out.split()[1] == str(int(network().logits(TEST.pixels[3:4]).argmax()))
    assert err == "mnist-search: large.png has 200 x 200 pixels, --as-is takes 28 x 28: leave it out\n"


def test_a_folder_s_pictures_in_their_order(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("scans").mkdir()
    for number, name in enumerate(("b.png", "a.PNG")):
        picture(number).save(f"scans/{name}")
    Path("scans/notes.txt").write_text("no picture")
    code, out, err = call(["predict", model, "scans"], capsys)
    assert (code, err) == (0, "scans: 1 other file left out\n")
    assert [line.split()[0] for line in out.splitlines()] == ["scans/a.PNG", "scans/b.png"]
    Path("none").mkdir()
    code, out, err = call(["predict", model, "none"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("mnist-search: none holds no picture: put files ending in .png, ")


def test_standard_input(model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    picture(2).save(content, "PNG")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.getvalue())))
    code, out, _ = call(["predict", model, "-"], capsys)
    assert code == 0
    assert out.split()[:3] == ["standard", "input", str(int(TEST.labels[2]))]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert call(["predict", model, "-"], capsys) == (
        2, "", "mnist-search: standard input is empty: give a PNG, a JPEG or an IDX file\n",
    )  # fmt: skip


def test_one_bad_file_does_not_keep_the_others_from_being_read(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture(0).save("good.png")
    Path("text.png").write_text("<svg/>")
    Path("cut.png").write_bytes(Path("good.png").read_bytes()[:300])
    Path("flat.idx").write_bytes(b"\0\0\x08\x01\0\0\0\x02ab")
    Path("none.idx").write_bytes(idx_of(TEST.pixels[:0].numpy()))
    code, out, err = call(
        ["predict", model, "none.png", "text.png", "cut.png", "flat.idx", "none.idx", "good.png"], capsys
    )
    assert code == 2
    assert [line.split()[0] for line in out.splitlines()] == ["good.png"]
    said = err.splitlines()
    starts = (
        "there is no file none.png: name a picture, a folder of them, an IDX file or -",
        "text.png is no picture: ",
        "cut.png is a damaged picture (",
        "flat.idx holds 2 values, not N images of 28x28",
        "none.idx holds no image",
    )
    assert len(said) == len(starts)
    for line, start in zip(said, starts, strict=True):
        assert line.startswith(f"mnist-search: {start}")
    code, out, _ = call(["predict", model, "none.png", "good.png", "--json"], capsys)
    refused, good = json.loads(out)
    assert code == 2
    assert refused == {"name": "none.png", "error": starts[0]}
    assert good["name"] == "good.png"


def test_a_blank_picture_is_read_and_has_no_answer(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (60, 60), 200).save("blank.png")
    picture(0).save("good.png")
    code, out, err = call(["predict", model, "blank.png", "good.png"], capsys)
    assert (code, err) == (0, "")
    blank, good = out.splitlines()
    assert blank == "blank.png  no digit found: the picture is blank"
    assert good.split()[:2] == ["good.png", str(int(TEST.labels[0]))]
    code, out, err = call(["predict", model, "good.png", "blank.png", "--json"], capsys)
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert [row["name"] for row in rows] == ["good.png", "blank.png"]
    nothing = dict.fromkeys(("answer", "confidence", "runner_up", "runner_up_confidence"))
    assert rows[1] == {"name": "blank.png", **nothing, "reason": "no digit found: the picture is blank"}


def test_show_draws_what_the_network_saw(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t1.idx").write_bytes(idx_of(TEST.pixels[:1].numpy()))
    code, out, _ = call(["predict", model, "t1.idx", "--show"], capsys)
    drawing = out.splitlines()[:14]
    assert code == 0
    assert [len(line) for line in drawing] == [28] * 14
    means = TEST.pixels[0].float().reshape(14, 2, 28).mean(1)
    assert {line[x] for y, line in enumerate(drawing) for x in range(28) if means[y, x] == 0} == {" "}
    assert "@" in "".join(drawing)


def test_no_model(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["predict", "none.pt2", "-"], capsys) == (
        2, "", "mnist-search: there is no none.pt2: `mnist-search export` makes a bundle to name here\n",
    )  # fmt: skip
    assert call(["predict", "none.pt2"], capsys)[0] == 2
