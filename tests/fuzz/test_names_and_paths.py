"""Names of studies and numbers of files, as a database of somebody else has them, lead to no file elsewhere."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.build import build
from models.errors import MnistSearchError
from search.dashboard.app import make_app
from search.shipping.attached import attach, file_stem
from search.study import attributes
from search.study.study import SearchStudy
from search.study.weights import load_weights, state_dict_of
from tests.helpers.apps import call_app, get_json
from tests.helpers.made_studies import made_study
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import texts
from tests.helpers.somebodys import opened
from tests.helpers.trainings import PLAIN

SUBJECT = "names and numbers of files"
ELSEWHERE = (
    "../secret",
    "/secret",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "~/secret",
    "d-1-1/../../secret",
    "/dev/zero",
    "x\0y",
)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but databases, by its path."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".db" not in path.name]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@tried_on(60, 6_000, SUBJECT)
@given(texts | st.sampled_from(ELSEWHERE))
def test_any_name_is_made_one_of_a_file(name: str) -> None:
    stem = file_stem(name)
    assert stem
    assert Path(stem).name == stem
    assert not stem.startswith((".", "-"))
    assert len(stem) <= 100
    assert stem.isprintable()


@pytest.mark.parametrize("name", ["../../secret", "/tmp/secret", "a/b", "..", "\x1b[2J", "\ud800"])
def test_a_bundle_is_kept_with_a_study_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside" / "folder"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.onnx").write_bytes(b"a model")
    study = made_study(folder, 1)
    assert attach(study, folder / "model", f"{name}-trial-0") is not None
    [kept] = (folder / "mnist-search-artifacts").iterdir()
    assert {path.name for path in tmp_path.iterdir()} == {"inside"}
    assert {path.name for path in (tmp_path / "inside").iterdir()} == {"folder"}
    with zipfile.ZipFile(kept) as file:
        [member] = file.namelist()
    assert member.endswith("/model.onnx")
    assert ".." not in Path(member).parts
    assert not member.startswith("/")


@pytest.mark.parametrize("number", ELSEWHERE)
def test_a_file_that_a_database_names_elsewhere_is_neither_read_nor_written(tmp_path: Path, number: str) -> None:
    folder = tmp_path / "folder"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.onnx").write_bytes(b"a model")
    (tmp_path / "secret").write_bytes(b"a secret")
    study = made_study(folder, 3)
    store = study.store
    meta = {"artifact_id": number, "filename": "x.zip", "mimetype": "application/zip", "encoding": None}
    store.optuna.set_study_system_attr(study.study_id, f"artifacts:{number}", json.dumps(meta))
    write_weights(study, number)
    with pytest.raises(MnistSearchError, match=r"^the weights of trial 0 are gone from "):
        load_weights(study, study.trial(0))
    before = everything(tmp_path)
    assert attach(study, folder / "model", "x") == "x.zip"
    after = everything(tmp_path)
    [new] = after.keys() - before.keys()
    assert Path(new).parent == Path("folder/mnist-search-artifacts")
    assert {name: after[name] for name in before} == before


def write_weights(study: SearchStudy, number: object) -> None:
    """Says of the first trial under which number its weights are."""
    with opened(Path(str(study.store.url.database))) as connection:
        connection.execute(
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, ?, ?)",
            (attributes.WEIGHTS, json.dumps(number)),
        )


@pytest.mark.parametrize("number", ["../secret", "/etc/hostname"])
def test_a_study_is_deleted_in_the_dashboard_without_files_elsewhere(tmp_path: Path, number: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"a secret")
    study = made_study(folder, 1)
    meta = {"artifact_id": number, "filename": "x.zip", "mimetype": "application/zip", "encoding": None}
    study.store.optuna.set_study_system_attr(study.study_id, f"artifacts:{number}", json.dumps(meta))
    app = make_app(study.store)
    get_json(app, "/api/studies/1")
    assert call_app(app, "DELETE", "/api/studies/1", body={})[0] == 200
    assert (tmp_path / "secret").read_bytes() == b"a secret"


NETWORK = build(PLAIN)
SHAPES = {name: tensor.shape for name, tensor in NETWORK.state_dict().items()}


def saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


class Harm:
    """Is a program once it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('run')",)


@pytest.mark.parametrize("state", [
    Harm(), {"1_conv.weight": Harm()}, [], {}, {"1_conv.weight": torch.zeros(1)}, NETWORK, {1: 2},
    {name: tensor[..., :1] for name, tensor in NETWORK.state_dict().items()},
], ids=["program", "program within", "list", "empty", "too few", "network", "number", "other shapes"])  # fmt: skip
def test_weights_that_are_a_program_or_of_another_network_are_none(state: object) -> None:
    with pytest.raises(ValueError, match=r"^(no file of tensors \(\w+\)|the weights of another network)$"):
        state_dict_of(saved(state), PLAIN)


def test_weights_that_unpack_to_gigabytes_are_not_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file, file.open("archive/data/0", "w") as part:
        for _ in range(900):
            part.write(bytes(1 << 20))
    with pytest.raises(ValueError, match=r"^unpacked it has 943,718,400 bytes, more than the 800,000,000"):
        state_dict_of(packed.getvalue(), PLAIN)


@tried_on(40, 3_000, SUBJECT)
@given(st.data())
def test_weights_that_anything_was_written_into(folder: Path, data: st.DataObject) -> None:
    content = bytearray(saved(NETWORK.state_dict()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    try:
        weights = state_dict_of(bytes(content[:end]), PLAIN)
    except ValueError:
        return
    assert {name: tensor.shape for name, tensor in weights.items()} == SHAPES
