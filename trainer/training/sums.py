"""Sums that stay on the device until an epoch is over, so that no batch waits for them."""

import torch


def zero_sums(device: torch.device) -> torch.Tensor:
    """(2,) of a loss and a number of hits. In float64, which Apple's GPUs do not have."""
    return torch.zeros(2, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
