"""The two base classes of errors: what the user can mend, and work that failed."""


class MnistSearchError(Exception):
    """Wrong input: the text says in one line what is wrong and what to do. Ends a command with exit code 2."""


class WorkFailedError(Exception):
    """The work itself failed, through no fault of the user's words: one line, exit code 1."""

    keeps_what_is_done = True
    """Whether something was finished and stored before it failed, which the line then says."""


class InvalidArchitectureError(MnistSearchError):
    """An architecture that cannot be built: `faults` holds one text per fault, each naming its layer."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class InvalidRecipeError(MnistSearchError):
    """A training that cannot be run: `faults` holds one text per fault, each naming its field."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
