"""From what the user asked for to an open study and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.printable import one_line
from models.spec.parsers import parse_texts
from models.spec.reading import read_text
from search.space.catalogue import read_range
from search.space.space import Space
from search.study.settings import MAX_EPOCHS, SMALLEST, StudySettings, default_epochs, with_lengths
from search.study.study import SearchStudy, create_study, is_begun, open_study, require_room, resume_study
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


def prepare(request: StudyRequest) -> Prepared:
    """Opens or creates the study and loads its data. Raises MnistSearchError or StorageError for what is wrong."""
    ranges = given_ranges(request)
    _check_values(request)
    # Where nothing is stored yet the file is made last, when nothing more can be refused.
    store = _open_store(request) if Store.exists(request.storage_url) else None
    dataset_name = request.dataset or (_dataset_of(store, request.study) if store else None) or AUTO
    found = find_dataset(dataset_name, data_folder(request.data_dir))
    name = request.study or found.dataset.name
    given = {**request.settings, "dataset": found.dataset.name}
    if store is not None and is_begun(store, name):
        files = store.artifact_location.settle(request.artifacts)
        study = resume_study(store, name, given)
        _require_same_ranges(study, ranges)
        known = warm_start_candidates(request.warm_start, study.settings.max_params)
    else:
        settings = _new_settings(given, ranges)
        known = warm_start_candidates(request.warm_start, settings.max_params)
        store = store or _open_store(request)
        files = store.artifact_location.settle(request.artifacts)
        study = create_study(store, name, settings)
    return Prepared(study, split_data(found.dataset, study.settings.split), found.notice, known, files)


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
        if read_range(name, text) != own:
            raise MnistSearchError(
                f"study {study.name!r} was begun with {name}={own.text() if own else None}, not {text}: leave it out "
                "to go on with it, or begin another with --study NAME"
            )


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


def _dataset_of(store: Store, study: str | None) -> str | None:
    if study is None or not is_begun(store, study):
        return None
    return open_study(store, study).settings.dataset


def _new_settings(given: Mapping[str, Any], ranges: Mapping[str, str]) -> StudySettings:
    values = with_lengths(_given(given), default_epochs(given["dataset"]))
    settings = StudySettings(**values)
    if "margin" in values and settings.find != SMALLEST:
        raise MnistSearchError("--margin is for --find smallest, which lowers the budget: give both, or neither")
    max_params = settings.max_params
    space = Space.of(ranges, max_params)
    require_room(space, max_params)
    return StudySettings(**values, space=space.to_dict())


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
