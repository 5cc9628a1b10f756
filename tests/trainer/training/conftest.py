"""The images that the trainings of this folder are of."""

import numpy as np
import pytest

from tests.helpers.trainings import N_EVALUATION, N_TRAIN
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData


@pytest.fixture(scope="session")
def data() -> TrainingData:
    """400 digits to learn from and 200 to be judged by."""
    train = load_digits().train
    return TrainingData.of(train.select(np.arange(N_TRAIN)), train.select(np.arange(N_TRAIN, N_TRAIN + N_EVALUATION)))
