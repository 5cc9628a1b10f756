"""One use of `verify`: the race on held-out images, if there is one, then the seeds on the test images."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch

from search.engines.opening import open_engine
from search.engines.places import Place
from search.engines.protocol import Engine
from search.study.history import spent
from search.verification.nominees import Nominee
from search.verification.race import Round, run_climb, run_race
from search.verification.seed_trainer import Question, SeedTrainer
from search.verification.summary import accuracies_of, summarise, sustained_of
from search.verification.trainings import TrainingListener
from storage.active_clock import ActiveClock
from storage.patience import Patience
from storage.store import Store
from storage.verifications import Verification, begin_verification, end_verification, release
from trainer.data.images import Dataset
from trainer.data.split import split_data
from trainer.training.precision import Precision


@dataclass(frozen=True)
class Machine:
    """On what it trains: where workers run, the number format, and the line that is kept with every run."""

    place: Place
    precision: Precision
    trained_on: str
    slots: int | None = None
    """Trainings at once in each worker; None leaves it to the workers."""

    @property
    def provenance(self) -> dict[str, str]:
        """What is kept with every run: seeds are alike where `precision` and the release of `torch` are."""
        return {"trained_on": self.trained_on, "precision": self.precision.name, "torch": torch.__version__}


class Verifier:
    """Races and verifies candidates. Every training is kept as it ends, and never done twice.

    Its methods raise KeyboardInterrupt once `stop` was called, and WorkFailedError if a training or the workers break
    again and again.
    """

    def __init__(
        self,
        store: Store,
        dataset: Dataset,
        machine: Machine,
        target: float,
        sustain: int,
        listener: TrainingListener,
    ) -> None:
        self._store = store
        self._dataset = dataset
        self._machine = machine
        self._target = target
        self._sustain = sustain
        self._listener = listener
        self._stopping = False
        self._patience = Patience(listener.waits, self._is_stopping)
        store.leave_waiting_to_patience()
        self._clock = ActiveClock()
        self._core_seconds = 0.0

    def _is_stopping(self) -> bool:
        """Asked several times a second, and so the clock is read as often as it must be."""
        self._clock.seconds()
        return self._stopping

    def stop(self) -> None:
        """Ends what is under way; safe in a signal handler."""
        self._stopping = True

    def race(
        self, nominees: Sequence[Nominee], said: Callable[[dict[str, Any]], None], for_smallest: bool
    ) -> tuple[Nominee, list[dict[str, Any]]]:
        """The winner of a race on held-out training images, and the facts of its rounds; `said` hears of each.

        A race for the smallest expects its nominees from the smallest up, and ends with the first at the target.
        """
        by_id = {nominee.candidate.id: nominee for nominee in nominees}
        rounds: list[dict[str, Any]] = []

        def note(this: Round, accuracies: Mapping[str, Sequence[float]], left: list[str]) -> None:
            labels = {key: by_id[key].entry.label for key in accuracies}
            rounds.append(_round_facts(this, accuracies, left, labels))
            said(rounds[-1])

        def train(keys: Sequence[str], n_seeds: int) -> dict[str, list[float]]:
            runs = self._runs("holdout", [by_id[key] for key in keys], n_seeds)
            return {key: [sustained_of(run, self._sustain) for run in of] for key, of in runs.items()}

        keys = list(by_id)
        winner = run_climb(keys, self._target, train, note) if for_smallest else run_race(keys, train, note)
        return by_id[winner], rounds

    def verify(self, nominee: Nominee, n_seeds: int, race: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """What the seeds of a candidate came to on the test images: the facts that `verify --json` prints."""
        # After a lost connection one may be begun twice: the first is then one that was stopped at once.
        number = self._patience.call(lambda: begin_verification(self._store.engine, self._record(nominee)))
        # Of seeds that all diverge no run says how many epochs it was to have.
        extra = {
            "epochs": nominee.candidate.recipe.epochs,
            "is_clean": nominee.is_clean,
            "n_compared": nominee.n_compared,
            "race": race,
        }
        summary: dict[str, Any] | None = None
        try:
            runs = self._runs("test", [nominee], n_seeds)[nominee.candidate.id]
            summary = {**summarise(runs, self._target, self._sustain), **extra}
        finally:
            seconds = self._clock.seconds()
            self._patience.call(
                lambda: end_verification(self._store.engine, number, seconds, self._core_seconds, summary)
            )
        return {**_candidate_facts(nominee, self._dataset.name), **summary, "runs": list(map(self._run_facts, runs))}

    def _runs(self, split: str, nominees: Sequence[Nominee], n_seeds: int) -> dict[str, list[dict[str, Any]]]:
        question = Question(self._dataset.name, split, self._target, self._sustain)
        trainer = SeedTrainer(
            self._store.engine,
            lambda: self._engine(split),
            question,
            self._machine.provenance,
            self._listener,
            self._is_stopping,
        )
        runs = trainer.runs([nominee.entry for nominee in nominees], n_seeds)
        self._core_seconds += trainer.core_seconds
        if self._stopping:
            raise KeyboardInterrupt
        return runs

    def _engine(self, split: str) -> AbstractContextManager[Engine]:
        on = self._machine
        data, place = split_data(self._dataset, split), on.place
        return open_engine(data, place.devices, on.precision.dtype, on.slots, place.engine, **place.how)

    def _record(self, nominee: Nominee) -> Verification:
        entry, study = nominee.entry, nominee.study
        record = Verification(
            entry.candidate.id, entry.label, self._dataset.name, trial=nominee.trial, n_compared=nominee.n_compared,
            precision=self._machine.precision.name, torch=release(torch.__version__),
        )  # fmt: skip
        if study is None:
            return record
        cost = spent(study)
        return replace(
            record, study_id=study.study_id, study_seconds=cost.seconds, study_core_seconds=cost.core_seconds
        )

    def _run_facts(self, run: dict[str, Any]) -> dict[str, Any]:
        """A seed's line: its sustained accuracy under the target and length asked for now."""
        shown = ("seed_number", "seed", "best_accuracy", "seconds", "core_seconds", "diverged", "epochs")
        on = ("trained_on", "precision", "torch")
        last = accuracies_of(run)[-self._sustain :]
        return {key: run.get(key) for key in (*shown, *on)} | {
            "sustained_accuracy": sustained_of(run, self._sustain),
            "last_accuracies": last,
            "held": not run["diverged"] and len(last) == self._sustain and min(last) >= self._target,
        }


def _round_facts(
    this: Round, accuracies: Mapping[str, Sequence[float]], left: list[str], labels: Mapping[str, str]
) -> dict[str, Any]:
    best_first = sorted(accuracies, key=lambda key: -sum(accuracies[key]) / len(accuracies[key]))
    return {
        "n_seeds": this.n_seeds,
        "candidates": [
            {
                "name": labels[key],
                "candidate": key,
                "sustained_accuracy": sum(accuracies[key]) / len(accuracies[key]),
                "goes_on": key in left,
            }
            for key in best_first
        ],
    }


def _candidate_facts(nominee: Nominee, dataset: str) -> dict[str, Any]:
    arch = nominee.candidate.arch
    return {
        "name": nominee.entry.label,
        "candidate": nominee.candidate.id,
        "dataset": dataset,
        "study": nominee.study.name if nominee.study else None,
        "trial": nominee.trial,
        "params": arch.params,
        "macs": arch.macs,
        "receptive_field": arch.receptive_field,
    }
