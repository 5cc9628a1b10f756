"""verify(): what `mnist-search verify` does."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_search.arguments import find_place, refuse_starting_process, slot_count, storage_url, worker_count
from mnist_search.studies import TrainedTrial
from mnist_search.watching import Watcher
from models.candidate import Candidate
from models.errors import MnistSearchError
from search.measures.verdict import MIN_SEEDS, Verdict, coarse_target_text
from search.measures.words import percent, plural
from search.study.naming import BEST, SMALLEST, Named, existing_store, only_study
from search.study.study import SearchStudy
from search.verification.answer import ANSWER, find_named
from search.verification.nominees import Nominee, goal_of, nominee_of, top_nominees
from search.verification.verifier import Machine, Verifier
from storage.store import Store
from storage.urls import shown
from trainer.data.find import AUTO, data_folder, find_dataset
from trainer.training.precision import Precision, choose_precision
from trainer.training.provenance import opening_lines, provenance

What = str | int | Path | Candidate | TrainedTrial
"""WHAT of the command line (a word, trial number, preset or file), or an object of this package."""


@dataclass(frozen=True)
class Proof:
    """The result of a verification."""

    facts: dict[str, Any] = field(repr=False)
    """What `mnist-search verify --json` prints: `runs` has each seed."""
    n_train: int
    """Images that each seed was trained on."""
    n_test: int
    precision: str

    @property
    def verdict(self) -> Verdict:
        """Whether the mean over seeds is at the target; a string such as `verified`."""
        return Verdict(self.facts["verdict"])

    @property
    def accuracy(self) -> float:
        """The mean over seeds of the sustained accuracy on the test images, a fraction of 1."""
        return float(self.facts["sustained_accuracy"])

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None after a single seed."""
        pair = self.facts["mean_interval"]
        return None if pair is None else (pair[0], pair[1])

    def __repr__(self) -> str:
        seeds = plural(self.facts["n_seeds"], "seed")
        return f"<{self.facts['name']}: {self.verdict.words}, {percent(self.accuracy)} over {seeds}>"


def verify(
    what: What = ANSWER,
    *,
    seeds: int = MIN_SEEDS,
    top: int = 1,
    epochs: int | None = None,
    target: float | None = None,
    sustain: int | None = None,
    workers: int | str = "auto",
    slots: int | str = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "local",
    ray_address: str | None = None,
    gpus_per_worker: float | None = None,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    storage: str | None = None,
    study: str | None = None,
    progress: bool = True,
    watcher: Watcher | None = None,
) -> Proof:
    """Train a network again with fresh seeds on all training images, and judge it by the test images.

    The arguments are the options of `mnist-search verify`, which `mnist-search verify --help` explains.

    Args:
        what: A trial of a study (`study.answer`), a Candidate, or what the command line takes: `answer`, `best`,
            `smallest`, a trial number, the name of a preset, a spec file.
        progress: Print messages and a progress bar on stderr. Warnings are printed in any case.
        watcher: Receives messages and progress in the place of `progress`, as the command line does.

    Raises:
        MnistSearchError: An argument is not possible, or nothing has that name.
        StorageError: The database cannot be used.
        WorkFailedError: Workers or trainings fail again and again. Seeds that have finished are kept.
        KeyboardInterrupt: It was interrupted by Ctrl-C. Seeds that have finished are kept.
    """
    refuse_starting_process("verify")
    watcher = watcher or Watcher(progress)
    word = word_of(what)
    for value, name, least in ((seeds, "--seeds", 1), (top, "--top", 1), (epochs, "--epochs", 1)):
        if value is not None and value < least:
            raise MnistSearchError(f"{name} {value}: at least {least}")
    if top > 1 and word not in (ANSWER, SMALLEST, BEST):
        raise MnistSearchError(f"--top {top} chooses among a study's trials: leave {word} or --top out")
    n_workers, n_slots = worker_count(workers), slot_count(slots)
    url = storage_url(storage)
    named = name_of(what, url, study, watcher, is_taken=top == 1)
    nominees = _nominees(named, word, top, epochs, sustain or 1)
    store = named.study.store if named.study else Store(url)
    dataset_name = dataset or (named.study.settings.dataset if named.study else AUTO)
    n_epochs = nominees[0].candidate.recipe.epochs
    given = {"target": target, "sustain": sustain}
    goal_of(named, dataset_name, "test", n_epochs, given)  # what is impossible is refused before data is fetched
    found = find_dataset(dataset_name, data_folder(Path(data_dir) if data_dir else None))
    goal = goal_of(named, found.dataset.name, "test", n_epochs, given)
    place = find_place(engine, device, n_workers, ray_address, gpus_per_worker)
    watcher.say(f"data: {found.notice}")
    warning = coarse_target_text(goal.target, found.dataset.name, len(found.dataset.test))
    if warning is not None:
        watcher.warn(warning)
    chosen: Precision = choose_precision(precision, place.device, nominees[0].candidate)
    for line in opening_lines(place.device, chosen, place.described):
        watcher.say(line)
    machine = Machine(place, chosen, provenance(place.device, chosen, place.described), n_slots)
    with watcher.verifying(goal.sustain, len(place.devices)) as listener:
        verifier = Verifier(store, found.dataset, machine, goal.target, goal.sustain, listener)
        with watcher.stopping(verifier.stop):
            facts = _verify(verifier, nominees, word, seeds, watcher)
    return Proof(facts, len(found.dataset.train), len(found.dataset.test), chosen.name)


