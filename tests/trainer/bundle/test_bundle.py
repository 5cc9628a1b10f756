"""A bundle as it is made: every form in it, measured, told in the manifest and the card."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from models.errors import MnistSearchError
from tests.helpers.bundles import UNTIMED, digits, make, network
from trainer.bundle.bundle import CARD_FILE
from trainer.bundle.forms import FORMS
from trainer.bundle.judged import MismatchError
from trainer.bundle.manifest import MANIFEST_FILE, is_bundle, read_manifest
from trainer.bundle.vectors import read_vectors

FILES = {
    "model.pt2", "model.onnx", "model.int8.onnx", "weights.safetensors", "arch.json", "load_weights.py", "model.c",
    "model.h", "test_vectors.npz", "manifest.json", "MODEL_CARD.md",
}  # fmt: skip


def test_every_file_is_there_with_its_checksum(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == FILES
    manifest = read_manifest(bundle)
    assert set(manifest["files"]) == FILES - {MANIFEST_FILE}
    for name, facts in manifest["files"].items():
        content = (bundle / name).read_bytes()
        assert facts == {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_every_form_was_measured_on_the_test_images(bundle: Path) -> None:
    manifest, labels = read_manifest(bundle), digits().test.labels
    right = float((network().logits(digits().test.pixels).argmax(1) == labels).float().mean())
    assert manifest["trained_network"]["accuracy"] == pytest.approx(right)
    measured = manifest["measured"]
    assert [(one["file"], one["numbers"]) for one in measured] == [(form.file, form.numbers) for form in FORMS]
    for one in measured:
        if one["numbers"] == "float32":
            assert (one["accuracy"], one["n_different"]) == (pytest.approx(right), 0)
            assert 0 <= one["max_logit_difference"] < 1e-3
        else:
            assert one["accuracy"] >= right - 1.001 / len(labels)
            assert one["max_logit_difference"] > 0, "int8 has other logits"
        assert one["latency_seconds"] > 0
        assert one["images_per_second"] > 0
    ran = " ".join(one["run_by"] for one in measured)
    assert all(name in ran for name in ("torch 2.", "safetensors ", "onnxruntime ", "-O"))


def test_the_manifest_says_what_the_network_is(bundle: Path) -> None:
    manifest, trained = read_manifest(bundle), network()
    arch = manifest["architecture"]
    assert arch["params"] == trained.candidate.arch.params
    assert arch["macs"] == trained.candidate.arch.macs
    assert arch["weights_bytes"] == {"float32": 4 * arch["params"], "int8": arch["params"]}
    assert arch["c"]["int8"]["scratch_bytes"] < arch["c"]["float32"]["scratch_bytes"] / 3
    assert (manifest["preprocessing"]["mean"], manifest["preprocessing"]["std"]) == (trained.mean, trained.std)
    assert manifest["classes"] == list("0123456789")
    assert manifest["candidate"] == trained.candidate.id
    assert manifest["left_out"] == {}
    n_wrong = sum(one["n"] for one in manifest["trained_network"]["mistakes"])
    assert n_wrong == manifest["trained_network"]["n_images"] - manifest["trained_network"]["n_right"]


def test_the_test_vectors_are_images_of_every_class_with_their_logits(bundle: Path) -> None:
    vectors = read_vectors(bundle)
    assert vectors.images.shape == (20, 28, 28)
    assert np.bincount(vectors.labels).tolist() == [2] * 10
    expected = network().logits(torch.from_numpy(vectors.images)).numpy()
    np.testing.assert_allclose(vectors.logits, expected, atol=1e-5)
    assert set(vectors.int8_logits) == {"model.int8.onnx", "model.c"}
    for logits in vectors.int8_logits.values():
        assert np.abs(logits - expected).max() < 0.1 * np.abs(expected).max()


def test_the_card_has_a_head_that_programs_read(bundle: Path) -> None:
    text = (bundle / CARD_FILE).read_text()
    _, head, body = text.split("---\n", 2)
    [model] = yaml.safe_load(head)["model-index"]
    [result] = model["results"]
    assert result["dataset"]["split"] == "test"
    assert len(result["metrics"]) == len(FORMS)
    manifest = read_manifest(bundle)
    assert {one["value"] for one in result["metrics"]} == {one["accuracy"] for one in manifest["measured"]}
    assert "**Not verified: " in body
    assert re.search(r"\| model\.int8\.onnx \| int8 \| [\d.]+ KiB \| \d\d\.\d\d% \| \d \|", body)


def test_a_changed_network_behind_the_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights that are written are not those that are promised: nothing is left of it."""
    monkeypatch.setattr("trainer.bundle.written.FORMS", [form for form in FORMS if form.run_by == "c"])
    promised, other = network(0), network(1)
    monkeypatch.setattr(type(promised), "folded", other.folded)
    with pytest.raises(MismatchError, match=r"model\.c in float32 does not compute what the trained network does"):
        make(tmp_path / "bundle", promised, replace(UNTIMED, has_int8=False))
    assert list(tmp_path.iterdir()) == []


def test_without_extras_the_rest_is_written_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("onnx", "a_package_that_nobody_has"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    manifest = make(tmp_path / "bundle")
    assert [one["file"] for one in manifest["measured"]] == ["model.pt2", "weights.safetensors"]
    assert manifest["left_out"] == {
        "model.onnx": "pip install -e '.[onnx]'",
        "model.int8.onnx": "pip install -e '.[onnx]'",
        "model.c": "there is no C compiler here: install gcc or clang, or name one in CC",
    }
    assert {path.name for path in (tmp_path / "bundle").iterdir()} & {"model.onnx", "model.c", "model.h"} == set()


@pytest.mark.parametrize("compiler", ["false", "true", "cc -include no-such-header.h", "g++"])
def test_with_a_compiler_that_does_not_work_the_rest_is_written_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"there is no {compiler} here")
    monkeypatch.setenv("CC", compiler)
    manifest = make(tmp_path / "bundle")
    fault = manifest["left_out"]["model.c"]
    assert list(manifest["left_out"]) == ["model.c"]
    assert fault.startswith(f"the C compiler `{compiler}` does not work here (")
    assert {path.name for path in (tmp_path / "bundle").iterdir()} == FILES - {"model.c", "model.h"}
    assert [one["file"] for one in manifest["measured"]] == [form.file for form in FORMS if form.run_by != "c"]
    assert f"`model.c` was left out: {fault}." in (tmp_path / "bundle" / CARD_FILE).read_text()


def test_what_only_looks_like_a_bundle_is_none(bundle: Path, tmp_path: Path) -> None:
    assert is_bundle(bundle)
    facts = {"format": "mnist-search bundle 1", "files": {"src": {}}}
    others: list[object] = [facts, {**facts, "format": "a web extension"}, {**facts, "files": ["src"]}, []]
    for changed in others:
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / MANIFEST_FILE).write_text(json.dumps(changed))
        assert not is_bundle(tmp_path)


def test_an_older_bundle_is_replaced_and_other_folders_are_not(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(MnistSearchError, match="holds other files than a bundle: name a new folder with --out"):
        make(tmp_path)
    facts = json.loads((bundle / MANIFEST_FILE).read_text())
    assert facts["format"] == "mnist-search bundle 1"
