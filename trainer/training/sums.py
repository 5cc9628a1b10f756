"""What an epoch comes to, on the device until it is over."""

import torch


def zero_sums(device: torch.device) -> torch.Tensor:
    """(2,) of a loss and a number of hits. In float64, which Apple's GPUs do not have."""
    return torch.zeros(2, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
