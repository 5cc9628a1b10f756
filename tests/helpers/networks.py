"""Networks with weights that nobody trained, and with batch statistics that are no identity."""

import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build
from models.layers import AvgPool, Conv, Dropout, Gap, MaxPool, Skip

ODD = ArchSpec(
    (
        Conv(6, 5, stride=2, padding=2, bias=True, then=("relu", "bn")),  # 28 -> 14, borders of zeros
        Dropout(),
        Conv(8, 3, padding=1, groups=2, then=("bn", "relu", "dropout")),
        MaxPool(3),  # 14 -> 4, a rest of 2 left out
        Conv(8, 3, padding=1, groups=8, then=("bn",)),  # depthwise, negative values go on
        Conv(12, 1, bias=True, then=("dropout", "relu")),
        AvgPool(3),  # 4 -> 1, a rest of 1 left out
        Gap(),
        Conv(10, 1, then=("relu", "bn")),
    )
)
"""Each kind of layer, each order of what follows a convolution, and all that makes a writer of code stumble."""

WIDER = ArchSpec(
    (
        Conv(6, 5, stride=2, padding=2, then=("bn-bias", "relu")),  # 28 -> 14
        MaxPool(),
        Conv(8, padding=1, then=("bn", "silu", "dropout")),
        Conv(6, 1, then=("silu", "bn")),
        Conv(6, 1, then=("bn-bias", "leaky-relu")),
        Skip(3),  # 8 channels to 6
        Conv(6, 3, groups=6, then=()),  # 7 -> 5, separable
        Conv(8, 1, then=("prelu", "bn-bias")),
        Skip(2),  # to more channels, and a smaller map
        Dropout(),
        Conv(4, 1, then=("bn",)),
        Conv(8, 1, then=("relu",)),
        Skip(3),
        Conv(8, padding=1, bias=True),
        Conv(8, padding=1, bias=True, then=("bn-bias", "relu"), shares=1),
        Dropout(),
        Conv(8, padding=1, bias=True, then=("leaky-relu", "bn"), shares=3),
        Conv(8, 5, groups=8, then=()),  # a spatial head
        Conv(10, 1, then=()),
    )
)
"""What the template got later, each part once."""


def initialised(arch: ArchSpec, seed: int = 0) -> nn.Module:
    """A network with random weights, and random batch statistics so that BatchNorm is no identity."""
    torch.manual_seed(seed)
    network = build(arch, dropout=0.5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                if tensor is not None:  # BatchNorm with a bias alone has no weight
                    nn.init.uniform_(tensor, 0.5, 1.5)
            if module.weight is not None:
                with torch.no_grad():
                    module.weight[::3].neg_()  # a factor may well be negative
        if isinstance(module, nn.PReLU):
            nn.init.constant_(module.weight, -1.5)  # so may a slope, and it may be large
    return network.eval()
