"""Frozen: a trained network as one file that needs nothing but torch to run."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from models.arch import ArchSpec
from models.build import build, example_input
from models.errors import MnistSearchError, WorkFailedError
from trainer.data.images import Images

_BATCH = 1000
_EXAMPLE_BATCH = 2  # torch.export takes a batch of one for a constant


class FrozenMismatchError(WorkFailedError):
    """A file that does not compute what its network does: no wrong input, the work itself failed."""


class Frozen(nn.Module):
    """A network with its normalisation inside: images (B, 1, 28, 28) of 0..1, as ToTensor gives them, to logits."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network = network
        self.mean = mean
        self.std = std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network((images - self.mean) / self.std)
        return logits


@dataclass(frozen=True)
class FrozenCheck:
    """How a file, read back, compares with the network it was made from, on real images."""

    n_images: int
    n_same: int
    """Images that both give the same class."""
    max_difference: float
    """The largest difference of a logit."""
    accuracy: float
    """Of the file, a fraction of 1."""
    size_bytes: int


def restore(arch: ArchSpec, weights: dict[str, torch.Tensor]) -> nn.Module:
    """The network with these weights, in evaluation mode."""
    network = build(arch)
    network.load_state_dict(weights)
    return network.eval()


def export_frozen(network: nn.Module, mean: float, std: float, path: Path, images: Images) -> FrozenCheck:
    """Writes the network to a `.pt2` file that was read back and checked on `images` before it got its name.

    Until then it is called `.pt2.part`; what had the name before stays, should anything fail. Raises MnistSearchError
    if it cannot be written, and FrozenMismatchError as `check_frozen` does.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        freeze(network, mean, std, part)
        check = check_frozen(part, network, mean, std, images)
        part.replace(path)
    except OSError as error:
        raise MnistSearchError(f"{path} cannot be written: {error.strerror}; name another folder with --out") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return check


def freeze(network: nn.Module, mean: float, std: float, path: Path) -> None:
    """Writes the network to a `.pt2` file by torch.export, for any batch size, float32, on the CPU."""
    frozen = Frozen(network, mean, std).eval()
    program = torch.export.export(frozen, (example_input(_EXAMPLE_BATCH),), dynamic_shapes=({0: Dim("batch", min=1)},))
    buffer = io.BytesIO()  # given a path, torch wants another suffix and raises a RuntimeError where it cannot write
    torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())


def check_frozen(path: Path, network: nn.Module, mean: float, std: float, images: Images) -> FrozenCheck:
    """Reads a frozen file back and compares it with its network on `images`, and on a batch of one.

    Raises FrozenMismatchError if any image is classified otherwise, or a logit differs by more than 1e-4.
    """
    loaded = torch.export.load(io.BytesIO(path.read_bytes())).module()
    original = Frozen(network, mean, std).eval()
    pixels = images.pixels[:, None].float() / 255  # (N, 1, 28, 28)
    with torch.no_grad():
        ours = torch.cat([original(batch) for batch in pixels.split(_BATCH)])
        theirs = torch.cat([loaded(batch) for batch in (pixels[:1], *pixels[1:].split(_BATCH))])
    n_same = int((ours.argmax(1) == theirs.argmax(1)).sum())
    difference = float((ours - theirs).abs().max())
    if n_same < len(images) or not difference <= 1e-4:
        raise FrozenMismatchError(
            f"{path} does not compute what the trained network does: {len(images) - n_same} of {len(images)} images "
            f"classified otherwise, logits differ by up to {difference:.2g}; it is not to be used"
        )
    accuracy = int((theirs.argmax(1) == images.labels).sum()) / len(images)
    return FrozenCheck(len(images), n_same, difference, accuracy, path.stat().st_size)
