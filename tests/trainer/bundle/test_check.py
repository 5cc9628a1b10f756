"""A bundle checked later: a good one passes, and whatever was done to it is told by the file's name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import MnistSearchError
from tests.helpers.bundles import copied, digits
from trainer.bundle.check import Checked, check_bundle
from trainer.bundle.forms import FORMS
from trainer.bundle.manifest import MANIFEST_FILE, file_facts, read_manifest, write_manifest
from trainer.data.images import Images


def checked(folder: Path, test: Images | None = None) -> Checked:
    return check_bundle(folder, lambda _: test)


def refusal(folder: Path) -> str:
    with pytest.raises(MnistSearchError) as caught:
        checked(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_bundle_passes_with_its_accuracy(bundle: Path) -> None:
    found = checked(bundle, digits().test)
    promised = {one["file"] + one["numbers"]: one["accuracy"] for one in found.manifest["measured"]}
    assert {form.file + form.numbers: accuracy for form, accuracy in found.accuracies.items()} == promised
    assert (found.n_files, found.n_vectors, found.not_run) == (10, 20, {})


def test_without_extras_the_rest_is_checked(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("a_package_that_nobody_has",))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    found = checked(bundle)
    assert {form.file for form in found.accuracies} == {"model.pt2", "weights.safetensors"}
    assert set(found.accuracies.values()) == {None}
    assert {form.file for form in found.not_run} == {"model.onnx", "model.int8.onnx", "model.c"}


def test_with_a_compiler_that_does_not_work_the_rest_is_checked(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "true")
    fault = "the C compiler `true` does not work here (it writes no program): name another in CC"
    assert {form.text: why for form, why in checked(bundle).not_run.items()} == {
        "model.c in float32": fault,
        "model.c in int8": fault,
    }


@pytest.mark.parametrize("name", [
    "model.pt2", "model.onnx", "model.int8.onnx", "weights.safetensors", "arch.json", "load_weights.py", "model.c",
    "model.h", "test_vectors.npz", "MODEL_CARD.md",
])  # fmt: skip
def test_a_flipped_byte_and_a_missing_file_are_told(bundle: Path, tmp_path: Path, name: str) -> None:
    folder = copied(bundle, tmp_path)
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refusal(folder) == (
        f"{folder} is damaged: {name} was changed: its checksum is not that of the manifest; do not use it"
    )
    path.write_bytes(content[:-1])
    assert f"{name} has {len(content) - 1:,} bytes and not {len(content):,}" in refusal(folder)
    path.unlink()
    assert refusal(folder) == f"{folder} is damaged: {name} is missing; do not use it"


def test_all_faults_are_told_at_once(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    (folder / "model.c").unlink()
    (folder / "model.pt2").write_bytes(b"")
    text = refusal(folder)
    assert all(part in text for part in ("model.c is missing", "model.pt2 has 0 bytes"))


def test_what_came_of_using_it_is_no_damage(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    (folder / "model").touch()  # as its card says to compile it
    (folder / "__pycache__").mkdir()
    signed_anew(folder, measured=measured_of(folder, "model.onnx"))
    assert checked(folder).added == ["__pycache__", "model"]


def test_a_manifest_that_leads_elsewhere(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    manifest = read_manifest(folder)
    for files in (list(manifest["files"]), {"../secret": {"size_bytes": 0, "sha256": ""}}):
        write_manifest({**manifest, "files": files}, folder)
        assert refusal(folder) == f"{folder / MANIFEST_FILE} is damaged: it is not what was written"


def test_a_damaged_manifest(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    path = folder / MANIFEST_FILE
    text = path.read_text()
    path.write_text(text.replace('"n_right": 2', '"n_right": 3'))
    assert refusal(folder) == f"{path} is damaged: it is not what was written"
    path.write_text(text[:100])
    assert refusal(folder).startswith(f"{path} is damaged: ")
    path.write_text(json.dumps({**json.loads(text), "format": "mnist-search bundle 9"}))
    assert refusal(folder) == f"{path} is not of a bundle that this version knows (mnist-search bundle 1)"
    path.unlink()
    assert refusal(folder) == f"{folder} is no bundle: it has no {MANIFEST_FILE}"


def signed_anew(folder: Path, **changes: object) -> None:
    """The manifest made to fit the files again, as somebody would who puts a file of his own in."""
    manifest = read_manifest(folder)
    files = {name: file_facts(folder / name) for name in manifest["files"]}
    write_manifest({**manifest, "files": files, **changes}, folder)


def test_foreign_models_are_told_though_their_checksums_fit(bundle: Path, other_files: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    for name in ("model.pt2", "weights.safetensors", "model.onnx", "model.int8.onnx", "model.c"):
        (folder / name).write_bytes((other_files / name).read_bytes())
    signed_anew(folder)
    told = [f"{form.text} does not give the logits of the test vectors: it is another network's" for form in FORMS]
    assert refusal(folder) == f"{folder} is damaged: {'; '.join(told)}; do not use it"


def measured_of(folder: Path, *names: str) -> list[dict[str, Any]]:
    """What the manifest says of some files: those that are left out of it are not run."""
    return [one for one in read_manifest(folder)["measured"] if one["file"] in names]


def test_one_foreign_model_among_good_ones_is_told(bundle: Path, other_files: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    (folder / "model.onnx").write_bytes((other_files / "model.onnx").read_bytes())
    signed_anew(folder, measured=measured_of(folder, "model.onnx", "model.int8.onnx"))
    assert refusal(folder).count("does not give the logits of the test vectors") == 1


def test_files_that_cannot_be_run_are_told(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    (folder / "model.onnx").write_bytes(b"no model")
    (folder / "model.c").write_text("int main(void) { return 0 }")
    signed_anew(folder, measured=measured_of(folder, "model.onnx", "model.int8.onnx", "model.c"))
    text = refusal(folder)
    assert text.startswith(f"{folder} is as it was written, but does not run here: ")
    assert text.endswith(")")
    assert "(made with mnist-search " in text
    assert f"{folder / 'model.onnx'} cannot be run: " in text
    assert text.count(f"{folder / 'model.c'} does not compile: ") == 1
    assert "model.int8.onnx" not in text


def test_a_promise_that_does_not_hold_is_told(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    [measured] = measured_of(folder, "model.onnx")
    signed_anew(folder, measured=[{**measured, "accuracy": 0.999}])
    with pytest.raises(
        MnistSearchError, match=r"model\.onnx in float32 has 9\d\.\d\d% of the test images right and not"
    ):
        checked(folder, digits().test)


def test_damaged_test_vectors_are_told(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    for labels in (1, 2):
        arrays = {"labels": np.zeros(labels), "logits": np.zeros((1, 10))} if labels == 2 else {}
        np.savez(folder / "test_vectors.npz", images=np.zeros((1, 28, 28), np.uint8), **arrays)  # type: ignore[arg-type]
        signed_anew(folder)
        assert refusal(folder).startswith(f"{folder / 'test_vectors.npz'} cannot be read: ")
