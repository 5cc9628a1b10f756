"""Any file of a bundle, opened to classify images; and what is no such file."""

import io
import logging
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.errors import MnistSearchError
from tests.helpers.bundles import copied, digits, network
from trainer.inference.loaders import LOADERS
from trainer.inference.model import open_model

PIXELS = digits().test.pixels[:40]
FILES = ("model.pt2", "model.onnx", "weights.safetensors", "model.c")


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_what_the_network_says(bundle: Path, name: str) -> None:
    model = open_model(bundle / name)
    np.testing.assert_allclose(model.logits(PIXELS.numpy()), network().logits(PIXELS).numpy(), atol=1e-4)
    assert (model.dataset, model.classes) == ("digits", tuple("0123456789"))


def test_int8_says_nearly_the_same(bundle: Path) -> None:
    logits, wanted = open_model(bundle / "model.int8.onnx").logits(PIXELS.numpy()), network().logits(PIXELS).numpy()
    assert 0 < np.abs(logits - wanted).max() < 0.1 * np.abs(wanted).max()


def test_a_bundle_is_its_pt2(bundle: Path) -> None:
    assert open_model(bundle).path == bundle / "model.pt2"


def test_answers_are_the_two_largest_shares_of_the_softmax(bundle: Path) -> None:
    model, logits = open_model(bundle / "model.onnx"), network().logits(PIXELS).double()
    shares, order = logits.softmax(1).sort(descending=True)
    for n, answer in enumerate(model.answers(PIXELS.numpy())):
        assert (answer.name, answer.runner_up) == (str(int(order[n, 0])), str(int(order[n, 1])))
        assert answer.confidence == pytest.approx(float(shares[n, 0]), abs=1e-5)
        assert answer.runner_up_confidence == pytest.approx(float(shares[n, 1]), abs=1e-5)
    assert model.answers(np.zeros((0, 28, 28), np.uint8)) == []


def test_away_from_its_bundle_it_is_taken_for_one_of_mnist(bundle: Path, tmp_path: Path) -> None:
    shutil.copy(bundle / "model.onnx", tmp_path)
    model = open_model(tmp_path / "model.onnx")
    assert (model.dataset, model.classes) == ("mnist", tuple("0123456789"))


def refusal(path: Path) -> str:
    with pytest.raises(MnistSearchError) as caught:
        open_model(path).logits(PIXELS.numpy())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").touch()
    none = tmp_path / "none.pt2"
    assert refusal(none) == f"there is no {none}: `mnist-search export` makes a bundle to name here"
    assert refusal(tmp_path) == f"{tmp_path} is no bundle: it has no model.pt2; `mnist-search export` makes one"
    kinds = ".pt2, .onnx, .safetensors, .c"
    path = tmp_path / "picture.jpg"
    assert refusal(path) == f"{path} is no model file: name a bundle, or a file ending in {kinds}"


@pytest.mark.parametrize("suffix", LOADERS)
def test_what_is_damaged_is_named_in_a_line(tmp_path: Path, bundle: Path, suffix: str) -> None:
    shutil.copy(bundle / "arch.json", tmp_path)
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"what is this?")
    assert refusal(path).startswith(str(path))


def test_torch_logs_no_traceback_of_a_damaged_file(tmp_path: Path) -> None:
    """Its own handler writes to stderr, beside our one line."""
    path, said = tmp_path / "model.pt2", io.StringIO()
    path.write_bytes(b"what is this?")
    handler = logging.StreamHandler(said)
    logger = logging.getLogger("torch.export")
    logger.addHandler(handler)
    try:
        refusal(path)
    finally:
        logger.removeHandler(handler)
    assert (said.getvalue(), logger.disabled) == ("", False)


@pytest.mark.parametrize("name", ["model.pt2", "model.int8.onnx", "weights.safetensors", "arch.json", "model.h"])
def test_a_flipped_bit_is_noticed_by_the_manifest_beside_it(tmp_path: Path, bundle: Path, name: str) -> None:
    folder = copied(bundle, tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    opened = {"arch.json": "weights.safetensors", "model.h": "model.c"}.get(name, name)
    told = f"{folder / name} is damaged: its checksum is not that of manifest.json beside it"
    assert refusal(folder / opened) == told


def test_a_model_of_other_images_is_refused(tmp_path: Path) -> None:
    """A valid ONNX file that returns its input."""
    shape: list[str | int | None] = ["batch", 1, 28, 28]
    given, wanted = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [given], [wanted])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    assert refusal(path) == f"{path} is no model of ours: it does not give ten numbers for an image"


def test_without_onnxruntime(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    path = bundle / "model.onnx"
    assert refusal(path) == f"{path} needs onnxruntime to be run: pip install -e '.[onnx]'"


def test_without_a_compiler(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert refusal(bundle / "model.c") == "there is no C compiler here: install gcc or clang, or name one in CC"


def test_a_manifest_of_something_else_is_passed_over(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    for text in ("[]", "{}", "no json", '{"classes": ["a"], "dataset": "kmnist"}'):
        (folder / "manifest.json").write_text(text)
        assert open_model(folder / "model.onnx").dataset == "mnist"
