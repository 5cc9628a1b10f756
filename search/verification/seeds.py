"""The seeds of a verification, always the same for the same candidate so that it can resume; and their least length."""

import numpy as np

TRIAL_EPOCHS = 15
"""The fewest epochs of a verification of a study's trial: what the sources allow themselves."""
_PURPOSES = {"test": 0x7E57, "holdout": 0x407D}


def fresh_seeds(candidate_id: str, split: str, n: int) -> list[int]:
    """The first n seeds of a candidate for trainings judged by a split: more of them begin with the same.

    They follow from the candidate alone, so they are not those of any study, nor of another candidate, nor those of
    the race that may have chosen it.
    """
    entropy = [int(candidate_id, 16), _PURPOSES[split]]
    return [int(np.random.SeedSequence([*entropy, i]).generate_state(1)[0]) for i in range(n)]
