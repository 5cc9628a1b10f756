"""An exponential moving average of a network's weights over the batches of its training."""

from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """Keeps a copy, `network`, whose weights and batch statistics are averages of those it was shown.

    The decay grows to `decay`: it is (1 + n) / (10 + n) with n states in the average. Without that the first weights,
    which know nothing, would weigh on a short training to its end.
    """

    def __init__(self, network: nn.Sequential, decay: float) -> None:
        self.network = deepcopy(network)
        self._decay = decay
        # A Python number: a GPU would have to be waited for at every batch, as torch's AveragedModel does.
        self._n_states = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes in the weights as they are now."""
        n = self._n_states
        kept_share = min(self._decay, (1 + n) / (10 + n)) if n else 0.0
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        get_ema_multi_avg_fn(kept_share)([average for average, _ in floats], [value for _, value in floats], n)
        for average, value in pairs:
            if not average.is_floating_point():  # BatchNorm's number of batches
                average.copy_(value)
        self._n_states += 1
