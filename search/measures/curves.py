"""What the epochs of one training come to."""

from collections.abc import Sequence
from typing import Any

from search.measures.objective import is_held, sustained_accuracy
from trainer.training.records import EpochRecord


def curve_facts(records: Sequence[EpochRecord], target: float, sustain: int) -> dict[str, Any]:
    """Sustained, best and training accuracy, what it cost, and the epochs themselves, as plain data."""
    accuracies = [record.eval_accuracy for record in records]
    train_accuracy = records[-1].train_accuracy
    return {
        "epochs": len(records),
        "target": target,
        "sustain": sustain,
        "sustained_accuracy": sustained_accuracy(accuracies, sustain),
        "best_accuracy": max(accuracies),
        "best_train_accuracy": max(record.train_accuracy for record in records),
        "train_accuracy": train_accuracy,
        "gap": train_accuracy - accuracies[-1],
        "held": is_held(accuracies, sustain, target),
        "seconds": sum(record.seconds for record in records),
        "core_seconds": sum(record.core_seconds for record in records),
        "curves": [record.to_dict() for record in records],
    }
