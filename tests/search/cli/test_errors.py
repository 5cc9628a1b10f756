"""Bad input: one clear line on stderr, exit code 2, nothing on stdout, no traceback."""

import sqlite3
from pathlib import Path

import pytest

from tests.helpers.cli import QUICK, call
from tests.helpers.datasets import (
    N_TRAIN,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    flat_images,
    idx_bytes,
    some_images,
    some_labels,
    write_dataset,
)

NOTHING_STORED = "nothing is stored at sqlite:///mnist-search.db yet: run `mnist-search run` first, or name --storage"


pytestmark = pytest.mark.usefixtures("own_folder")


def refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused, without the program's name."""
    code, out, err = call(arguments.split(), capsys)
    assert code == 2, err
    assert out == ""
    assert err.startswith("mnist-search: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.removeprefix("mnist-search: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("run --trials 0", "--trials 0: search for at least 1 candidate"),
        ("run --target 1.5", "--target 1.5 is not an accuracy: give a fraction of 1, such as 0.994"),
        ("run --target 99.4", "--target 99.4 is not an accuracy: give a fraction of 1, such as 0.994"),
        ("run --device tpu", "unknown device 'tpu': use auto, cpu, cuda or mps"),
        ("run --precision half", "unknown precision 'half': use auto, float32 or bfloat16"),
        ("run --workers 0", "--workers 0: use auto, or a number of at least 1"),
        ("run --workers many", "--workers many: use auto, or a number of at least 1"),
        ("run --slots 0", "--slots 0: use auto, or a number from 1 to 256"),
        ("run --slots 257", "--slots 257: use auto, or a number from 1 to 256"),
        ("verify a-step5 --slots few", "--slots few: use auto, or a number from 1 to 256"),
        ("run --timeout -3", "--timeout -3: give a time above 0"),
        ("run --timeout 0m", "--timeout 0m: give a time above 0"),
        ("run --timeout soon", "--timeout soon: write a duration, such as 90s, 20m, 1h30m, or a number of seconds"),
        ("run --timeout m", "--timeout m: write a duration, such as 90s, 20m, 1h30m, or a number of seconds"),
        ("run --patience 30m1h", "--patience 30m1h: write a duration, such as 90s, 20m, 1h30m, or a number of"),
        ("run --patience -1s", "--patience -1s: write a duration, such as 90s, 20m, 1h30m, or a number of seconds"),
        ("run --patience inf", "--patience inf: give a time of 0 or more"),
        ("run --set body_wdth=4:5", "range body_wdth: no such range: did you mean body_width, body_depth?"),
        ("run --set Rotation_degree=5", "range Rotation_degree: no such range: did you mean rotation_degrees?"),
        ("run --warm-start a-stp5", "nothing is called 'a-stp5': did you mean a-step5, b-step5, a-step4?"),
        ("show A-STEP5", "nothing is called 'A-STEP5': did you mean a-step5?"),
        ("show bset", "nothing is called 'bset': did you mean best?"),
        ("status --watch --json", "--watch prints text: leave out --json, or call status --json again and again"),
        ("trials --sort size", "unknown --sort 'size': use number, accuracy, params, macs, seconds"),
        ("trials --outcome done", "unknown --outcome 'done': use trained, pruned, rejected, diverged, failed, "),
        ("trials --csv --json", "--csv and --json are two forms of output: choose one"),
        ("run --epochs 0", "--epochs 0: a training has 1 to 1,000 epochs"),
        ("run --sustain 0", "--sustain 0: at least 1 epoch decides"),
        ("run --sustain 2000", "--sustain 2000: a training has 1 to 1,000 epochs"),
        ("run --epochs 2 --sustain 3", "--sustain 3 is more than --epochs 2: a training must have them all"),
        ("run --seed -1", "--seed -1: a seed is a whole number from 0 to 2,147,483,647"),
        ("run --sampler grid", "unknown sampler 'grid': use tpe or random"),
        ("run --pruner hard", "unknown pruner 'hard': use median or none"),
        ("run --split train", "unknown split 'train': use holdout or test"),
        ("run --dataset cifar", "unknown dataset 'cifar': use auto, mnist, fashion-mnist, kmnist or digits"),
        ("run --set body_width", "--set body_width: write NAME=RANGE, such as body_width=4:16"),
        ("run --set body_width=9:4", "range body_width: '9:4' runs backwards: the smaller number comes first"),
        ("run --space no.yaml", "no.yaml: there is no such file: name a file of ranges"),
        ("run --storage nonsense", "'nonsense' is not a storage URL: write sqlite:///FILE.db, or a Postgre"),
        ("run --storage sqlite://", "'sqlite://' names no file: write sqlite:///FILE.db"),
        ("run --storage sqlite:////no/x.db", "the folder /no does not exist: make it, or name another with --storage"),
        ("status --study=", "--study '' names no study: write its name, or leave the option out"),
        ("run --study= --dataset digits", "--study '' names no study: write its name, or leave the option out"),
        ("dashboard --study=", "--study '' names no study: write its name, or leave the option out"),
        ("status", NOTHING_STORED),
        ("show best", NOTHING_STORED),
        ("show mine.yaml", "mine.yaml: there is no such file: name a spec file (.yaml, .yml, .json)"),
        ("export a-step5", "a-step5 has no trained network here: `mnist-search verify a-step5` trains and"),
        ("run --trials many", "Invalid value for '--trials': "),
        ("run --trails 5", "No such option: --trails"),
        ("fly", "No such command 'fly'. (see mnist-search --help)"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(arguments, capsys).startswith(text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("show min.yaml", "min.yaml: there is no such file: did you mean mine.yaml?"),
        ("show mine", "nothing is called 'mine': did you mean mine.yaml?"),
        ("show nest/mine.yaml", "nest/mine.yaml: there is no such file: did you mean nets/mine.yaml?"),
        ("show nets/mine.yml", "nets/mine.yml: there is no such file: did you mean nets/mine.yaml?"),
        ("run --space range.yaml", "range.yaml: there is no such file: did you mean ranges.yaml"),
        ("predict modle 7.png", "there is no modle: did you mean model?"),
        ("export --check modle", "modle is no bundle: did you mean model?"),
        ("status --storage sqlite:///studys.db", "nothing is stored at sqlite:///studys.db: did you mean studies.db?"),
        ("show far/from/everything.yaml", "far/from/everything.yaml: there is no such file: name a spec file (.yaml, "),
    ],
)
def test_files_that_may_be_meant(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mine.yaml", "ranges.yaml", "studies.db", "nets/mine.yaml", "model/model.pt2"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert refused(arguments, capsys).startswith(text)


def test_a_budget_below_the_smallest_network(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused("run --dataset digits --max-params 50 --set stem_width=4:8", capsys)
    assert line == (
        "--max-params 50: the smallest network of this space has 128 parameters; ask for more than that, "
        "or give smaller ranges"
    )


def test_a_device_that_is_not_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert refused("run --device cuda", capsys) == "no cuda device is here: use --device cpu, or auto"


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused("run --dataset digits --storage sqlite:////proc/x.db", capsys)
    assert line == "/proc/x.db cannot be written: unable to open database file; name another with --storage"


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    line = refused("run --dataset digits --storage sqlite:///letter.db", capsys)
    assert line == "letter.db is not an SQLite database: name another with --storage"
    assert path.read_text().startswith("Dear Sir")


@pytest.mark.usefixtures("with_a_study")
def test_an_unknown_study_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        refused("status --study nobody", capsys) == "no study 'nobody' in sqlite:///mnist-search.db: there are digits"
    )
    assert refused("status --study digts", capsys) == (
        "no study 'digts' in sqlite:///mnist-search.db: did you mean digits?"
    )
    assert refused("run --study digits --set body_wdth=3", capsys) == (
        "range body_wdth: no such range: did you mean body_width, body_depth?"
    )
    assert refused("show 99", capsys).startswith("study 'digits' has no trial 99: it has 0 to ")
    assert refused("show thing", capsys).startswith(
        "nothing is called 'thing': say answer, best, smallest, a trial number, a spec file, or a preset (a-step1, "
    )
    assert refused("run --study digits --epochs 7", capsys) == (
        "study 'digits' was begun with --epochs 1, not 7: leave --epochs out to go on with it, "
        "or begin another with --study NAME"
    )
    assert refused("run --study digits --set lr=0.1", capsys) == (
        "study 'digits' was begun with lr=0.05:0.4:log, not 0.1: leave it out to go on with it, "
        "or begin another with --study NAME"
    )


@pytest.mark.usefixtures("with_a_study")
def test_a_study_of_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect("mnist-search.db") as database:
        database.execute("INSERT INTO studies (study_id, study_name) VALUES (7, 'other')")
        database.execute("INSERT INTO study_directions VALUES (7, 'MAXIMIZE', 7, 0)")
    line = refused("status --study other", capsys)
    assert line == "study 'other' was not made by mnist-search: name another with --study"
    assert refused("status", capsys) == (
        "sqlite:///mnist-search.db holds several studies: name one of digits, other with --study"
    )


def test_damaged_data_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x05abc")
    line = refused("run --data-dir data", capsys)
    assert line == (
        "data/MNIST/raw/train-images-idx3-ubyte is truncated: 11 bytes where its header (5,) needs 13; fetch it again"
    )


@pytest.mark.parametrize("command", ["run", "train a-step5", "train a-step5 --split holdout"])
def test_images_without_contrast_are_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_dataset(tmp_path / "data")
    (raw / TRAIN_IMAGES).write_bytes(idx_bytes(flat_images(N_TRAIN, 7)))
    assert refused(f"{command} --dataset mnist --data-dir data", capsys) == (
        "data/MNIST/raw/train-images-idx3-ubyte holds images without contrast: every pixel is 7; fetch it again"
    )
    assert command != "run" or not Path("mnist-search.db").exists()


def test_too_few_images_are_counted_before_a_study_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_dataset(tmp_path / "data")
    (raw / TRAIN_IMAGES).write_bytes(idx_bytes(some_images(3)))
    (raw / TRAIN_LABELS).write_bytes(idx_bytes(some_labels(3)))
    assert refused("run --data-dir data", capsys) == "mnist has 3 training images: use 4 or more"
    assert not Path("mnist-search.db").exists()


def test_insisting_on_data_that_are_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: "no network")
    assert refused("run --dataset mnist --data-dir data", capsys) == (
        "mnist is not in data and could not be fetched (no network): put its four IDX files in data/MNIST/raw, "
        "or name their folder with --data-dir or MNIST_SEARCH_DATA"
    )


@pytest.mark.usefixtures("inline_engine")
def test_a_refused_run_leaves_no_study_behind(capsys: pytest.CaptureFixture[str]) -> None:
    refused("run --dataset digits --max-params 50", capsys)
    assert not Path("mnist-search.db").exists()
    assert call(["run", "--trials", "1", *QUICK], capsys)[0] == 0
