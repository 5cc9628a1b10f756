"""The one base class of every error that is the user's to mend."""


class MnistSearchError(Exception):
    """Wrong input: the text says in one line what is wrong and what to do. Ends a command with exit code 2."""


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
