"""Spec files: read, written, and the exact line for every kind of fault."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.arch import ArchSpec
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import Conv, Gap, MaxPool
from models.presets import PRESETS
from models.recipe import Recipe
from models.schedules import MultiStep, Step
from models.spec.file import dump_spec, load_spec
from tests.helpers.strategies import candidates

LAYERS = "layers: [conv: 8, gap, conv: {out: 10, kernel: 1, then: []}]\n"
SMALL = ArchSpec((Conv(8), Gap(), Conv(10, 1, then=())))

WRITTEN = """\
name: small
layers:
  - conv: 8
  - maxpool
  - conv: {out: 10, kernel: 1, bias: true, then: [relu]}
  - maxpool: 3
  - gap
recipe:
  epochs: 20
  weight_decay: 1.0e-05
  schedule: {multistep: [6, 12]}
"""


def write(folder: Path, text: str | bytes, name: str = "spec.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault_of(path: Path) -> str:
    """The error's text without the path it begins with."""
    with pytest.raises(MnistSearchError) as caught:
        load_spec(path)
    start, text = f"{path}: ", str(caught.value)
    assert text.startswith(start)
    assert "\n" not in text
    return text.removeprefix(start)


@pytest.mark.parametrize("name", ["spec.yaml", "spec.yml", "SPEC.YAML"])
def test_yaml_is_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, LAYERS + "name: mine\nrecipe: {epochs: 3, schedule: {step: 2}}\n", name)
    assert load_spec(path) == Candidate(SMALL, Recipe(epochs=3, schedule=Step(2)))


def test_json_is_read(tmp_path: Path) -> None:
    text = '{"layers": [{"conv": 8}, "gap", {"conv": {"out": 10, "kernel": 1, "then": []}}], "recipe": {"lr": 1e-3}}'
    assert load_spec(write(tmp_path, text, "spec.json")) == Candidate(SMALL, Recipe(lr=0.001))


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, b"\xef\xbb\xbf" + LAYERS.encode())) == Candidate(SMALL, Recipe())


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", "1.0e-3", "10e-4"])
def test_a_number_without_a_point_is_a_number(tmp_path: Path, number: str) -> None:
    assert load_spec(write(tmp_path, f"{LAYERS}recipe: {{lr: {number}}}")).recipe.lr == 0.001


def test_what_is_written_reads_well() -> None:
    layers = (Conv(8), MaxPool(), Conv(10, 1, bias=True, then=("relu",)), MaxPool(3), Gap())
    recipe = Recipe(epochs=20, weight_decay=1e-5, schedule=MultiStep((6, 12)))
    assert dump_spec(Candidate(ArchSpec(layers), recipe), "small") == WRITTEN


def test_a_default_recipe_is_not_written() -> None:
    assert dump_spec(Candidate(SMALL, Recipe()), "yes") == (
        "name: 'yes'\nlayers:\n  - conv: 8\n  - gap\n  - conv: {out: 10, kernel: 1, then: []}\n"
    )


@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(candidates(), st.text())
def test_what_is_written_is_read_back(tmp_path: Path, candidate: Candidate, name: str) -> None:
    path = write(tmp_path, dump_spec(candidate, name))
    assert load_spec(path) == candidate
    assert load_spec(path).id == candidate.id


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_read_back(tmp_path: Path, name: str) -> None:
    assert load_spec(write(tmp_path, dump_spec(PRESETS[name].candidate, name))) == PRESETS[name].candidate


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "layers: [conv: 8, norm]",
            "layer 2: unknown layer 'norm': it may be conv, maxpool, avgpool, gap, dropout, skip",
        ),
        ("layers: [conv: -8]", "layer 1 (conv 3x3): out is -8: it must be a whole number of at least 1"),
        (
            "layers: [conv: 8, conv: {out: 9, groups: 2}]",
            "layer 2 (conv 3x3): groups 2 must divide its 8 input and 9 output channels",
        ),
        (
            "layers: [conv: 8, maxpool: 13, conv: 8]",
            "layer 3 (conv 3x3): a 3x3 window does not fit on 8x2x2",
        ),
        (
            "layers: [conv: 8, gap]",
            "the head is missing: the last output is 8x1x1, it must be 10x1x1 (say gap, then conv 10 of kernel 1)",
        ),
        ("recipe: {epochs: 3}", "layers is missing: list the layers, such as `- conv: 8`"),
        (
            "layers: [conv: -8]\nrecipe: {lr: fast}\nlayer: 3",
            "unknown key 'layer': a spec has name, layers, recipe; "
            "layer 1 (conv 3x3): out is -8: it must be a whole number of at least 1; "
            "recipe: lr is 'fast': it must be a number",
        ),
        (
            'layers: [conv: {out: 8, kernel: "3\\n4"}]',
            "layer 1 (conv 3 4x3 4): kernel is '3\\n4': it must be a whole number of at least 1",
        ),
        ("", "the top level is empty: it must be a mapping with layers, recipe and name"),
        ("- conv: 8", "the top level is a list: it must be a mapping with layers, recipe and name"),
        ("conv 8", "the top level is 'conv 8': it must be a mapping with layers, recipe and name"),
        (LAYERS + "layers: []", "the key 'layers' is given twice (line 2, column 1)"),
        (LAYERS + "recipe: {lr: 1, lr: 2}", "the key 'lr' is given twice (line 2, column 17)"),
        ("layers: [conv: 8", "not YAML: expected ',' or ']', but got '<stream end>' (line 1, column 17)"),
        (
            "layers:\n  - conv: 8\n bad",
            "not YAML: expected <block end>, but found '<scalar>' (line 3, column 2)",
        ),
        (
            "a: 1\n---\nb: 2",
            "not YAML: expected a single document in the stream, but found another document (line 2, column 1)",
        ),
        ("layers: \0", "not YAML: special characters are not allowed (character 9)"),
        ("a: 2020-99-99", "not YAML that can be read: month must be in 1..12"),
        (
            "a: !!python/name:os.system",
            "not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system' "
            "(line 1, column 4)",
        ),
        (b"layers: \xff", "not text in UTF-8 (byte 9)"),
    ],
)
def test_faults_of_a_yaml_file(tmp_path: Path, text: str | bytes, fault: str) -> None:
    assert fault_of(write(tmp_path, text)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '{"layers": [}',
            "not JSON: Expecting value (line 1, column 13)",
        ),
        ('{"layers": [],\n "layers": []}', "the key 'layers' is given twice"),
        ("[]", "the top level is a list: it must be a mapping with layers, recipe and name"),
    ],
)
def test_faults_of_a_json_file(tmp_path: Path, text: str, fault: str) -> None:
    assert fault_of(write(tmp_path, text, "spec.json")) == fault


@pytest.mark.parametrize(("name", "depth"), [("spec.yaml", 5_000), ("spec.json", 100_000)])
def test_thousands_of_brackets_are_a_fault_like_another(tmp_path: Path, name: str, depth: int) -> None:
    assert fault_of(write(tmp_path, "[" * depth, name)) == "nested too deeply to be read"


def test_a_missing_file(tmp_path: Path) -> None:
    expected = "there is no such file: name a spec file (.yaml, .yml, .json)"
    assert fault_of(tmp_path / "none.yaml") == expected


def test_a_folder(tmp_path: Path) -> None:
    assert fault_of(tmp_path) == "this is a folder: name a file in it"


def test_a_name_of_another_kind(tmp_path: Path) -> None:
    assert fault_of(write(tmp_path, LAYERS, "spec.txt")) == ("the name of a spec file must end in .yaml, .yml, .json")
