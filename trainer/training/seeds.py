"""Seeds of what is drawn at random in a training, an epoch at a time.

Every epoch has seeds of its own, which follow from the training's: so an epoch can be drawn ahead of its time, and a
training goes on from a saved state without the state of any generator.
"""

import numpy as np

ORDER, CHANGES, DROPOUT = range(3)
"""What is drawn: the order of the images, their random changes, the dropped activations."""


def epoch_seed(seed: int, epoch: int, purpose: int) -> int:
    """A seed of 32 bits for one purpose in one epoch (from 1) of a training."""
    return int(np.random.SeedSequence([seed, epoch, purpose]).generate_state(1)[0])
