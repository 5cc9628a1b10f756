"""The .pt2 and ONNX files: what is in them, and that nothing of the machine that made them is."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.helpers.networks import ODD, initialised
from trainer.formats.folded import FoldedNetwork, fold
from trainer.formats.onnx_files import OPSET, write_int8_onnx, write_onnx
from trainer.formats.pt2 import write_pt2

MEAN, STD = 0.1307, 0.3081
PIXELS = torch.randint(0, 256, (37, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folded() -> FoldedNetwork:
    return fold(ODD, initialised(ODD).state_dict(), MEAN, STD)


@pytest.fixture(scope="module")
def folder(folded: FoldedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_pt2(folded, folder / "model.pt2")
    write_onnx(folded, folder / "model.onnx")
    write_int8_onnx(folder / "model.onnx", folder / "model.int8.onnx", PIXELS[:, 0])
    return folder


def logits_of(folded: FoldedNetwork) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = folded.module()(PIXELS)
    return found


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")  # of torch 2.11, over its own reading
@pytest.mark.parametrize("n", [1, 2, 37])
def test_torch_s_file_takes_any_batch_in_either_format(folded: FoldedNetwork, folder: Path, n: int) -> None:
    loaded = torch.export.load(folder / "model.pt2").module()
    for images in (PIXELS[:n], PIXELS[:n].float() / 255):
        torch.testing.assert_close(loaded(images), logits_of(folded)[:n], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 37])
def test_onnx_takes_any_batch(folded: FoldedNetwork, folder: Path, n: int) -> None:
    images = (PIXELS[:n].float() / 255).numpy()
    for name, tolerance in (("model.onnx", 1e-4), ("model.int8.onnx", 0.15)):
        session = onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
        [logits] = session.run(["logits"], {"images": images})
        wanted = logits_of(folded)[:n].numpy()
        assert np.abs(logits - wanted).max() <= tolerance * np.abs(wanted).max()


def test_opset_and_operators(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    quantised = onnx.load(folder / "model.int8.onnx")
    kept = {one.data_type for one in quantised.graph.initializer if len(one.dims) == 4}
    assert kept == {onnx.TensorProto.INT8}


def test_no_processor_overflows_in_16_bits(folder: Path) -> None:
    """x86 without VNNI adds two neighbours' products in int16: any two weights must allow activations of 255."""
    for one in onnx.load(folder / "model.int8.onnx").graph.initializer:
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4:
            largest = int(np.abs(onnx.numpy_helper.to_array(one).astype(np.int32)).max())
            assert 2 * 255 * largest <= 2**15 - 1


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx", "model.int8.onnx"])
def test_nothing_of_this_machine_is_in_a_file(folder: Path, name: str) -> None:
    """Lines and folders of the program that wrote it, which torch would note."""
    content = (folder / name).read_bytes()
    parts = [content]
    if name.endswith(".pt2"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(one) for one in archive.namelist()]
    told = (b"folded.py", b"onnx_files.py", b"site-packages", sys.prefix.encode(), str(Path.cwd()).encode())
    assert [one for one in told for part in parts if one in part] == []


def test_the_same_network_gives_the_same_file(folded: FoldedNetwork, folder: Path, tmp_path: Path) -> None:
    for name, write in (("model.pt2", write_pt2), ("model.onnx", write_onnx)):
        write(folded, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
