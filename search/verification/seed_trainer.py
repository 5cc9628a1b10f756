"""SeedTrainer: makes sure that candidates were trained with so many fresh seeds, keeping each training as it ends."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from sqlalchemy import Engine as Database

from search.engines.protocol import Engine
from search.measures.curves import curve_facts
from search.verification.seeds import fresh_seeds
from search.verification.soundness import require_sound_runs
from search.verification.trainings import Entry, SeedTraining, TrainingListener, train_all
from storage.patience import Patience
from storage.verifications import add_verification_run, verification_runs_of


@dataclass(frozen=True)
class Question:
    """What the trainings are judged by."""

    dataset: str
    split: str
    target: float
    sustain: int


class SeedTrainer:
    """Trains on engines whose images are those of the question's split, opened only if something is to be trained."""

    def __init__(
        self,
        database: Database,
        open_engine: Callable[[], AbstractContextManager[Engine]],
        question: Question,
        provenance: Mapping[str, str],
        listener: TrainingListener,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`provenance` says on what the engines train; it is kept with every run.

        Runs of another `precision` in it, or of another release of `torch` (this one unless given), do not count.
        """
        self._database = database
        self._open_engine = open_engine
        self._question = question
        self._provenance = {"precision": "", "torch": torch.__version__, **provenance}
        self._listener = listener
        self._should_stop = should_stop
        self._patience = Patience(listener.waits, should_stop)
        self.core_seconds = 0.0
        """Processor time of the trainings done so far."""

    def runs(self, entries: Sequence[Entry], n_seeds: int) -> dict[str, list[dict[str, Any]]]:
        """The runs of each entry's first `n_seeds` seeds, by candidate id; what is missing is trained now.

        Fewer, if it was stopped: what is done is kept, and the next call goes on.
        """
        missing = [training for entry in entries for training in self._missing(entry, n_seeds)]
        missing.sort(key=lambda training: training.seed_number)  # all candidates get their first seed first
        self._listener.began(len(entries) * n_seeds - len(missing), len(entries) * n_seeds)
        if missing:
            with self._open_engine() as engine:
                for done in train_all(engine, missing, self._listener, self._should_stop):
                    self.core_seconds += sum(record.core_seconds for record in done.records)
                    # What a race trained on fewer images is shipped by nobody.
                    weights = done.weights if self._question.split == "test" else None
                    self._keep(done, weights)
                    self._listener.ended(done)
        return {entry.candidate.id: self._kept(entry, n_seeds) for entry in entries}

    def _keep(self, done: SeedTraining, weights: bytes | None) -> None:
        """Keeps a training as soon as the storage can: it may have taken an hour."""
        facts = self._facts(done)
        self._patience.call(lambda: add_verification_run(self._database, facts, weights))

    def _missing(self, entry: Entry, n_seeds: int) -> list[SeedTraining]:
        done = {run["seed"] for run in self._kept(entry, n_seeds)}
        seeds = fresh_seeds(entry.candidate.id, self._question.split, n_seeds)
        return [SeedTraining(entry, number, seed) for number, seed in enumerate(seeds, 1) if seed not in done]

    def _kept(self, entry: Entry, n_seeds: int) -> list[dict[str, Any]]:
        question, on = self._question, (self._provenance["precision"], self._provenance["torch"])
        seeds = fresh_seeds(entry.candidate.id, question.split, n_seeds)
        of = entry.candidate.id, question.dataset, question.split
        runs = self._patience.call(lambda: verification_runs_of(self._database, *of, seeds, on))
        require_sound_runs(entry.label, runs)
        return sorted(runs, key=lambda run: int(run["seed_number"]))

    def _facts(self, training: SeedTraining) -> dict[str, Any]:
        """A run as it is kept. One that diverged has a sustained accuracy of zero: it classifies nothing."""
        question, candidate = self._question, training.entry.candidate
        has_diverged = training.diverged_in is not None
        curves = (
            curve_facts(training.records, question.target, question.sustain)
            if training.records
            else _no_curves(question)
        )
        return {
            "candidate": candidate.id,
            "label": training.entry.label,
            "dataset": question.dataset,
            "split": question.split,
            "seed": training.seed,
            "seed_number": training.seed_number,
            **self._provenance,
            "params": candidate.arch.params,
            **curves,
            **({"sustained_accuracy": 0.0, "held": False} if has_diverged else {}),
            "diverged": training.diverged_in,
            "predictions": "".join(map(str, training.predictions)),
        }


def _no_curves(question: Question) -> dict[str, Any]:
    zeros = ("sustained_accuracy", "best_accuracy", "best_train_accuracy", "train_accuracy", "gap", "seconds")
    return {
        "epochs": 0,
        "target": question.target,
        "sustain": question.sustain,
        **dict.fromkeys(zeros, 0.0),
        "core_seconds": 0.0,
        "held": False,
        "curves": [],
    }
