"""LiveTrial: a trial from its draw to its end."""

from dataclasses import dataclass

import optuna

from models.candidate import Candidate
from search.dispatch.mirror import Row
from search.study import attributes
from trainer.training.records import EpochRecord


@dataclass(frozen=True)
class LiveTrial:
    """A candidate that passed the gate: its row in the database, and the shadow that the sampler and pruner know."""

    row: Row
    shadow: optuna.Trial
    candidate: Candidate
    epochs: tuple[EpochRecord, ...] = ()
    """Those that it had before, if it goes on."""
    state: bytes = b""
    """Its training after them."""

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.row.number

    @property
    def first_number(self) -> int:
        """The number of the trial in which this candidate was drawn; another one, if it is run again."""
        return int(self.shadow.user_attrs.get(attributes.RETRY_OF, self.number))