def name_of(
    what: What, storage: str, study: str | None, watcher: Watcher, is_taken: bool = True, for_reading: bool = False
) -> Named:
    """Return the candidate that an argument WHAT stands for; tell which trial is the answer, if that is asked for."""
    if isinstance(what, TrainedTrial):
        return what.named
    if isinstance(what, Candidate):
        return Named(word_of(what), what)

    def find_study() -> SearchStudy:
        store = existing_store(storage, for_reading)
        watcher.detail(f"database: {shown(store.url)}")
        return only_study(store, study)

    named, answer = find_named(str(what), find_study)
    if answer is not None and is_taken:
        watcher.say(answer.line)
    return named


def word_of(what: What) -> str:
    """Return the word that names an argument WHAT in messages and commands."""
    if isinstance(what, TrainedTrial):
        return str(what.number)
    return f"candidate-{what.id}" if isinstance(what, Candidate) else str(what)


def _nominees(named: Named, word: str, top: int, epochs: int | None, least: int) -> list[Nominee]:
    if top > 1 and named.study is not None:
        return top_nominees(named.study, top, word, epochs, least)
    return [nominee_of(named, epochs, least)]


def _verify(verifier: Verifier, nominees: list[Nominee], word: str, seeds: int, watcher: Watcher) -> dict[str, Any]:
    """Race the nominees if there are several, and verify the winner."""
    nominee, race = nominees[0], None
    if len(nominees) > 1:
        watcher.say(_race_text(word, len(nominees)))
        nominee, race = verifier.race(nominees, lambda facts: watcher.say(_round_text(facts)), word != BEST)
    arch, n_epochs = nominee.candidate.arch, nominee.candidate.recipe.epochs
    runs = f"{plural(seeds, 'seed')} of {plural(n_epochs, 'epoch')}"
    watcher.say(f"{nominee.entry.label}: {arch.params:,} parameters, {runs}")
    return verifier.verify(nominee, seeds, race)


def _race_text(word: str, top: int) -> str:
    of = f"{top} most accurate" if word == BEST else f"{top} smallest, smallest first,"
    return f"race of the {of} on held-out training images; the test set is not used"


def _round_text(facts: dict[str, Any]) -> str:
    of = [
        f"{one['name']} {percent(one['sustained_accuracy'])}{'' if one['goes_on'] else ' (out)'}"
        for one in facts["candidates"]
    ]
    return f"after {facts['n_seeds']} seeds{' each' if len(of) > 1 else ''}: {', '.join(of)}"
