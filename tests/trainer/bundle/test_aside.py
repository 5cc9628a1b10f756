"""A folder is there whole or not at all."""

import os
from pathlib import Path

import pytest

from models.errors import MnistSearchError
from trainer.bundle.aside import check_target, written_aside


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
    with pytest.raises(ValueError, match="invalid literal"), written_aside(folder, lambda _: True) as made:
        (made / "file").write_text(str(int("no number")))
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


@pytest.mark.parametrize("n_renames", [1, 2])
def test_stopped_between_the_two_renames_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_renames: int
) -> None:
    folder, renames, rename = tmp_path / "bundle", [], os.replace
    folder.mkdir()
    (folder / "file").write_text("old")

    def interrupted(source: Path, target: Path) -> None:
        renames.append(target)
        if len(renames) == n_renames:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), written_aside(folder, lambda _: True) as made:
        (made / "file").write_text("new")
    assert (folder / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_link_leads_to_the_folder_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with written_aside(tmp_path / "link", never) as made:
        (made / "file").touch()
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_a_link_that_leads_nowhere_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    check_target(tmp_path / "link", never)
    with written_aside(tmp_path / "link", never) as made:
        (made / "file").touch()
    assert (tmp_path / "there" / "file").is_file()


def test_where_a_disk_begins_no_folder_is_renamed() -> None:
    with pytest.raises(MnistSearchError) as caught:
        check_target(Path("/"), never)
    assert str(caught.value) == "/ is where a disk begins and cannot be renamed: name a folder in it with --out"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(MnistSearchError, match="cannot be written: No space left on device; name another with --out"), \
            written_aside(tmp_path / "bundle", never):  # fmt: skip
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


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
