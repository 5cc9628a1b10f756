"""The optimisers' steps, against formulas written here."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn, optim

from models.recipe import Recipe
from models.schedules import Constant
from trainer.training.optim import begin_state, make_optimizer


def close(expected: list[float]) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_settings_reach_sgd() -> None:
    recipe = Recipe(lr=0.3, momentum=0.7, nesterov=False, weight_decay=0.02, schedule=Constant())
    (group,) = make_optimizer(nn.Linear(2, 3), recipe).param_groups
    wanted = {"lr": 0.3, "momentum": 0.7, "nesterov": False, "weight_decay": 0.02, "dampening": 0}
    assert {name: group[name] for name in wanted} == wanted
    assert [tuple(p.shape) for p in group["params"]] == [(3, 2), (3,)]


def test_sgd_is_nesterovs_by_default_and_never_without_momentum() -> None:
    (group,) = make_optimizer(nn.Linear(1, 1), Recipe()).param_groups
    assert group["nesterov"]
    (group,) = make_optimizer(nn.Linear(1, 1), Recipe(momentum=0, nesterov=True)).param_groups
    assert not group["nesterov"]


def test_settings_reach_adamw() -> None:
    recipe = Recipe(optimizer="adamw", lr=0.003, weight_decay=0.02, schedule=Constant())
    optimizer = make_optimizer(nn.Linear(2, 3), recipe)
    assert isinstance(optimizer, optim.AdamW)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.003, 0.02)


def stepped(recipe: Recipe, gradients: Sequence[float]) -> list[float]:
    """Values of a single weight, 2 at first, after a step along each of these gradients."""
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(layer.weight, 2.0)
    optimizer = make_optimizer(layer, recipe)
    values = []
    for gradient in gradients:
        layer.weight.grad = torch.tensor([[gradient]], dtype=torch.float64)
        optimizer.step()
        values.append(layer.weight.item())
    return values


GRADIENTS = [0.5, -0.2, 0.9, 0.1]


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_of_sgd(nesterov: bool, momentum: float) -> None:
    recipe = Recipe(lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=0.05, schedule=Constant())
    weight, velocity, expected = 2.0, 0.0, []
    for gradient in GRADIENTS:
        slope = gradient + 0.05 * weight
        velocity = momentum * velocity + slope
        weight -= 0.1 * (slope + momentum * velocity if nesterov else velocity)
        expected.append(weight)
    assert stepped(recipe, GRADIENTS) == close(expected)


def test_steps_of_adamw() -> None:
    recipe = Recipe(optimizer="adamw", lr=0.1, weight_decay=0.05, schedule=Constant())
    weight, first, second, expected = 2.0, 0.0, 0.0, []
    for n, gradient in enumerate(GRADIENTS, 1):
        weight *= 1 - 0.1 * 0.05  # decoupled: the decay is no part of the gradient
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight -= 0.1 * (first / (1 - 0.9**n)) / (math.sqrt(second / (1 - 0.999**n)) + 1e-8)
        expected.append(weight)
    assert stepped(recipe, GRADIENTS) == close(expected)


def test_every_parameter_is_trained() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    for optimizer in ("sgd", "adamw"):
        groups = make_optimizer(network, replace(Recipe(), optimizer=optimizer)).param_groups
        assert sum(p.numel() for group in groups for p in group["params"]) == 2 * 9 + 2 + 2 + 2


@pytest.mark.parametrize(
    "recipe", [Recipe(lr=0.1), Recipe(lr=0.1, momentum=0.0), Recipe(lr=0.1, optimizer="adamw")], ids=str
)
def test_a_state_made_before_the_first_step_changes_no_step(recipe: Recipe) -> None:
    """And the rate is read from its tensor."""
    rate = torch.zeros(1)
    plain, ours = nn.Linear(3, 2), nn.Linear(3, 2)
    ours.load_state_dict(plain.state_dict())
    optimizers = make_optimizer(plain, recipe), make_optimizer(ours, recipe, rate)
    state = begin_state(optimizers[1], rate)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), ours.parameters(), strict=True))
    assert len(state) == {"sgd": 2 if recipe.momentum else 0, "adamw": 6}[recipe.optimizer]
    rate.fill_(0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        gradients = [torch.randn(p.shape, generator=generator) for p in plain.parameters()]
        for network, optimizer in zip((plain, ours), optimizers, strict=True):
            for p, gradient in zip(network.parameters(), gradients, strict=True):
                p.grad = gradient.clone()
            optimizer.step()
        for a, b in zip(plain.parameters(), ours.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
