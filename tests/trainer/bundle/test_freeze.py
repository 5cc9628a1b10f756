"""The frozen file: read by torch alone it computes what the network does, and another network's file is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build, count_params
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import Conv, MaxPool
from models.presets import PRESETS
from models.recipe import Recipe
from models.template import HEADS, Template
from trainer.bundle.freeze import Frozen, FrozenMismatchError, check_frozen, export_frozen, freeze, restore
from trainer.data.digits import load_digits
from trainer.data.images import Images, TrainingData
from trainer.training.train import Training

SMALL = ArchSpec((Conv(6, 5, 2, then=("bn", "relu", "dropout")), MaxPool(), Conv(10, 6, then=())))
BATCH_SIZES = (1, 2, 37)
MEAN, STD = 0.1307, 0.3081

BY_TORCH_ALONE = """
import pathlib, sys
import torch
assert not {"models", "trainer", "search", "storage", "optuna", "sqlalchemy"} & sys.modules.keys()
images = torch.load("images.pt")
for path in pathlib.Path().glob("*.pt2"):
    network = torch.export.load(path).module()
    torch.save([network(images[:n]) for n in (1, 2, 37)], path.with_suffix(".logits"))
"""


def digits(n: int) -> Images:
    return load_digits().train.select(np.arange(n))


def as_to_tensor(images: Images) -> torch.Tensor:
    """Images as torchvision's ToTensor gives them: (N, 1, 28, 28) of 0..1."""
    return images.pixels.unsqueeze(1).float() / 255


def trained() -> tuple[nn.Module, TrainingData]:
    """A network after two epochs on 300 digits, with batch statistics of its own."""
    data = TrainingData.of(digits(300), digits(100))
    training = Training(Candidate(SMALL, Recipe(epochs=2, batch_size=32, dropout=0.1)), data, seed=0)
    list(training)
    return restore(SMALL, training.weights()), data


