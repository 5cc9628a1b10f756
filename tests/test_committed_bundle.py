"""The trained network that a visitor finds in the clone is whole, small, and does what its page says."""

import re
from pathlib import Path

from search.measures.words import bytes_text, percent
from trainer.bundle.check import check_bundle
from trainer.bundle.forms import FORMS
from trainer.bundle.manifest import read_manifest

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "docs" / "model"


def test_every_file_of_it_is_as_it_was_written_and_runs() -> None:
    checked = check_bundle(BUNDLE, lambda _: None)
    assert checked.not_run == {}
    assert list(checked.accuracies) == list(FORMS)


def test_it_is_small_and_verified() -> None:
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) < 300_000
    manifest = read_manifest(BUNDLE)
    assert manifest["dataset"] == "mnist"
    assert manifest["verification"]["verdict"] == "verified"
    assert manifest["verification"]["target"] == 0.994
    assert manifest["trained_network"]["accuracy"] > 0.994


def test_the_readme_s_table_is_the_manifest_s() -> None:
    manifest, readme = read_manifest(BUNDLE), (ROOT / "README.md").read_text()
    for one in manifest["measured"]:
        size = bytes_text(manifest["files"][one["file"]]["size_bytes"])
        numbers = [size, percent(one["accuracy"]), str(one["n_different"])]
        cells = r" \| ".join(map(re.escape, numbers))
        row = rf"^\| `{re.escape(one['file'])}`[^|]*{one['numbers']}[^|]*\| {cells} \|"
        assert re.search(row, readme, re.MULTILINE), row
