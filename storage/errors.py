"""What storage refuses, and how it fails."""


class StorageError(Exception):
    """A storage that cannot be used: the text says in one line what is wrong and what to do."""


class StudyBusyError(StorageError):
    """Another dispatcher works on the study."""


class StudyLostError(StudyBusyError):
    """The study was ours, and is another dispatcher's by now, or gone. Ends a command with exit code 1."""


class NothingStoredError(StorageError):
    """There is no database yet where one was looked for."""


class StorageFailedError(StorageError):
    """A storage that failed in the middle of work, through no fault of the user's words: exit code 1.

    What was written before is kept, and the same command goes on.
    """

    def __init__(self, what: str, where: str, advice: str, passes: bool) -> None:
        """`what` failed, such as "the disk of the database is full", `where`, in its own words, and what to do."""
        super().__init__(f"{what} ({where}): {advice}; the same command goes on")
        self.what = what
        self.passes = passes
        """Whether waiting may help, as it does for a lock, and does not for a full disk."""
