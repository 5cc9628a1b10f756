"""Many equal networks trained as one, whose every layer is theirs side by side.

The method is that of HFTA, the Horizontally Fused Training Array (Wang et al., MLSys 2021, arXiv 2102.02344). M
networks of one architecture and one recipe, which differ in their weights and images, become one network on activations
(B, M*C, H, W), where network m has the channels m*C to (m+1)*C. A convolution gets M times its groups, so that no value
crosses over; batch norm, which goes by channel, gets M times its channels; all else goes value by value, or map by map.
The loss is the sum of the M mean cross-entropies, so that every weight has the gradient that it has alone, and one
optimiser, which goes weight by weight, steps all of them.

What is measured is a training without its augmentation: a step's images are there before it begins.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.gpu._replays import captured, seconds_of
from models.arch import INPUT_SHAPE, N_CLASSES
from models.build import build
from models.presets import PRESETS
from models.recipe import Recipe
from trainer.fused.masks import Noise
from trainer.fused.network import fuse
from trainer.training.optim import begin_state, make_optimizer

CANDIDATE = PRESETS["a-step5"].candidate
_BY_VALUE = (nn.ReLU, nn.Dropout, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
"""Modules that treat no two channels together."""
_TIMES = 200
_TIMES_ON_CPU = 2


def fused(networks: Sequence[nn.Sequential]) -> nn.Sequential:
    """One network from (B, M, 28, 28) to (B, M*10), out of M networks that differ in their weights alone.

    Its weights are copies, under the names that they have in each network: M of them one behind the other.
    """
    layers = zip(*(network.named_children() for network in networks), strict=True)
    wide = nn.Sequential()
    for named in layers:
        wide.add_module(named[0][0], _side_by_side([module for _, module in named]))
    return wide


def split(wide: nn.Module, m: int) -> list[dict[str, torch.Tensor]]:
    """State dicts of the m networks that `fused` made one of: copies."""
    parts = {name: tensor.chunk(m) if tensor.ndim else [tensor] * m for name, tensor in wide.state_dict().items()}
    return [{name: tensors[i].clone() for name, tensors in parts.items()} for i in range(m)]


def _side_by_side(modules: list[nn.Module]) -> nn.Module:
    wide = deepcopy(modules[0])
    if isinstance(wide, nn.Conv2d):
        wide.in_channels *= len(modules)
        wide.out_channels *= len(modules)
        wide.groups *= len(modules)
    elif isinstance(wide, nn.BatchNorm2d):
        wide.num_features *= len(modules)
    elif not isinstance(wide, _BY_VALUE):
        raise TypeError(f"it is not known how to put {wide!r} side by side")
    for name, parameter in list(wide.named_parameters()):
        stacked = torch.cat([module.get_parameter(name).detach() for module in modules])
        setattr(wide, name, nn.Parameter(stacked, parameter.requires_grad))
    for name, buffer in list(wide.named_buffers()):
        if buffer.ndim:  # the one that is a number counts batches
            setattr(wide, name, torch.cat([module.get_buffer(name) for module in modules]))
    return wide


class Grouped:
    """The training of M equal networks, a batch a `step`. It works as the product's step does, but for augmentation.

    All that differs from step to step is in tensors that stay where they are, so that a step can be captured.
    """

    def __init__(
        self,
        networks: Sequence[nn.Sequential],
        recipe: Recipe,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        """`dtype` is what autocast computes in, by default that of the weights; `layout` that of activations."""
        self.network = fused(networks).to(device).to(memory_format=layout)
        weight = next(self.network.parameters())
        m, B = len(networks), recipe.batch_size
        self.images = torch.zeros(B, m, *INPUT_SHAPE[1:], dtype=weight.dtype, device=device).to(memory_format=layout)
        """What the next step learns from (B, M, 28, 28), as the networks see it: a batch of each network's own."""
        self.labels = torch.zeros(B, m, dtype=torch.int64, device=device)
        """(B, M)."""
        self.rate = torch.full((1,), recipe.lr, device=device)
        """The learning rate of the next step (1,)."""
        self.losses = torch.zeros(m, dtype=weight.dtype, device=device)
        """The mean cross-entropy of each network at the last step (M,)."""
        self.generator = torch.Generator(device)
        """Where dropout comes from: one draw for all networks, each value of it for one."""
        self._recipe = recipe
        self._dtype = dtype or weight.dtype
        self._optimizer = make_optimizer(self.network, recipe, self.rate, is_captured=device.startswith("cuda"))
        begin_state(self._optimizer, self.rate)
        self.rate.fill_(recipe.lr)
        keep = torch.full((1,), 1 - recipe.dropout, device=device)
        self._trained = fuse(self.network, Noise(self.generator, keep)).train()

    def step(self) -> None:
        """Trains each network on its images."""
        losses = self._losses()
        self._optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self._optimizer.step()
        self.losses.copy_(losses.detach())

    def weights(self) -> list[dict[str, torch.Tensor]]:
        """A state dict of each network. How many batches batch norm has seen is not counted."""
        return split(self.network, len(self.losses))

    def _losses(self) -> torch.Tensor:
        """The mean cross-entropy of each network (M,)."""
        kind, kept = self.images.device.type, self.images.dtype
        # A cast that is kept for a second use of its weights would be kept in a graph's memory.
        with torch.autocast(kind, self._dtype, enabled=self._dtype != kept, cache_enabled=kind != "cuda"):
            logits: torch.Tensor = self._trained(self.images)  # (B, M*10)
        each = cross_entropy(
            logits.to(kept).reshape(-1, N_CLASSES),
            self.labels.flatten(),
            reduction="none",
            label_smoothing=self._recipe.label_smoothing,
        )
        return each.view(self.labels.shape).mean(0)


def measure(
    m: int,
    batch_size: int,
    device: str,
    dtype: torch.dtype | None = None,
    layout: torch.memory_format = torch.channels_last,
) -> float:
    """Images that m networks of preset a-step5, trained as one, learn from in a second: those of all m together.

    Captured and replayed on a GPU; a few steps on a CPU. Whether float32 may be TF32, and whether cuDNN must be
    deterministic, is for the process to say (`trainer.hardware.device`).
    """
    return _images_per_second([_example(m, batch_size, device, dtype, layout)], device)


def measure_apart(
    m: int,
    batch_size: int,
    device: str,
    dtype: torch.dtype | None = None,
    layout: torch.memory_format = torch.channels_last,
) -> float:
    """The same of m networks that are each captured by itself, on a stream of its own: what `measure` is held to."""
    return _images_per_second([_example(1, batch_size, device, dtype, layout) for _ in range(m)], device)


def _example(m: int, batch_size: int, device: str, dtype: torch.dtype | None, layout: torch.memory_format) -> Grouped:
    recipe = replace(CANDIDATE.recipe, batch_size=batch_size)
    training = Grouped([build(CANDIDATE.arch, recipe.dropout) for _ in range(m)], recipe, device, dtype, layout)
    training.images.normal_()
    training.labels.random_(N_CLASSES)
    return training


def _images_per_second(trainings: Sequence[Grouped], device: str) -> float:
    works = [captured(training.step, [training.generator], device) for training in trainings]
    seconds = seconds_of(works, _TIMES if device.startswith("cuda") else _TIMES_ON_CPU, device)
    return sum(training.labels.numel() for training in trainings) / seconds
