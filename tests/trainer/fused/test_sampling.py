"""The kernel that turns and moves images, against torch's grid_sample."""

import pytest
import torch

from tests.helpers.kernels import needs_compiler
from trainer.fused.sampling import _sample_by_torch, sample


@needs_compiler
@pytest.mark.parametrize("fill", [0, 77])
def test_sampling_agrees_with_grid_sample(fill: int) -> None:
    torch.manual_seed(10)
    for height, width in [(28, 28), (5, 9)]:
        pixels = torch.randint(0, 256, (50, height, width), dtype=torch.uint8)
        index = torch.randperm(50)[:32]
        theta = torch.eye(2, 3) + torch.linspace(0, 2, 32).view(-1, 1, 1) * torch.randn(32, 2, 3)
        theta[1] *= 100  # almost all of it lies outside
        expected = (_sample_by_torch(pixels[index], theta, fill) + fill) * 0.5 - 3
        torch.testing.assert_close(sample(pixels, index, theta, fill, 0.5, -3), expected, rtol=0, atol=2e-3 * height)
        still = sample(pixels, index, torch.eye(2, 3).expand(32, 2, 3), fill, 1, 0)
        torch.testing.assert_close(still[:, 0], pixels[index].float(), rtol=0, atol=1e-3)


@needs_compiler
def test_sampling_refuses_an_index_outside() -> None:
    pixels = torch.zeros(3, 28, 28, dtype=torch.uint8)
    with pytest.raises(IndexError, match="outside 0 to 2"):
        sample(pixels, torch.tensor([3]), torch.eye(2, 3)[None], 0, 1, 0)