def initialised(arch: ArchSpec, seed: int = 0) -> nn.Module:
    """A network with random weights, and random batch statistics so that BatchNorm is no identity."""
    torch.manual_seed(seed)
    network = build(arch, dropout=0.5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()


def networks() -> dict[str, tuple[nn.Module, float, float]]:
    """Networks of every head, a trained one and a preset, each with the statistics of its images."""
    network, data = trained()
    heads = {head: Template(stem=(4,), transition=3, body=(5, 6), head=head, stem_kernel=5).arch() for head in HEADS}
    made = {head: (initialised(arch), MEAN, STD) for head, arch in heads.items()}
    preset = (initialised(PRESETS["d-model2"].arch), MEAN, STD)
    return {**made, "trained": (network, data.mean, data.std), "preset": preset}


def test_torch_alone_computes_the_same(tmp_path: Path) -> None:
    """A process that has imported nothing but torch, with batches of one, of two and of 37 images."""
    made = networks()
    images = as_to_tensor(digits(max(BATCH_SIZES)))
    torch.save(images, tmp_path / "images.pt")
    for name, (network, mean, std) in made.items():
        freeze(network, mean, std, tmp_path / f"{name}.pt2")
    subprocess.run([sys.executable, "-W", "error", "-c", BY_TORCH_ALONE], cwd=tmp_path, check=True)
    for name, (network, mean, std) in made.items():
        theirs = torch.load(tmp_path / f"{name}.logits")
        for n, logits in zip(BATCH_SIZES, theirs, strict=True):
            with torch.no_grad():
                ours = network((images[:n] - mean) / std)
            assert logits.shape == (n, 10)
            torch.testing.assert_close(logits, ours, rtol=0, atol=1e-5)


def test_the_check_counts_what_it_saw(tmp_path: Path) -> None:
    network, data = trained()
    path = tmp_path / "n.pt2"
    freeze(network, data.mean, data.std, path)
    images = digits(1003)  # more than one batch, and a rest
    check = check_frozen(path, network, data.mean, data.std, images)
    with torch.no_grad():
        logits = network((as_to_tensor(images) - data.mean) / data.std)
    assert (check.n_images, check.n_same, check.size_bytes) == (1003, 1003, path.stat().st_size)
    assert check.accuracy == (logits.argmax(1) == images.labels).sum().item() / 1003
    assert 0.3 < check.accuracy < 1
    assert 0 <= check.max_difference < 1e-5


def refusal(path: Path, network: nn.Module, mean: float, std: float, images: Images) -> str:
    with pytest.raises(FrozenMismatchError) as caught:
        check_frozen(path, network, mean, std, images)
    return str(caught.value)


def expected_refusal(path: Path, ours: torch.Tensor, theirs: torch.Tensor) -> str:
    n_other = (ours.argmax(1) != theirs.argmax(1)).sum().item()
    difference = (ours - theirs).abs().max().item()
    return (
        f"{path} does not compute what the trained network does: {n_other} of {len(ours)} images classified "
        f"otherwise, logits differ by up to {difference:.2g}; it is not to be used"
    )


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    one, other = initialised(SMALL, seed=1), initialised(SMALL, seed=2)
    path = tmp_path / "one.pt2"
    freeze(one, MEAN, STD, path)
    images = digits(50)
    with torch.no_grad():
        logits = [network((as_to_tensor(images) - MEAN) / STD) for network in (other, one)]
    assert (logits[0].argmax(1) != logits[1].argmax(1)).any()
    assert refusal(path, other, MEAN, STD, images) == expected_refusal(path, *logits)


def test_logits_that_differ_are_refused_though_the_classes_are_the_same(tmp_path: Path) -> None:
    network = initialised(SMALL)
    path = tmp_path / "one.pt2"
    freeze(network, MEAN, STD, path)
    convolution = network.get_submodule("3_conv")
    assert isinstance(convolution, nn.Conv2d)
    with torch.no_grad():
        convolution.weight.mul_(1.01)  # it has no bias: all logits grow by a hundredth
    text = refusal(path, network, MEAN, STD, digits(50))
    assert ": 0 of 50 images classified otherwise, logits differ by up to " in text


def test_a_network_that_computes_no_number_is_refused(tmp_path: Path) -> None:
    network = initialised(SMALL)
    convolution = network.get_submodule("3_conv")
    assert isinstance(convolution, nn.Conv2d)
    nn.init.constant_(convolution.weight, float("nan"))
    path = tmp_path / "one.pt2"
    freeze(network, MEAN, STD, path)
    assert refusal(path, network, MEAN, STD, digits(5)) == (
        f"{path} does not compute what the trained network does: 0 of 5 images classified otherwise, "
        "logits differ by up to nan; it is not to be used"
    )


def test_normalisation_is_inside(tmp_path: Path) -> None:
    network = initialised(SMALL)
    path = tmp_path / "one.pt2"
    freeze(network, MEAN, STD, path)
    images = digits(50)
    check_frozen(path, network, MEAN, STD, images)
    raw = as_to_tensor(images)
    with torch.no_grad():
        loaded, plain = torch.export.load(path).module()(raw), network(raw)
        torch.testing.assert_close(loaded, network((raw - MEAN) / STD), rtol=0, atol=1e-5)
    assert (loaded - plain).abs().max() > 0.1
    for mean, std in ((MEAN + 0.01, STD), (MEAN, STD * 1.02)):
        with torch.no_grad():
            otherwise = network((raw - mean) / std)
        assert refusal(path, network, mean, std, images) == expected_refusal(path, otherwise, loaded)


def test_the_file_is_in_evaluation_mode_even_of_a_network_in_training(tmp_path: Path) -> None:
    network = initialised(SMALL).train()  # dropout of a half
    path = tmp_path / "one.pt2"
    freeze(network, MEAN, STD, path)
    loaded = torch.export.load(path).module()
    images = as_to_tensor(digits(20))
    with torch.no_grad():
        assert torch.equal(loaded(images), loaded(images))
        alone = torch.cat([loaded(image[None]) for image in images])
        torch.testing.assert_close(alone, network.eval()((images - MEAN) / STD), rtol=0, atol=1e-5)


def test_the_file_is_small(tmp_path: Path) -> None:
    """The weights, four bytes each, and not much beside."""
    network = initialised(SMALL)
    freeze(network, MEAN, STD, tmp_path / "one.pt2")
    assert (tmp_path / "one.pt2").stat().st_size < 4 * count_params(network) + 100_000


def test_exported_is_the_checked_file_and_nothing_else(tmp_path: Path) -> None:
    network, images, path = initialised(SMALL), digits(50), tmp_path / "one.pt2"
    path.write_bytes(b"an older one")
    check = export_frozen(network, MEAN, STD, path, images)
    assert list(tmp_path.iterdir()) == [path]
    assert check == check_frozen(path, network, MEAN, STD, images)


def test_what_fails_its_check_is_not_kept(tmp_path: Path) -> None:
    network, path = initialised(SMALL), tmp_path / "one.pt2"
    path.write_bytes(b"an older one")
    convolution = network.get_submodule("3_conv")
    assert isinstance(convolution, nn.Conv2d)
    nn.init.constant_(convolution.weight, float("nan"))
    with pytest.raises(FrozenMismatchError, match=r"one\.pt2\.part does not compute what the trained network does"):
        export_frozen(network, MEAN, STD, path, digits(5))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"an older one"


def test_a_mismatch_is_no_wrong_input() -> None:
    assert not issubclass(FrozenMismatchError, MnistSearchError)


@pytest.mark.parametrize(
    ("place", "reason"), [("none/one.pt2", "No such file or directory"), ("file/one.pt2", "Not a directory")]
)
def test_where_nothing_can_be_written(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / place
    with pytest.raises(MnistSearchError) as caught:
        export_frozen(initialised(SMALL), MEAN, STD, path, digits(5))
    assert str(caught.value) == f"{path} cannot be written: {reason}; name another folder with --out"


def test_a_name_that_is_taken_by_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "one.pt2"
    path.mkdir()
    with pytest.raises(MnistSearchError, match=rf"^{path} cannot be written: Is a directory; name another folder"):
        export_frozen(initialised(SMALL), MEAN, STD, path, digits(5))
    assert list(tmp_path.iterdir()) == [path]


def test_restored_is_what_was_kept() -> None:
    network = initialised(SMALL)
    restored = restore(SMALL, network.state_dict())
    assert not any(module.training for module in restored.modules())
    images = torch.rand(7, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(restored(images), network(images))
        assert torch.equal(Frozen(restored, MEAN, STD)(images), network((images - MEAN) / STD))
