"""Spec files: whatever is in them, they are a candidate or one line, soon, and at no cost of memory."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.build import build
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layer_table import arch_facts, layer_facts
from models.printable import LONGEST_LINE
from models.spec.file import dump_spec, load_spec
from models.spec.reading import MOST_BYTES
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import TEXTS, changed, values
from tests.helpers.strategies import candidates

SUBJECT = "spec files"
MOST_SECONDS = 5.0
NAMES = st.sampled_from(["spec.yaml", "spec.json"])
PIECES = (
    *("&a ", "*a", "<<: *a", "!!binary ", "!!set ", "!!int ", "!!bool ", "!!timestamp ", "!!float "),
    *("!!python/name:os", "!!binary é"),
    *("? ", "\t", "%TAG ! x", "---", "...", "|", ">", "- ", ": ", "{", "[", "'", '"', "0x", "0o7", "1:60:60", "2020-1"),
)  # fmt: skip
HEAD = "gap, conv: {out: 10, kernel: 1, then: []}]\n"


def outcome(path: Path, content: str | bytes) -> Candidate | str:
    """What a file comes to: a candidate that can be used, or the line that says why not."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))
    began = time.process_time()
    found: Candidate | str
    try:
        found = load_spec(path)
    except MnistSearchError as error:
        found = str(error)
        assert found.startswith(str(path))
        assert found.isprintable()
        assert len(found) <= LONGEST_LINE
    assert time.process_time() - began < MOST_SECONDS
    if isinstance(found, Candidate):
        use(found, path.parent)
    return found


def use(candidate: Candidate, folder: Path) -> None:
    """What any command does with a candidate before it trains it."""
    arch_facts(candidate.arch), layer_facts(candidate.arch)
    for epochs in (1, 15, 10_000):
        assert candidate.with_epochs(epochs).recipe.epochs == epochs
    with torch.device("meta"):
        build(candidate.arch)
    again = folder / "again.yaml"
    again.write_text(dump_spec(candidate, "again"))
    assert load_spec(again) == candidate


def as_text(value: Any, name: str) -> str:
    return json.dumps(value) if name.endswith("json") else yaml.safe_dump(value, allow_unicode=True)


@tried_on(30, 6_000, SUBJECT)
@given(values(), NAMES)
def test_anything(folder: Path, value: Any, name: str) -> None:
    outcome(folder / name, as_text(value, name))


@tried_on(60, 12_000, SUBJECT)
@given(candidates().flatmap(lambda one: changed(one.to_dict())), NAMES)
def test_a_candidate_in_which_something_is_another(folder: Path, value: Any, name: str) -> None:
    outcome(folder / name, as_text(value, name))


@tried_on(30, 6_000, SUBJECT)
@given(candidates(), st.data())
def test_a_text_with_something_put_into_it(folder: Path, candidate: Candidate, data: st.DataObject) -> None:
    text = dump_spec(candidate, "name")
    at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 10))
    piece = data.draw(st.sampled_from([*TEXTS, *PIECES]) | st.text(max_size=5))
    outcome(folder / "spec.yaml", text[:at] + piece + text[at + length :])


@tried_on(30, 4_000, SUBJECT)
@given(st.binary(max_size=200), NAMES)
def test_any_bytes(folder: Path, content: bytes, name: str) -> None:
    outcome(folder / name, content)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{LAUGHS}layers: *i", "the alias *a is not read: write out what it stands for (line 2, column 8)"),
        (f"{MERGES}layers: []", "the alias *a is not read: "),
        ("layers: &a [*a]", "the alias *a is not read: "),
        (f"layers: [conv: {10**12}, {HEAD}", "layer 1 (conv 3x3): out is 1000000000000: it may be 1,000,000 at most"),
        (f"layers: [conv: {10**5}, conv: {10**5}, {HEAD}", "layer 1 (conv 3x3): too large to be trained here: a netw"),
        (f"layers: [gap, conv: {{out: {10**5}, kernel: 1}}, conv: {{out: {10**5}, kernel: 1}}, {HEAD}",
         "layer 3 (conv 1x1): too large to be trained here: a network may have 100,000,000 parameters, and 4,000,0"),
        (f"layers: [conv: {{out: 8, stride: {10**400}}}, {HEAD}", "layer 1 (conv 3x3): stride is 10000000000"),
        (f"layers: [{'dropout, ' * 1000} conv: 8, {HEAD}", "1,003 layers: there may be 1,000"),
        (f"layers: [conv: 8, {HEAD}recipe: {{schedule: {{step: {10**400}}}}}", "recipe: schedule step: every is 100"),
        (f"layers: [conv: 8, {HEAD}recipe: {{schedule: {{multistep: [1, {10**9}]}}}}",
         "recipe: schedule multistep: milestones has 1000000000: it may be 10,000 at most"),
        (f"# {'x' * MOST_BYTES}", "longer than 1 MiB: name a spec file (.yaml, .yml, .json)"),
        ("layers: !!bool maybe", "not YAML that can be read: "),
        ("layers: !!timestamp soon", "not YAML that can be read: "),
        ("layers: !!int ''", "not YAML that can be read: "),
        (f"layers: {'1:' * 300}59.5", "not YAML that can be read: int too large to convert to float"),
        (f"layers: {'x' * 5000}", "layers is 'xxxxxxx"),
        ("layers: [\"\\e[2J\\e[31m\"]", "layer 1: unknown layer '\\x1b[2J\\x1b[31m': it may be conv"),
        ("layers: [conv: {out: 8, kernel: \"\\e[2J\"}]", "layer 1 (conv \\x1b[2Jx\\x1b[2J): kernel is '\\x1b[2J'"),
    ],
)  # fmt: skip
def test_what_would_take_all_memory_or_steer_a_terminal(folder: Path, text: str, fault: str) -> None:
    found = outcome(folder / "spec.yaml", text)
    assert isinstance(found, str)
    assert found.removeprefix(f"{folder / 'spec.yaml'}: ").startswith(fault)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin"])
def test_what_has_no_end_is_not_read(folder: Path, device: str) -> None:
    path = folder / f"{Path(device).name}.yaml"
    path.symlink_to(device)
    with pytest.raises(MnistSearchError, match=r"this is no file but a device or a pipe: name a spec file \(\.yaml"):
        load_spec(path)
