"""What a training outside a study is judged by."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.study.naming import Named
    from search.study.settings import StudySettings


def goal_of(
    named: "Named", dataset: str, split: str, epochs: int, given: dict[str, float | int | None]
) -> "StudySettings":
    """Target and sustain as given, else the study's, else the default; a shorter training is judged by all its epochs.

    Raises MnistSearchError for what is impossible.
    """
    from search.study.settings import DEFAULT_SUSTAIN, StudySettings, default_target, with_lengths

    own = {key: getattr(named.study.settings, key) for key in given} if named.study else {}
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    lengths = with_lengths({"epochs": epochs, **chosen}, epochs, own.pop("sustain", DEFAULT_SUSTAIN))
    return StudySettings(dataset, split, **({"target": default_target(dataset)} | own | lengths))
