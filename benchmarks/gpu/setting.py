"""What the parts of the benchmark are given, and the rows they give back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trainer.data.images import TrainingData


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    measured: str
    wanted: str = ""
    """What was promised, if anything was."""
    is_met: bool | None = None
    """Whether it holds; None where nothing was promised."""
    floor: str = ""
    """What the chip could do at best, by its measured rates."""
    is_check: bool = False
    """Whether it is a fault of the program if it does not hold; a time that is missed is a fact about it."""

    def cells(self) -> list[str]:
        """The row as text."""
        mark = {None: "", True: " ✓", False: " ✗"}[self.is_met]
        return [self.what, self.measured, f"{self.wanted}{mark}", self.floor]


@dataclass
class Setting:
    """Where and on what it is measured."""

    device: str
    data: TrainingData
    """50,000 images to learn from, 10,000 to judge by; fewer where it is only tried."""
    is_trial: bool
    """Whether it is only seen to that it runs: everything is tiny, and no number means anything."""
    seconds: float = 540.0
    say: Callable[[str], None] = print
    n_slots: int = 1
    """Of a worker on this device; set by the part that measures it."""
    step_floor: float | None = None
    """Seconds of a step at best; set by the part that measures the chip."""
    _started: float = field(default_factory=time.perf_counter)

    @property
    def seconds_left(self) -> float:
        """Until everything must be over."""
        return self.seconds - (time.perf_counter() - self._started)


Part = Callable[[Setting], list[Row]]
