"""The embedded dataset: scikit-learn's handwritten digits, so that everything runs with no network and no files."""

import numpy as np
import torch
from torch.nn.functional import interpolate

from trainer.data.images import Dataset, Images
from trainer.data.names import DIGITS
from trainer.data.split import holdout_index

_TEST_SHARE = 1 / 6
_SPLIT_SEED = 0
_FULL_SCALE = 16  # the scans have 17 grey levels, 0 to 16


def load_digits() -> Dataset:
    """1,797 scans of 8x8 pixels (Alpaydin and Kaynak, 1998), scaled up to 28x28: 1,497 to train, 300 to test."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    scans = torch.from_numpy(bunch.images.astype(np.float32))[:, None] * (255 / _FULL_SCALE)  # (N, 1, 8, 8)
    pixels = interpolate(scans, size=(28, 28), mode="bilinear").round().to(torch.uint8)[:, 0]  # (N, 28, 28)
    images = Images(pixels, torch.from_numpy(bunch.target.astype(np.int64)))
    train, test = holdout_index(bunch.target, _TEST_SHARE, _SPLIT_SEED)
    return Dataset(DIGITS, images.select(train), images.select(test))
