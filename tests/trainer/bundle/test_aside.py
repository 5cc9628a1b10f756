"""A folder is there whole or not at all."""

from pathlib import Path

import pytest

from models.errors import MnistSearchError
from trainer.bundle.aside import written_aside


def never(_: Path) -> bool:
    return False


def test_it_takes_its_name_when_all_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "bundle"
    with written_aside(folder, never) as made:
        (made / "file").write_text("new")
        assert not folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    assert (folder / "file").read_text() == "new"


@pytest.mark.parametrize("is_there", [False, True])
def test_what_fails_leaves_nothing_and_harms_nothing(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "bundle"
    if is_there:
        folder.mkdir()
        (folder / "file").write_text("old")
    with pytest.raises(FileNotFoundError), written_aside(folder, lambda _: True) as made:
        (made / "file").write_text((made / "none").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"] * is_there
    assert not is_there or (folder / "file").read_text() == "old"


def test_an_older_one_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "only in the old one").touch()
    with written_aside(folder, lambda _: True) as made:
        (made / "file").touch()
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_somebody_s_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(MnistSearchError) as caught, written_aside(tmp_path, never):
        raise AssertionError("written")
    assert str(caught.value) == f"{tmp_path} holds other files than a bundle: name a new folder with --out"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_files_that_come_meanwhile_are_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    with pytest.raises(MnistSearchError, match="holds other files than a bundle"), written_aside(folder, never):
        (tmp_path / "bundle" / "of another").mkdir(parents=True)
    assert [path.name for path in folder.iterdir()] == ["of another"]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(MnistSearchError) as caught, written_aside(file, never):
        raise AssertionError("written")
    assert str(caught.value) == f"{file} is no folder: name another with --out"
    with pytest.raises(MnistSearchError) as caught, written_aside(file / "bundle", never):
        raise AssertionError("written")
    assert str(caught.value) == f"{file / 'bundle'} cannot be written: Not a directory; name another with --out"
