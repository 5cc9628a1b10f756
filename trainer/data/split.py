"""The two ways a training may be judged. Only `test` ever looks at the test images."""

import numpy as np

from models.errors import MnistSearchError
from trainer.data.images import Dataset, TrainingData
from trainer.data.names import DIGITS

SPLIT_SEED = 0
HOLDOUT_SHARE = 1 / 6
"""10,000 of MNIST's 60,000 training images."""
_FEWEST = 4
"""The fewest training images of which a sixth, rounded, is one."""
_MNIST_SIZES, _DIGITS_SIZES = (60_000, 10_000), (1_497, 300)


def usual_sizes(dataset: str, split: str) -> tuple[int, int]:
    """Return how many images a named dataset trains on and is judged by, for a reader without its files."""
    n_train, n_test = _DIGITS_SIZES if dataset == DIGITS else _MNIST_SIZES
    n_held_out = round(HOLDOUT_SHARE * n_train)
    return (n_train, n_test) if split == "test" else (n_train - n_held_out, n_held_out)


def split_data(dataset: Dataset, split: str) -> TrainingData:
    """Training data for one of `names.SPLITS`.

    `holdout` learns from five sixths of the training images and is judged by the last sixth, class by class alike;
    `test` learns from all of them and is judged by the test images. Raises MnistSearchError for too few images, or for
    images without contrast.
    """
    if len(dataset.train) < _FEWEST:
        raise MnistSearchError(f"{dataset.name} has {len(dataset.train)} training images: use {_FEWEST} or more")
    if split == "test":
        return TrainingData.of(dataset.train, dataset.test)
    train, held_out = holdout_index(dataset.train.labels.numpy(), HOLDOUT_SHARE, SPLIT_SEED)
    return TrainingData.of(dataset.train.select(train), dataset.train.select(held_out))


def holdout_index(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the images kept and of those held out, both ascending: a stratified draw.

    Exactly round(share * N) are held out; each class gives its share to within one image (largest remainders).
    """
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * share
    quota = np.floor(exact).astype(int)
    left = round(share * len(labels)) - quota.sum()
    quota[np.argsort(quota - exact, kind="stable")[:left]] += 1
    held_out = [rng.permutation(np.flatnonzero(labels == cls))[:n] for cls, n in zip(classes, quota, strict=True)]
    out = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(labels)), out), out
