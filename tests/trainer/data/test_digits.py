"""The embedded digits."""

import numpy as np
import sklearn.datasets
import torch

from trainer.data.digits import load_digits


def test_digits_have_their_sizes() -> None:
    dataset = load_digits()
    assert (dataset.name, len(dataset.train), len(dataset.test)) == ("digits", 1497, 300)
    for part in (dataset.train, dataset.test):
        assert part.pixels.shape == (len(part), 28, 28)
        assert (part.pixels.dtype, part.labels.dtype) == (torch.uint8, torch.int64)
        assert set(part.labels.tolist()) == set(range(10))
        assert (int(part.pixels.min()), int(part.pixels.max())) == (0, 255)


def test_digits_are_the_same_each_time() -> None:
    first, second = load_digits(), load_digits()
    for ours, theirs in ((first.train, second.train), (first.test, second.test)):
        assert torch.equal(ours.pixels, theirs.pixels)
        assert torch.equal(ours.labels, theirs.labels)


def test_digits_are_the_scans_enlarged() -> None:
    bunch = sklearn.datasets.load_digits()
    # Output pixel i lies at (i + 1/2) * 8/28 - 1/2 of the scan; np.interp holds the border value beyond it.
    places = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    weights = np.stack([np.interp(places, np.arange(8), unit) for unit in np.eye(8)], axis=1)  # (28, 8)
    enlarged = torch.from_numpy(weights @ bunch.images @ weights.T * 255 / 16).flatten(1)  # (N, 784)
    dataset = load_digits()
    pixels = torch.cat([dataset.train.pixels, dataset.test.pixels]).double().flatten(1)
    scans = torch.cdist(pixels, enlarged).argmin(1)
    assert (pixels - enlarged[scans]).abs().max() <= 0.5 + 1e-3  # what rounding may do
    assert sorted(scans.tolist()) == list(range(1797))  # each scan once
    labels = torch.cat([dataset.train.labels, dataset.test.labels])
    assert labels.tolist() == bunch.target[scans].tolist()
