"""Data sets in torchvision's layout, what is wrong with them, and the statistics of their pixels."""

import gzip
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets as torchvision_datasets

from models.errors import MnistSearchError
from tests.helpers.datasets import (
    FOUR_FILES,
    N_TEST,
    N_TRAIN,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    flat_images,
    idx_bytes,
    numbered,
    some_images,
    some_labels,
    write_dataset,
)
from tests.helpers.inline import small_digits
from trainer.data.digits import load_digits
from trainer.data.images import Dataset, Images, TrainingData, has_idx_dataset, load_idx_dataset
from trainer.data.layouts import IDX_DATASETS
from trainer.data.names import SPLITS
from trainer.data.split import split_data

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", IDX_DATASETS)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_dataset_is_read(tmp_path: Path, name: str, zipped: bool) -> None:
    write_dataset(tmp_path, name, zipped)
    dataset = load_idx_dataset(name, tmp_path)
    assert dataset.name == name
    for part, n in ((dataset.train, N_TRAIN), (dataset.test, N_TEST)):
        assert (part.pixels.dtype, part.labels.dtype, len(part)) == (torch.uint8, torch.int64, n)
        np.testing.assert_array_equal(part.pixels.numpy(), some_images(n))
        np.testing.assert_array_equal(part.labels.numpy(), some_labels(n))


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_torchvision_reads_the_same(tmp_path: Path, name: str, folder: str) -> None:
    write_dataset(tmp_path, name)
    ours = load_idx_dataset(name, tmp_path)
    for part, is_train in ((ours.train, True), (ours.test, False)):
        theirs = getattr(torchvision_datasets, folder)(tmp_path, train=is_train, download=False)
        assert torch.equal(part.pixels, theirs.data)
        assert torch.equal(part.labels, theirs.targets)


def test_a_plain_file_is_read_before_a_gzipped_one(tmp_path: Path) -> None:
    raw = write_dataset(tmp_path)
    (raw / f"{TEST_LABELS}.gz").write_bytes(b"of no use")
    assert load_idx_dataset("mnist", tmp_path).test.labels.tolist() == some_labels(N_TEST).tolist()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("file", FOUR_FILES)
def test_a_missing_file_is_named_beside_those_that_are_there(tmp_path: Path, file: str, zipped: bool) -> None:
    raw = write_dataset(tmp_path, zipped=zipped)
    assert has_idx_dataset("mnist", tmp_path)
    (raw / (f"{file}.gz" if zipped else file)).unlink()
    assert not has_idx_dataset("mnist", tmp_path)
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path)
    there = [one + (".gz" if zipped else "") for one in FOUR_FILES if one != file]
    assert str(caught.value) == f"{raw} holds {there[0]}, {there[1]} and {there[2]}, and lacks {file}"


def test_a_dataset_lies_under_its_own_name(tmp_path: Path) -> None:
    write_dataset(tmp_path, "kmnist")
    assert [has_idx_dataset(name, tmp_path) for name in IDX_DATASETS] == [False, False, True]
    assert not has_idx_dataset("mnist", tmp_path / "none")


def test_a_folder_that_cannot_be_looked_into_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 300)  # longer than a name may be: the system refuses, as it does without permission
    assert not has_idx_dataset("mnist", folder)
    with pytest.raises(MnistSearchError, match=rf"^{folder}/MNIST/raw/{TRAIN_IMAGES} is missing$"):
        load_idx_dataset("mnist", folder)


@pytest.mark.parametrize(
    ("file", "array", "fault"),
    [
        (TRAIN_IMAGES, some_images(N_TRAIN, 27), "holds 12x27x27 values, not N images of 28x28"),
        (TEST_IMAGES, some_labels(N_TEST), "holds 5 values, not N images of 28x28"),
        (TRAIN_LABELS, some_labels(11), "holds 11 labels for 12 images"),
        (TEST_LABELS, some_images(N_TEST), "holds 3,920 labels for 5 images"),
        (TEST_LABELS, np.array([0, 9, 10, 1, 11], np.uint8), "holds a label of 11: labels are 0 to 9"),
        (TRAIN_LABELS, np.full(N_TRAIN, 10, np.uint8), "holds a label of 10: labels are 0 to 9"),
        (TRAIN_IMAGES, flat_images(N_TRAIN, 3), "holds images without contrast: every pixel is 3; fetch it again"),
        (TEST_IMAGES, flat_images(N_TEST, 255), "holds images without contrast: every pixel is 255; fetch it again"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, file: str, array: np.ndarray, fault: str) -> None:
    raw = write_dataset(tmp_path)
    (raw / file).write_bytes(idx_bytes(array))
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path)
    assert str(caught.value) == f"{raw / file} {fault}"


def test_a_file_whose_middle_was_lost_is_named(tmp_path: Path) -> None:
    """As a broken download leaves it: the right size, and zeros."""
    raw, images = write_dataset(tmp_path), some_images(N_TRAIN)
    images[4:7] = 0
    (raw / TRAIN_IMAGES).write_bytes(idx_bytes(images))
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path)
    assert str(caught.value) == (f"{raw / TRAIN_IMAGES} is damaged: 3 of {N_TRAIN} images are black; fetch it again")


