"""`export`: what was verified becomes a bundle, and says so; what was not says that too; and bundles are checked."""

import json
from pathlib import Path

import pytest

from models.candidate import Candidate
from models.recipe import Recipe
from models.spec.file import dump_spec
from search.cli.app import main
from search.cli.bundle_lines import print_checked
from tests.helpers.bundles import copied
from tests.helpers.cli import call
from tests.helpers.trainings import LEARNER
from trainer.bundle.check import Checked
from trainer.bundle.forms import FORMS
from trainer.bundle.manifest import read_manifest


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra packages are not installed: a bundle is then made in a third of the time."""
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("a_package_that_nobody_has",))


@pytest.mark.usefixtures("inline_engine", "without_onnx")
def test_a_verified_file_becomes_a_bundle_that_says_so(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    candidate = Candidate(LEARNER, Recipe(epochs=3, batch_size=32))
    (own_folder / "mine.yaml").write_text(dump_spec(candidate, "mine"))
    words = ["verify", "mine.yaml", "--seeds", "2", "--dataset", "digits", "--target", "0.9", "--precision", "float32"]
    assert call([*words, "--sustain", "1"], capsys)[0] == 0
    code, out, err = call(["export", "mine.yaml", "--out", "model"], capsys)
    assert (code, err.splitlines()[1:]) == (
        0,
        ["writing the files", "running each of them over 300 test images, by itself"],
    )
    lines = out.splitlines()
    assert lines[0].startswith(f"mine: {LEARNER.params:,} parameters, ")
    assert lines[1:3] == [
        "Too few seeds at 90.00%: the mean of so few seeds proves nothing; 3 more seeds",
        "are needed.",
    ]
    assert lines[3].startswith("seed ")
    assert lines[3].endswith(" of 2, the median of them")
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "left out: model.onnx and model.int8.onnx; pip install -e '.[onnx]'"
    card = Path("model/MODEL_CARD.md").read_text()
    assert "Trained from scratch with 2 fresh seeds, 3 epochs each" in card
    assert card.count("(this one)") == 1
    assert "$ mnist-search verify mine.yaml --seeds 2 --epochs 3" in card
    assert "$ mnist-search export mine.yaml\n" in card
    assert "`model.onnx` was left out: pip install" in card
    manifest = json.loads(Path("model/manifest.json").read_text())
    assert [run["seed_number"] for run in manifest["verification"]["seeds"]] == [1, 2]
    accuracies = {run["seed_number"]: run["sustained_accuracy"] for run in manifest["verification"]["seeds"]}
    of = manifest["source"]["seed_number"]
    assert accuracies[of] == min(accuracies.values()), "of two the lower one"
    assert manifest["trained_network"]["accuracy"] == pytest.approx(accuracies[of]), "it is that very network"


def test_a_checked_bundle_is_told_form_by_form(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = read_manifest(bundle)
    accuracies = dict.fromkeys(FORMS[:2], 0.9512) | {FORMS[2]: None}
    checked = Checked(manifest, 10, 20, accuracies, dict.fromkeys(FORMS[4:], "install it"), ["model"])
    print_checked(checked, Path("model"), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "model: three-epochs, 10 files as they were written",
        "  model.pt2            float32  20 test vectors as expected  95.12% of the test images",
        "  weights.safetensors  float32  20 test vectors as expected  95.12% of the test images",
        "  model.onnx           float32  20 test vectors as expected",
        "accuracy not measured: the images of digits are not at hand, name their folder with --data-dir",
        "there too, and no part of it: model",
        "not run: model.c in float32 and model.c in int8; install it",
    ]
    print_checked(checked, Path("model"), as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["forms"][0] == {"file": "model.pt2", "numbers": "float32", "accuracy": 0.9512}
    assert facts["not_run"] == {"model.c in float32": "install it", "model.c in int8": "install it"}


def test_checking_says_what_was_checked_and_what_was_not(
    bundle: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(bundle, own_folder)
    (folder / "model.h").unlink()
    assert call(["export", "--check", "bundle"], capsys) == (
        2, "", "mnist-search: bundle is damaged: model.h is missing; do not use it\n",
    )  # fmt: skip
    assert call(["export", "37", "--check", "bundle"], capsys) == (
        2, "", "mnist-search: --check DIR checks a bundle that is there: leave out WHAT, --seed and --no-int8\n",
    )  # fmt: skip
    assert call(["export", "--check", "nowhere"], capsys) == (
        2, "", "mnist-search: nowhere is no bundle: it has no manifest.json\n",
    )  # fmt: skip


def names_here() -> list[str]:
    """Of the working folder's files, but for those that SQLite comes and goes with."""
    return sorted(path.name for path in Path.cwd().iterdir() if not path.name.endswith(("-wal", "-shm")))


@pytest.mark.usefixtures("with_a_study")
@pytest.mark.parametrize(("words", "reason"), [
    (["best", "--seed", "2"], "--seed 2: trial {} is not verified, which is what trains seeds"),
    (["a-step5"], "a-step5 has no trained network here: `mnist-search verify a-step5` trains and proves it"),
    (["best", "--out", "."], ". is the working folder and cannot be renamed: name a folder in it with --out"),
    (["best", "--out", "mnist-search-artifacts"], "mnist-search-artifacts holds other files than a bundle: name a new"),
    (["best", "--out", "mnist-search.db"], "mnist-search.db is no folder: name another with --out"),
])  # fmt: skip
def test_what_cannot_be_exported_is_said_in_a_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names_here()
    code, out, err = call(["export", *words], capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    start, _, end = reason.partition("{}")
    assert err.startswith(f"mnist-search: {start}")
    assert end in err
    assert names_here() == before


@pytest.mark.usefixtures("with_a_study")
def test_a_search_that_was_never_begun(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["export", "--storage", f"sqlite:///{tmp_path}/none.db"])
    assert stop.value.code == 2
