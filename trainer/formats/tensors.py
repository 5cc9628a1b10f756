"""`weights.safetensors` and `arch.json`: a network that is rebuilt without pickle, by any version of torch.

Beside them lies `load_weights.py`, which does so with torch and safetensors alone: the lasting record of a network,
should other formats fall out of use.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import torch

from models.arch import ArchSpec
from models.build import build
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.spec.file import load_spec
from trainer.formats.folded import FoldedNetwork, fold

WEIGHTS_FILE, ARCH_FILE, LOADER_FILE = "weights.safetensors", "arch.json", "load_weights.py"


def write_tensors(
    name: str, candidate: Candidate, weights: Mapping[str, torch.Tensor], mean: float, std: float, folder: Path
) -> None:
    """Writes the three files. `arch.json` is a spec file too; the weights are those of training, nothing folded."""
    from safetensors.torch import save

    tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    content = save(tensors, {"mean": repr(mean), "std": repr(std)})
    (folder / WEIGHTS_FILE).write_bytes(content)
    (folder / ARCH_FILE).write_text(_spec_text(name, candidate), encoding="utf-8")
    (folder / LOADER_FILE).write_text(loader_source(), encoding="utf-8")


def _spec_text(name: str, candidate: Candidate) -> str:
    """A spec file in JSON, a line for each layer."""
    plain = candidate.to_dict()
    layers = ",\n  ".join(map(json.dumps, plain["layers"]))
    return f'{{"name": {json.dumps(name)},\n "layers": [\n  {layers}],\n "recipe": {json.dumps(plain["recipe"])}}}\n'


def loader_source() -> str:
    """The text of `load_weights.py`."""
    return files("trainer.formats").joinpath("load_weights.py").read_text(encoding="utf-8")


def read_tensors(path: Path) -> FoldedNetwork:
    """The network of a `.safetensors` file that has its `arch.json` beside it.

    Raises MnistSearchError if one of them is missing, damaged, or not of the other.
    """
    from safetensors import SafetensorError, safe_open

    arch = load_spec(path.with_name(ARCH_FILE)).arch
    try:
        with safe_open(path, "pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            statistics = file.metadata() or {}
        mean, std = float(statistics["mean"]), float(statistics["std"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise MnistSearchError(
            f"{path} is no weights file of ours, or damaged: {' '.join(str(error).split())}"
        ) from None
    _check_fits(arch, weights, path)
    return fold(arch, weights, mean, std)


def _check_fits(arch: ArchSpec, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    with torch.device("meta"):
        wanted = {key: value.shape for key, value in build(arch).state_dict().items()}
    if {key: value.shape for key, value in weights.items()} != wanted:
        raise MnistSearchError(f"{path} does not hold the weights of the network in {ARCH_FILE} beside it")
