"""Which images are used: those asked for, those at hand, and the embedded digits where nothing else is."""

from pathlib import Path

import pytest

from models.errors import MnistSearchError
from tests.helpers.datasets import (
    N_TRAIN,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    write_dataset,
    write_files,
)
from tests.helpers.spaces import fault_of
from trainer.data.find import DATA_VARIABLE, data_folder, find_dataset
from trainer.hardware.machine import cache_folder


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: "no network")


def test_the_folder_is_the_one_given_or_the_environment_s_or_the_cache(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder(None) == cache_folder() / "data"
    monkeypatch.setenv(DATA_VARIABLE, "of-the-environment")
    assert data_folder(None) == Path("of-the-environment")
    assert data_folder(own_folder) == own_folder


def test_what_is_at_hand_is_taken_and_told(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    for name in ("mnist", "auto"):
        found = find_dataset(name, tmp_path)
        assert (found.dataset.name, len(found.dataset.train)) == ("mnist", N_TRAIN)
        assert found.notice == f"mnist in {tmp_path}"


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_files_of_ones_own_are_taken_and_nothing_is_fetched(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: pytest.fail("fetched"))
    write_files(tmp_path / "mine", lambda file: file.replace("-idx", ".idx"))
    found = find_dataset(name, tmp_path / "mine")
    assert (found.dataset.name, len(found.dataset.train)) == ("mnist", N_TRAIN)
    (tmp_path / "mine" / "train-labels.idx1-ubyte").unlink()
    assert fault_of(lambda: find_dataset(name, tmp_path / "mine")) == (
        f"{tmp_path}/mine holds train-images.idx3-ubyte, t10k-images.idx3-ubyte and t10k-labels.idx1-ubyte, and lacks "
        "train-labels-idx1-ubyte: put these beside them, gzipped or not"
    )


def test_images_in_a_folder_that_was_named_are_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: pytest.fail("fetched"))
    (tmp_path / "7").mkdir()
    for name in ("7/a.png", "7/b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert fault_of(lambda: find_dataset("auto", tmp_path)) == (
        f"{tmp_path} holds 7/a.png and 7/b.png, but not the IDX files of mnist (train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte): put those there, or choose with "
        "--dataset: mnist is fetched, digits need no files"
    )
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: "no network")
    assert fault_of(lambda: find_dataset("mnist", tmp_path)).startswith(
        f"mnist is not in {tmp_path}, which holds 7/a.png and 7/b.png, and could not be fetched (no network): put "
    )
    notice = find_dataset("digits", tmp_path).notice
    assert notice == f"the embedded digits (1,797 scans); the images in {tmp_path} are not used"


def test_images_of_another_dataset_are_not_passed_over(tmp_path: Path) -> None:
    write_dataset(tmp_path, "fashion-mnist")
    assert fault_of(lambda: find_dataset("auto", tmp_path)).startswith(
        f"{tmp_path} holds FashionMNIST/raw/t10k-images-idx3-ubyte, FashionMNIST/raw/t10k-labels-idx1-ubyte, "
    )


@pytest.mark.usefixtures("_no_network")
def test_a_fetch_that_was_stopped_is_told_with_what_is_there(own_folder: Path) -> None:
    for folder in (own_folder / "mine", cache_folder() / "data"):
        raw = write_dataset(folder)
        (raw / TRAIN_IMAGES).unlink()
        reason = (
            f"{raw} holds {TRAIN_LABELS}, {TEST_IMAGES} and {TEST_LABELS}, and lacks {TRAIN_IMAGES}, which could not "
            "be fetched (no network)"
        )
        fault = f"{reason}: put these beside them, gzipped or not"
        assert fault_of(lambda f=folder: find_dataset("mnist", f)) == fault  # type: ignore[misc]
        if folder == own_folder / "mine":
            assert fault_of(lambda f=folder: find_dataset("auto", f)) == fault  # type: ignore[misc]
        else:  # the user put nothing there
            assert find_dataset("auto", folder).notice == f"the embedded digits (1,797 scans): {reason}"


@pytest.mark.usefixtures("_no_network")
def test_where_mnist_cannot_be_had_the_digits_are_taken_and_it_is_said(tmp_path: Path) -> None:
    found = find_dataset("auto", tmp_path)
    assert found.dataset.name == "digits"
    assert found.notice == (
        f"the embedded digits (1,797 scans): mnist is not in {tmp_path} and could not be fetched (no network)"
    )


@pytest.mark.usefixtures("_no_network")
def test_nothing_else_is_taken_for_what_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(MnistSearchError, match=r"^kmnist is not in .* and could not be fetched \(no network\): put"):
        find_dataset("kmnist", tmp_path)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MnistSearchError, match=r"^unknown dataset 'cifar': use auto, mnist, .* or digits$"):
        find_dataset("cifar", tmp_path)
