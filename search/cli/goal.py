"""What a training outside a study is judged by."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.study.naming import Named
    from search.study.settings import StudySettings


def goal_of(
    named: "Named", dataset: str, split: str, epochs: int, given: dict[str, float | int | None]
) -> "StudySettings":
    """Target and sustain as given, else as the study has them. Raises MnistSearchError for what is impossible."""
    from search.study.settings import StudySettings

    own = {key: getattr(named.study.settings, key) for key in given} if named.study else {}
    chosen: dict[str, Any] = own | {key: value for key, value in given.items() if value is not None}
    return StudySettings(dataset, split, epochs=epochs, **chosen)
