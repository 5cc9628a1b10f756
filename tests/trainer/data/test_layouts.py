"""IDX files as others name and place them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.errors import MnistSearchError
from tests.helpers.datasets import FOUR_FILES, N_TRAIN, TRAIN_IMAGES, some_images, write_dataset, write_files
from trainer.data.images import has_idx_dataset, load_idx_dataset
from trainer.data.layouts import find_idx_files, images_in, listed


def with_a_dot(name: str) -> str:
    """As Kaggle's copy is named, and python-mnist's."""
    return name.replace("-idx", ".idx")


def in_its_own_folder(name: str) -> str:
    """As Kaggle unpacks it."""
    return f"{name}/{name}"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("call", [str, with_a_dot])
@pytest.mark.parametrize("place", ["", "raw", "MNIST", "MNIST/raw", "mnist", "mnist/raw"])
def test_files_are_found_where_others_put_them(
    tmp_path: Path, place: str, call: Callable[[str], str], zipped: bool
) -> None:
    write_files(tmp_path / "data" / place, call, zipped)
    dataset = load_idx_dataset("mnist", tmp_path / "data")
    np.testing.assert_array_equal(dataset.train.pixels.numpy(), some_images(N_TRAIN))


@pytest.mark.parametrize("call", [in_its_own_folder, lambda name: in_its_own_folder(with_a_dot(name))])
def test_files_are_found_in_folders_of_their_own(tmp_path: Path, call: Callable[[str], str]) -> None:
    write_files(tmp_path / "data", call)
    assert len(load_idx_dataset("mnist", tmp_path / "data").train) == N_TRAIN


@pytest.mark.parametrize("zipped", [False, True])
def test_content_tells_a_gzipped_file_not_its_name(tmp_path: Path, zipped: bool) -> None:
    write_files(tmp_path / "data", lambda name: name.removesuffix(".gz") if zipped else f"{name}.gz", zipped)
    np.testing.assert_array_equal(
        load_idx_dataset("mnist", tmp_path / "data").train.pixels.numpy(), some_images(N_TRAIN)
    )


def test_the_place_of_torchvision_comes_first(tmp_path: Path) -> None:
    raw = write_dataset(tmp_path)
    write_files(tmp_path / "raw")
    assert find_idx_files("mnist", tmp_path).place == raw
    (raw / TRAIN_IMAGES).unlink()
    assert find_idx_files("mnist", tmp_path).place == tmp_path / "raw"  # which is whole


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("data", "mnist"),
        ("MNIST", "mnist"),
        ("FashionMNIST", "fashion-mnist"),
        ("fashion_mnist/raw", "fashion-mnist"),
        ("Fashion-MNIST", "fashion-mnist"),
        ("KMNIST", "kmnist"),
    ],
)
def test_the_name_of_a_folder_tells_whose_files_lie_in_it(tmp_path: Path, folder: str, name: str) -> None:
    write_files(tmp_path / folder)
    found = [one for one in ("mnist", "fashion-mnist", "kmnist") if has_idx_dataset(one, tmp_path / folder)]
    assert found == [name]


def test_what_is_found_and_what_is_missing_is_told(tmp_path: Path) -> None:
    write_files(tmp_path / "data", with_a_dot)
    for name in FOUR_FILES[1:3]:
        (tmp_path / "data" / with_a_dot(name)).unlink()
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path / "data")
    assert str(caught.value) == (
        f"{tmp_path}/data holds train-images.idx3-ubyte and t10k-labels.idx1-ubyte, and lacks train-labels-idx1-ubyte "
        "and t10k-images-idx3-ubyte"
    )


def test_files_that_may_hold_images(tmp_path: Path) -> None:
    kept = ["0/a.png", "b.JPG", "emnist-digits-train-images-idx3-ubyte.gz", "mnist.npz", "mnist.pkl.gz", "train.csv"]
    for name in [*kept, "README.md", "mnist-search.db", "model.pt2", "a/b/c/too-deep.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert images_in(tmp_path) == sorted(kept)
    assert images_in(tmp_path / "nowhere") == []


def test_names_are_listed() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(list("abcd")) == "a, b, c and d"
    assert listed(list("abcdef")) == "a, b, c and 3 more"
