"""What storage refuses."""


class StorageError(Exception):
    """A storage that cannot be used: the text says in one line what is wrong and what to do."""


class StudyBusyError(StorageError):
    """Another dispatcher works on the study."""


class NothingStoredError(StorageError):
    """There is no database yet where one was looked for."""
