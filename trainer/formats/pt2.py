"""`model.pt2`: a network in torch's own format, which torch alone runs."""

import io
import zipfile
from pathlib import Path

import torch
from torch.export import Dim

from models.arch import INPUT_SHAPE
from trainer.formats.folded import FoldedNetwork

_EXAMPLE_BATCH = 2  # torch.export takes a batch of one for a constant


def write_pt2(network: FoldedNetwork, path: Path) -> None:
    """Writes a program of torch.export, for any batch size, in float32, on the CPU.

    Read by `torch.export.load(path).module()`, it takes images (B, 1, 28, 28), uint8 or float of 0..1.
    """
    shapes = ({0: Dim("batch", min=1)},)
    program = torch.export.export(network.module(), (torch.zeros(_EXAMPLE_BATCH, *INPUT_SHAPE),), dynamic_shapes=shapes)
    for node in program.graph.nodes:  # what torch notes of its making names folders of this machine
        for note in ("stack_trace", "nn_module_stack", "torch_fn"):
            node.meta.pop(note, None)
    buffer = io.BytesIO()  # given a path, torch wants another suffix and raises a RuntimeError where it cannot write
    torch.export.save(program, buffer)
    path.write_bytes(_compressed(buffer))


def _compressed(archive: io.BytesIO) -> bytes:
    """The same archive deflated, with no times in it: half the size, and the same bytes for the same network."""
    smaller = io.BytesIO()
    with zipfile.ZipFile(archive) as given, zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            made.writestr(zipfile.ZipInfo(name), given.read(name), zipfile.ZIP_DEFLATED)
    return smaller.getvalue()
