"""What a training is judged by."""

from collections.abc import Sequence


def sustained_accuracy(accuracies: Sequence[float], sustain: int) -> float:
    """The mean accuracy of the last `sustain` epochs (of all, when there are fewer): the objective."""
    last = accuracies[-sustain:]
    # Rounded, so that three epochs of .9904 are at a target of .9904: summed, they come to a hair less.
    return round(sum(last) / len(last), 12)


def is_held(accuracies: Sequence[float], sustain: int, target: float) -> bool:
    """Whether each of the last `sustain` epochs is at or above the target."""
    return len(accuracies) >= sustain and all(accuracy >= target for accuracy in accuracies[-sustain:])
