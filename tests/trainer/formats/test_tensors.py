"""Weights and layers as files that no pickle has a part in: read back they are the same network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.recipe import Recipe
from models.spec.file import load_spec
from tests.helpers.networks import ODD, initialised
from trainer.formats.tensors import ARCH_FILE, LOADER_FILE, WEIGHTS_FILE, read_tensors, write_tensors

CANDIDATE = Candidate(ODD, Recipe(epochs=7))
MEAN, STD = 0.1307, 0.3081

BY_TORCH_ALONE = """
import sys, torch
from load_weights import load_network
assert not {"models", "trainer", "search", "storage"} & sys.modules.keys()
network, images = load_network(), torch.load("images.pt")
torch.save([network(images), network(images.float() / 255)], "logits.pt")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tensors("odd", CANDIDATE, initialised(ODD).state_dict(), MEAN, STD, tmp_path)
    return tmp_path


def test_read_back_it_is_the_network(folder: Path) -> None:
    network, images = initialised(ODD), torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    kept = load_file(folder / WEIGHTS_FILE)
    assert all(torch.equal(kept[name], value) for name, value in network.state_dict().items())
    with torch.no_grad():
        theirs = read_tensors(folder / WEIGHTS_FILE).module()(images)
        torch.testing.assert_close(theirs, network((images / 255 - MEAN) / STD), rtol=1e-4, atol=1e-4)


def test_the_loader_beside_it_needs_torch_and_safetensors_alone(folder: Path) -> None:
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    torch.save(images, folder / "images.pt")
    subprocess.run([sys.executable, "-W", "error", "-c", BY_TORCH_ALONE], cwd=folder, check=True)
    with torch.no_grad():
        ours = initialised(ODD)((images / 255 - MEAN) / STD)
    for theirs in torch.load(folder / "logits.pt"):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)


def test_the_layers_are_a_spec_file(folder: Path) -> None:
    assert load_spec(folder / ARCH_FILE) == CANDIDATE
    assert json.loads((folder / ARCH_FILE).read_text())["name"] == "odd"


def refusal(path: Path) -> str:
    with pytest.raises(MnistSearchError) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_damaged_or_missing_file_is_named(folder: Path) -> None:
    weights, arch = folder / WEIGHTS_FILE, folder / ARCH_FILE
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    assert refusal(weights).startswith(f"{weights} is no weights file of ours, or damaged: ")
    weights.unlink()
    assert refusal(weights).startswith(f"{weights} is no weights file of ours, or damaged: ")
    weights.write_bytes(content)
    arch.write_text(arch.read_text()[:50])
    assert refusal(weights).startswith(f"{arch}: ")
    arch.unlink()
    assert refusal(weights).startswith(f"{arch}: there is no such file")


def test_weights_of_another_network(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    small = Candidate(load_spec(folder / ARCH_FILE).arch, Recipe())
    write_tensors("other", small, {"1_conv.weight": torch.zeros(6, 1, 5, 5)}, MEAN, STD, other)
    shutil.copy(folder / ARCH_FILE, other)
    path = other / WEIGHTS_FILE
    assert refusal(path) == f"{path} does not hold the weights of the network in {ARCH_FILE} beside it"


def test_the_loader_is_the_file_of_the_program(folder: Path) -> None:
    import trainer.formats.load_weights as loader

    assert loader.__file__ is not None
    assert (folder / LOADER_FILE).read_text() == Path(loader.__file__).read_text()
