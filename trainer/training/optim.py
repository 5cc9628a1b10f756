"""The optimiser of a recipe, from torch.optim."""

import warnings

import torch
from torch import nn, optim

from models.recipe import Recipe


def make_optimizer(
    network: nn.Module, recipe: Recipe, lr: torch.Tensor | None = None, is_captured: bool = False
) -> optim.Optimizer:
    """The recipe's optimiser over all parameters.

    `lr` (1,) is read at every step in the place of the recipe's; `is_captured` says that steps go into a CUDA graph.
    """
    parameters = network.parameters()
    rate = recipe.lr if lr is None else lr
    if recipe.optimizer == "adamw":
        return optim.AdamW(parameters, rate, weight_decay=recipe.weight_decay, fused=True, capturable=is_captured)
    return optim.SGD(
        parameters,
        rate,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        fused=True,
    )


def begin_state(optimizer: optim.Optimizer, lr: torch.Tensor) -> list[torch.Tensor]:
    """Makes the optimiser's state before its first step, and returns it in a fixed order.

    By itself torch makes it in the first step. But a state that is restored or captured needs its place before. All
    zeros is what SGD with momentum (without dampening) and AdamW begin from.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for p in parameters:
        p.grad = torch.zeros_like(p)
    lr.zero_()
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # "capturable" ones are not captured here
        optimizer.step()  # changes no weight, since the rate is zero
    optimizer.zero_grad(set_to_none=True)
    state = [tensor for p in parameters for _, tensor in sorted(optimizer.state[p].items())]
    for tensor in state:
        tensor.zero_()
    return state
