"""Bundles of somebody else: whatever is in their files, a model or one line, and nothing of theirs is run."""

import contextlib
import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.errors import MnistSearchError
from tests.helpers.bundles import copied, digits
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import changed, values
from tests.helpers.outcomes import Line, outcome_of
from trainer.bundle.check import check_bundle
from trainer.bundle.manifest import MANIFEST_FILE, file_facts, is_bundle, read_manifest, write_manifest
from trainer.inference.model import open_model

SUBJECT = "bundles"
PIXELS = digits().test.pixels[:2].numpy()
LISTS = "archive/data/weights/model_weights_config.json"
GRAPH = "archive/models/model.json"
EXAMPLES = "archive/data/sample_inputs/model.pt"


def outcome(path: Path) -> np.ndarray | Line:
    """What a file says of two digits, or the line that says why it does not."""
    found: np.ndarray | Line = outcome_of(lambda: open_model(path).logits(PIXELS))
    assert not isinstance(found, Line) or str(path.parent) in found
    return found


@pytest.fixture
def alone(bundle: Path, tmp_path: Path) -> Path:
    """The files of a bundle without the manifest that would tell of a change."""
    folder = copied(bundle, tmp_path)
    (folder / MANIFEST_FILE).unlink()
    return folder


@pytest.fixture(scope="module")
def parts(bundle: Path) -> dict[str, bytes]:
    """What is in `model.pt2`."""
    with zipfile.ZipFile(bundle / "model.pt2") as file:
        return {name: file.read(name) for name in file.namelist()}


def write_pt2(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return Path.touch, (self.made,)


def saved(harm: Harm) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": harm}, buffer)
    return buffer.getvalue()


def harmful(parts: dict[str, bytes], how: str, made: Path) -> dict[str, bytes]:
    """The parts of a `.pt2` file that makes a file when torch loads it or its module is made."""
    graph, lists = json.loads(parts[GRAPH]), json.loads(parts[LISTS])
    code = f"__import__('pathlib').Path({str(made)!r}).touch()"
    sizes = graph["graph_module"]["graph"]["tensor_values"]["images"]["sizes"]
    match how:
        case "examples":
            return {**parts, EXAMPLES: saved(Harm(made))}
        case "weights":
            next(iter(lists["config"].values()))["use_pickle"] = True
            return {**parts, LISTS: json.dumps(lists).encode(), "archive/data/weights/weight_0": saved(Harm(made))}
        case "constants":
            config = {"a": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}
            return {
                **parts, "archive/data/constants/opaque_obj_0": pickle.dumps(Harm(made)),
                "archive/data/constants/model_constants_config.json": json.dumps({"config": config}).encode(),
            }  # fmt: skip
        case "symbol":
            sizes[0]["as_expr"]["expr_str"] = code
        case "function":
            node = graph["graph_module"]["graph"]["nodes"][0]
            node["target"] = "torch.os.system"
        case "guard":
            graph["guards_code"] = [code]
        case "name":
            graph["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"] = f"x={code}"
    return {**parts, GRAPH: json.dumps(graph).encode()}


@pytest.mark.parametrize("how", ["examples", "weights", "constants", "symbol", "function", "guard", "name"])
def test_nothing_that_a_pt2_file_holds_is_run(tmp_path: Path, parts: dict[str, bytes], how: str) -> None:
    made = tmp_path / "made"
    path = write_pt2(tmp_path / "model.pt2", harmful(parts, how, made))
    found = outcome(path)
    assert not made.exists()
    if isinstance(found, str):
        assert found.startswith(f"{path} is not opened: it ")
        assert found.endswith("; name the weights.safetensors of its bundle, which runs nothing")


@pytest.mark.parametrize("how", ["examples", "weights", "constants", "symbol"])
def test_torch_by_itself_would_run_it(tmp_path: Path, parts: dict[str, bytes], how: str) -> None:
    """Or the test above would hold whatever the reader did."""
    made = tmp_path / "made"
    path = write_pt2(tmp_path / "model.pt2", harmful(parts, how, made))
    with contextlib.suppress(Exception):  # what it does first is what counts
        torch.export.load(path).module()
    assert made.exists()


def test_a_pt2_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path, parts: dict[str, bytes]) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open(f"{LISTS}x", "w") as part:
        for _ in range(300):
            part.write(bytes(1 << 20))
    assert f"{path} is not opened: unpacked it has more than 256 MiB; " in str(outcome(path))