def test_a_dataset_of_nothing(tmp_path: Path) -> None:
    raw = write_dataset(tmp_path)
    (raw / TRAIN_IMAGES).write_bytes(idx_bytes(some_images(0)))
    (raw / TRAIN_LABELS).write_bytes(idx_bytes(some_labels(0)))
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path)
    assert str(caught.value) == f"{raw / TRAIN_LABELS} holds no labels"


def test_a_damaged_file_of_a_dataset_is_named(tmp_path: Path) -> None:
    raw = write_dataset(tmp_path, zipped=True)
    path = raw / f"{TEST_IMAGES}.gz"
    path.write_bytes(gzip.compress(idx_bytes(some_images(N_TEST))[:-7]))
    with pytest.raises(MnistSearchError) as caught:
        load_idx_dataset("mnist", tmp_path)
    needed = 16 + N_TEST * 28 * 28
    assert str(caught.value) == (
        f"{path} is truncated: {needed - 7:,} bytes where its header (5, 28, 28) needs {needed:,}; fetch it again"
    )


@pytest.mark.parametrize("seed", range(5))
def test_statistics_are_those_of_float64(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, rng.integers(2, 257), (rng.integers(1, 40), 28, 28), dtype=np.uint8)
    images = Images(torch.from_numpy(pixels), torch.zeros(len(pixels), dtype=torch.int64))
    data = TrainingData.of(images, numbered(0, 3))
    shares = pixels.astype(np.float64) / 255
    assert math.isclose(data.mean, shares.mean(), rel_tol=1e-12)
    assert math.isclose(data.std, shares.std(), rel_tol=1e-12)


def test_statistics_come_from_the_training_images_alone() -> None:
    dataset = load_digits()
    for split in SPLITS:
        data = split_data(dataset, split)
        assert math.isclose(data.mean, data.train.pixels.double().mean().item() / 255, rel_tol=1e-12)
        assert not math.isclose(data.mean, data.evaluation.pixels.double().mean().item() / 255, rel_tol=1e-6)


def test_statistics_of_images_without_contrast_are_refused() -> None:
    flat = Images(torch.full((7, 28, 28), 9, dtype=torch.uint8), torch.arange(7))
    with pytest.raises(MnistSearchError, match=r"^the 7 training images have no contrast: every pixel is 9$"):
        TrainingData.of(flat, numbered(0, 3))


def test_data_go_to_shared_memory_as_they_are() -> None:
    data = split_data(Dataset("numbers", numbered(0, 60), numbered(0, 1)), "holdout")
    pixels = data.train.pixels.clone()
    shared = data.share_memory()
    assert shared.train.pixels.is_shared()
    assert shared.evaluation.labels.is_shared()
    assert torch.equal(shared.train.pixels, pixels)


WITHOUT_ROOM = """
import resource, sys
from multiprocessing.reduction import ForkingPickler
from tests.helpers.inline import small_digits

data = small_digits()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # shared memory is a file
sys.stdout.buffer.write(bytes(ForkingPickler.dumps(data.share_memory())))
"""


def test_without_room_in_shared_memory_another_process_gets_a_copy() -> None:
    pickled = subprocess.run([sys.executable, "-c", WITHOUT_ROOM], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    data, copied = small_digits(), pickle.loads(pickled)
    assert torch.equal(copied.train.pixels, data.train.pixels)
    assert torch.equal(copied.evaluation.labels, data.evaluation.labels)
    assert (copied.mean, copied.std) == (data.mean, data.std)
    assert not copied.train.pixels.is_shared()
