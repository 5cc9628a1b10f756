"""What storage refuses, and how it fails."""


class StorageError(Exception):
    """A storage that cannot be used: the text says in one line what is wrong and what to do."""


class StudyBusyError(StorageError):
    """Another dispatcher works on the study."""


class StudyLostError(StudyBusyError):
    """The study was ours, and is another dispatcher's by now, or gone."""


class NothingStoredError(StorageError):
    """There is no database yet where one was looked for."""


class StorageFailedError(StorageError):
    """A storage that failed in the middle of work, through no fault of the user's words: the same command goes on."""

    def __init__(self, text: str, passes: bool) -> None:
        """`passes` says whether waiting may help, as it does for a lock, and does not for a full disk."""
        super().__init__(text)
        self.passes = passes
