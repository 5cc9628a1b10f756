"""Which images are used: those asked for, those at hand, and the embedded digits where nothing else is."""

from pathlib import Path

import pytest

from models.errors import MnistSearchError
from tests.helpers.datasets import N_TRAIN, write_dataset
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
