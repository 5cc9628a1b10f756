"""docs/scale-out.md: what of its commands and manifests can be checked without a cluster."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.helpers.cli import call
from tests.helpers.markdown import read_markdown

PAGE = (Path(__file__).parent.parent / "docs" / "scale-out.md").read_text()
BLOCKS = read_markdown(PAGE).blocks
SHELL = [block for block in BLOCKS if "pip install" in block.partition("RUN")[0] or block.startswith("#!")]
MANIFESTS = [block for block in BLOCKS if block.startswith("apiVersion")]


def commands() -> list[list[str]]:
    """Every use of mnist-search in a block or in the text."""
    entrypoints = [yaml.safe_load(manifest)["spec"]["entrypoint"] for manifest in MANIFESTS]
    joined = "\n".join([*SHELL, *entrypoints]).replace("\\\n", " ")
    found = (re.search(r"\bmnist-search ((?:run|verify)\b[^#]*)", line) for line in joined.splitlines())
    return [shlex.split(one[1]) for one in found if one]


def test_the_scripts_are_bash() -> None:
    assert len(SHELL) == 3
    for block in SHELL:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, capture_output=True)


def test_the_manifest_is_yaml_that_names_a_job() -> None:
    [manifest] = map(yaml.safe_load, MANIFESTS)
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    [workers] = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    head = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]
    envs = [group["template"]["spec"]["containers"][0]["env"] for group in (head, workers)]
    assert envs[0] == envs[1]


def test_the_options_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert {words[0] for words in commands()} == {"run", "verify"}
    for name, *words in commands():
        _, page, _ = call([name, "--help"], capsys)
        options = {word for word in words if word.startswith("--")}
        assert options
        assert {one for one in options if not re.search(rf"{one}\b", page)} == set()
