"""From what the user asked for to an open study and its data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.printable import one_line
from models.spec.parsers import parse_texts
from models.spec.reading import read_text
from search.measures.verdict import coarse_target_text
from search.space.catalogue import read_range
from search.space.ranges import Range
from search.space.space import Space
from search.study.settings import MAX_EPOCHS, StudySettings, default_epochs, default_target, with_lengths
from search.study.study import SearchStudy, create_study, is_begun, require_room, resume_study
from search.study.warm_start import warm_start_candidates
from storage.artifacts import place_of
from storage.store import Store
from trainer.data.find import AUTO, data_folder, find_dataset
from trainer.data.images import TrainingData
from trainer.data.split import split_data


@dataclass(frozen=True)
class StudyRequest:
    """What `run` was asked for; None is not given."""

    storage_url: str
    study: str | None
    dataset: str | None
    data_dir: Path | None
    settings: Mapping[str, Any]
    space_file: Path | None = None
    set_ranges: tuple[str, ...] = ()
    warm_start: tuple[str, ...] = ()
    artifacts: str | None = None
    patience_seconds: float | None = None
    """For how long a database that another program has locked is waited for."""


@dataclass(frozen=True)
class Prepared:
    """An open study, the images it trains on, a line about them, and the candidates to train first."""

    study: SearchStudy
    data: TrainingData
    notice: str
    warm_start: dict[str, Candidate]
    files_notice: str | None = None
    """A line about where files are kept from now on, where that is news."""
    warning: str | None = None
    """A line about a target that the test images cannot judge."""


def prepare(request: StudyRequest) -> Prepared:
    """Opens or creates the study and loads its data. Raises MnistSearchError or StorageError for what is wrong."""
    ranges = given_ranges(request)
    _check_values(request)
    # Where nothing is stored yet the file is made last, when nothing more can be refused.
    store = _open_store(request) if Store.exists(request.storage_url) else None
    asked = None if request.dataset == AUTO else request.dataset
    # Checked before anything is fetched, if its name is known by then.
    study = _resumed(store, request.study or asked, {**request.settings, "dataset": asked}, ranges)
    found = find_dataset(asked or (study.settings.dataset if study else AUTO), data_folder(request.data_dir))
    name = request.study or found.dataset.name
    given = {**request.settings, "dataset": found.dataset.name}
    study = study or _resumed(store, name, given, ranges)
    settings = study.settings if study else _new_settings(given, ranges)
    data = split_data(found.dataset, settings.split)
    known = warm_start_candidates(request.warm_start, settings.max_params)
    store = store or _open_store(request)
    files = store.artifact_location.settle(request.artifacts)
    study = study or create_study(store, name, settings)
    warning = coarse_target_text(study.settings.target, study.settings.dataset, len(found.dataset.test))
    return Prepared(study, data, found.notice, known, files, warning)


def _open_store(request: StudyRequest) -> Store:
    return Store(request.storage_url, patience_seconds=request.patience_seconds)


def _check_values(request: StudyRequest) -> None:
    """Says what is impossible before anything is made or looked for.

    Values that go together are checked together only where no study can be that has the others.
    """
    if request.artifacts is not None:
        place_of(request.artifacts)
    given = _given(request.settings)
    if Store.exists(request.storage_url):
        given = {"epochs": MAX_EPOCHS, "sustain": 1, **given}
        given["epochs"] = MAX_EPOCHS if 1 <= given["epochs"] <= MAX_EPOCHS else given["epochs"]
    StudySettings(dataset=AUTO, **with_lengths(given, default_epochs(AUTO)))


def given_ranges(request: StudyRequest) -> dict[str, str]:
    """The ranges of the space file, with those of `--set` in their place."""
    ranges = _read_space(request.space_file) if request.space_file else {}
    for text in request.set_ranges:
        name, equals, values = text.partition("=")
        if not equals:
            raise MnistSearchError(f"--set {text}: write NAME=RANGE, such as body_width=4:16")
        ranges[name.strip()] = values.strip()
    return ranges


def _require_same_ranges(study: SearchStudy, ranges: Mapping[str, str]) -> None:
    for name, text in ranges.items():
        own = study.space.ranges.get(name)
        if _read_range(name, text) != own:
            raise MnistSearchError(
                f"study {study.name!r} was begun with {name}={own.text() if own else None}, not {text}: leave it out "
                "to go on with it, or begin another with --study NAME"
            )


def _read_range(name: str, text: str) -> Range:
    try:
        return read_range(name, text)
    except MnistSearchError as error:
        raise MnistSearchError(f"range {name}: {error}") from None


def _read_space(path: Path) -> dict[str, str]:
    try:
        data = parse_texts(read_text(path, "a file of ranges"))
    except MnistSearchError as error:
        raise MnistSearchError(one_line(f"{path}: {error}")) from None
    if not isinstance(data, dict):
        raise MnistSearchError(f"{path}: not a mapping of ranges, such as `body_width: 4:16`")
    return {str(name): _range_text(value) for name, value in data.items()}


def _range_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _resumed(
    store: Store | None, name: str | None, given: Mapping[str, Any], ranges: Mapping[str, str]
) -> SearchStudy | None:
    """The study of this name, if it is begun. Raises MnistSearchError if what is given is not its own."""
    if store is None or name is None or not is_begun(store, name):
        return None
    study = resume_study(store, name, given)
    _require_same_ranges(study, ranges)
    return study


def _new_settings(given: Mapping[str, Any], ranges: Mapping[str, str]) -> StudySettings:
    settings = new_settings(given)
    max_params = settings.max_params
    space = Space.of(ranges, max_params)
    require_room(space, max_params)
    return replace(settings, space=space.to_dict())


def new_settings(given: Mapping[str, Any]) -> StudySettings:
    """Return the settings of a new study without its ranges: what is given, and the defaults of its dataset."""
    dataset = given["dataset"]
    values = {"target": default_target(dataset), **with_lengths(_given(given), default_epochs(dataset))}
    return StudySettings(**values)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