@tried_on(5, 400, SUBJECT)
@given(st.data())
def test_a_pt2_file_in_which_something_is_another(folder: Path, parts: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([GRAPH, GRAPH, LISTS]))
    content = json.dumps(data.draw(changed(json.loads(parts[name])))).encode()
    outcome(write_pt2(folder / "model.pt2", {**parts, name: content}))


@tried_on(12, 1_000, SUBJECT)
@given(st.data())
def test_a_file_with_something_put_into_it(bundle: Path, folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["model.pt2", "weights.safetensors", "model.onnx", "arch.json"]))
    content = (bundle / name).read_bytes()
    at = data.draw(st.integers(0, len(content)))
    length, piece = data.draw(st.integers(0, 10)), data.draw(st.binary(max_size=6))
    for one in ("weights.safetensors", "arch.json"):
        shutil.copy(bundle / one, folder)
    (folder / name).write_bytes(content[:at] + piece + content[at + length :])
    outcome(folder / ("weights.safetensors" if name == "arch.json" else name))


@tried_on(20, 1_500, SUBJECT)
@given(st.data())
def test_the_head_of_a_weights_file(bundle: Path, folder: Path, data: st.DataObject) -> None:
    content = (bundle / "weights.safetensors").read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    head = json.dumps(data.draw(changed(json.loads(content[8:end])))).encode()
    shutil.copy(bundle / "arch.json", folder)
    size = data.draw(st.sampled_from([len(head), len(head), len(head), 0, 2**63]))
    (folder / "weights.safetensors").write_bytes(size.to_bytes(8, "little") + head + content[end:])
    outcome(folder / "weights.safetensors")


@tried_on(20, 1_500, SUBJECT)
@given(st.data())
def test_the_network_beside_a_weights_file(bundle: Path, folder: Path, data: st.DataObject) -> None:
    told = data.draw(changed(json.loads((bundle / "arch.json").read_text())))
    shutil.copy(bundle / "weights.safetensors", folder)
    (folder / "arch.json").write_text(json.dumps(told))
    outcome(folder / "weights.safetensors")


@tried_on(20, 1_500, SUBJECT)
@given(st.data())
def test_a_manifest_in_which_something_is_another(bundle: Path, folder: Path, data: st.DataObject) -> None:
    """Its checksum made to fit, as somebody would who means harm."""
    told = json.loads((bundle / MANIFEST_FILE).read_text())
    made = data.draw(changed(told) | values())
    shutil.copy(bundle / "model.onnx", folder)
    if isinstance(made, dict):
        write_manifest({key: value for key, value in made.items() if key != "sha256_of_the_rest"}, folder)
    else:
        (folder / MANIFEST_FILE).write_text(json.dumps(made))
    is_bundle(folder)
    outcome(folder / "model.onnx")
    manifest = outcome_of(read_manifest, folder)
    if isinstance(manifest, Line):
        return
    for name, facts in manifest["files"].items():
        assert (folder / name).parent == folder
        assert isinstance(facts["size_bytes"], int)
    assert all(isinstance(one["accuracy"], (int, float)) for one in manifest["measured"])


def test_a_check_of_a_bundle_unpickles_nothing_either(bundle: Path, tmp_path: Path, parts: dict[str, bytes]) -> None:
    folder, made = copied(bundle, tmp_path), tmp_path / "made"
    write_pt2(folder / "model.pt2", harmful(parts, "weights", made))
    manifest = read_manifest(folder)
    files = {name: file_facts(folder / name) for name in manifest["files"]}
    write_manifest({**manifest, "files": files}, folder)
    with pytest.raises(
        MnistSearchError, match=r"model\.pt2 is not opened: it holds a pickle, which is a program; name"
    ):
        check_bundle(folder, lambda _: None)
    assert not made.exists()
