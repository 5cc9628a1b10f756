"""Study: the result of a search, and its trained networks."""

from dataclasses import dataclass
from html import escape
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from mnist_search.arguments import storage_url
from models.candidate import Candidate
from search.facts.study_facts import study_facts, trials_facts
from search.measures.words import percent
from search.study.naming import Named, existing_store, only_study
from search.study.study import SearchStudy, candidate_of
from search.verification.answer import Standing, find_answer


@dataclass(frozen=True)
class TrainedTrial:
    """A trained network of a study; `verify` and `export` take it as it is."""

    named: Named
    trial: FrozenTrial
    standing: Standing | None = None
    """Why it is the answer, if it is."""
    rests_on: str = ""
    """The evidence for the answer in words, such as `not verified: one training`."""

    @property
    def number(self) -> int:
        """The number of the trial in its study."""
        return self.trial.number

    @property
    def candidate(self) -> Candidate:
        """The architecture and the recipe."""
        return self.named.candidate

    @property
    def params(self) -> int:
        """The number of trainable parameters."""
        return self.candidate.arch.params

    @property
    def accuracy(self) -> float:
        """The sustained accuracy of its training in the search, a fraction of 1."""
        return self.trial.value or 0.0

    def __repr__(self) -> str:
        evidence = f", {self.rests_on}" if self.rests_on else ""
        return f"<trial {self.number}: {percent(self.accuracy)} with {self.params:,} parameters{evidence}>"


class Study:
    """A study: its answer, its best and smallest networks, and all its trials.

    Trials are read once, at the first use; `load_study` reads them again.
    """

    def __init__(self, inner: SearchStudy) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The name of the study in its database."""
        return self.inner.name

    @property
    def optuna(self) -> optuna.Study:
        """The study as Optuna has it, for `optuna.visualization` and the like."""
        return self.inner.optuna

    @property
    def answer(self) -> TrainedTrial | None:
        """The network that commands take by default (docs/verification.md has the rule); None if none has trained."""
        found = find_answer(self.inner)
        if found is None:
            return None
        return TrainedTrial(self._named(found.trial), found.trial, found.standing, found.text)

    @property
    def best(self) -> TrainedTrial | None:
        """The network with the highest sustained accuracy."""
        return self._trained(self.inner.best())

    @property
    def smallest(self) -> TrainedTrial | None:
        """The network with the fewest parameters whose sustained accuracy reached the target."""
        return self._trained(self.inner.smallest())

    @property
    def front(self) -> list[TrainedTrial]:
        """The networks that are more accurate than all others of their size or less, smallest first."""
        return [TrainedTrial(self._named(trial), trial) for trial in self.inner.front()]

    def facts(self) -> dict[str, Any]:
        """Return what `mnist-search status --json` prints."""
        return study_facts(self.inner)

    def trials(self) -> list[dict[str, Any]]:
        """Return what `mnist-search trials --json` prints: a dict for each trial."""
        return trials_facts(self.inner)

    def trials_dataframe(self) -> Any:
        """Return the trials as a pandas DataFrame with a column for each searched value.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("trials_dataframe() needs pandas: pip install pandas, or use trials()") from None
        rows = [{**facts, **facts.pop("values")} for facts in self.trials()]
        return pandas.DataFrame(rows).set_index("trial") if rows else pandas.DataFrame()

    def __repr__(self) -> str:
        return f"<study {self.name}: {self.inner.n_past_gate()} trials, answer {self.answer}>"

    def _repr_html_(self) -> str:
        settings, counts = self.inner.settings, self.inner.counts()
        rows = {
            "study": f"{self.name}: {settings.dataset}, fewer than {settings.max_params:,} parameters",
            "trials": ", ".join(f"{n} {outcome}" for outcome, n in counts.items()),
            "target": percent(settings.target),
            "answer": self.answer,
            "best": self.best,
            "smallest": self.smallest,
        }
        cells = (f"<tr><th>{name}</th><td>{escape(str(value or 'none yet'))}</td></tr>" for name, value in rows.items())
        return f"<table>{''.join(cells)}</table>"

    def _trained(self, trial: FrozenTrial | None) -> TrainedTrial | None:
        return None if trial is None else TrainedTrial(self._named(trial), trial)

    def _named(self, trial: FrozenTrial) -> Named:
        return Named(f"trial {trial.number}", candidate_of(trial), self.inner, trial)


def load_study(study: str | None = None, *, storage: str | None = None, for_reading: bool = False) -> Study:
    """Return a study of a database.

    Args:
        study: Its name. None takes the only one there is.
        storage: URL of the database. None takes MNIST_SEARCH_STORAGE, or mnist-search.db in the working folder.
        for_reading: Allow a file that may not be written. `verify` then cannot keep its result.

    Raises:
        MnistSearchError: There is no such study, or there are several.
        StorageError: Nothing is stored there, or it cannot be used.
    """
    return Study(only_study(existing_store(storage_url(storage), for_reading), study))
