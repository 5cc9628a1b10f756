"""A bundle kept with its study."""

import errno
import io
import json
import zipfile
from pathlib import Path

import pytest
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta

from search.shipping.attached import attach
from storage.errors import StorageFailedError
from tests.helpers.made_studies import made_study


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "a-bundle"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"first")
    (folder / "MODEL_CARD.md").write_text("a card")
    return folder


def test_it_is_an_artifact_of_the_study_and_a_later_one_takes_its_place(tmp_path: Path, bundle: Path) -> None:
    study = made_study(tmp_path, 1)
    assert attach(study, bundle, "digits-trial-0") == "digits-trial-0.zip"
    (bundle / "model.onnx").write_bytes(b"second")
    attach(study, bundle, "digits-trial-0")
    [meta] = get_all_artifact_meta(study.optuna)
    assert (meta.filename, meta.mimetype) == ("digits-trial-0.zip", "application/zip")
    with study.store.artifacts().open_reader(meta.artifact_id) as stored, zipfile.ZipFile(stored) as file:
        assert sorted(file.namelist()) == ["digits-trial-0/MODEL_CARD.md", "digits-trial-0/model.onnx"]
        assert file.read("digits-trial-0/model.onnx") == b"second"


def test_one_that_a_visitor_of_the_dashboard_deleted_is_kept_anew(tmp_path: Path, bundle: Path) -> None:
    study = made_study(tmp_path, 1)
    attach(study, bundle, "x")
    [meta] = get_all_artifact_meta(study.optuna)
    study.store.artifacts().remove(meta.artifact_id)  # as the dashboard's server does it
    study.store.optuna.set_study_system_attr(study.study_id, f"artifacts:{meta.artifact_id}", json.dumps(None))
    attach(study, bundle, "x")
    kept = [json.loads(text) for text in study.store.optuna.get_study_system_attrs(study.study_id).values()
            if isinstance(text, str) and "x.zip" in text]  # fmt: skip
    with study.store.artifacts().open_reader(kept[0]["artifact_id"]) as stored:
        assert zipfile.is_zipfile(io.BytesIO(stored.read()))


def test_a_place_that_cannot_be_written_is_said_in_a_line(tmp_path: Path, bundle: Path) -> None:
    study = made_study(tmp_path, 1)
    study.store.artifact_folder.write_text("no folder")
    with pytest.raises(StorageFailedError, match=r"^the folder of files cannot be used \(.*: File exists\): see that"):
        attach(study, bundle, "x")


def test_a_full_disk_is_no_fault_of_whoever_asks(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    study = made_study(tmp_path, 1)
    monkeypatch.setattr(FileSystemArtifactStore, "write", fill)
    with pytest.raises(
        StorageFailedError, match=r"^the disk is full \(.*/mnist-search-artifacts: No space left on device\)"
    ):
        attach(study, bundle, "x")
