"""From what the user asked for to an open study and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.catalogue import read_range
from search.datasets import AUTO, data_folder, find_dataset
from search.settings import StudySettings
from search.space import Space
from search.study import SearchStudy, create_study, open_study, resume_study, study_names
from search.warm_start import warm_start_candidates
from storage.store import Store
from trainer.data import TrainingData
from trainer.split import split_data


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


@dataclass(frozen=True)
class Prepared:
    """An open study, the images it trains on, a line about them, and the candidates to train first."""

    study: SearchStudy
    data: TrainingData
    notice: str
    warm_start: dict[str, Candidate]


def prepare(request: StudyRequest) -> Prepared:
    """Opens or creates the study and loads its data. Raises MnistSearchError or StorageError for what is wrong."""
    ranges = given_ranges(request)
    # What is impossible is said before anything is made or looked for.
    checked = StudySettings(dataset=AUTO, **_given(request.settings))
    known = warm_start_candidates(request.warm_start, checked.max_params)
    store = Store(request.storage_url)
    dataset_name = request.dataset or _dataset_of(store, request.study) or AUTO
    found = find_dataset(dataset_name, data_folder(request.data_dir))
    name = request.study or found.dataset.name
    given = {**request.settings, "dataset": found.dataset.name}
    if name in study_names(store):
        study = resume_study(store, name, given)
        _require_same_ranges(study, ranges)
    else:
        study = create_study(store, name, _new_settings(given, ranges))
    return Prepared(study, split_data(found.dataset, study.settings.split), found.notice, known)


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
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise MnistSearchError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MnistSearchError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise MnistSearchError(f"{path} is not a mapping of ranges, such as `body_width: 4:16`")
    return {str(name): _range_text(value) for name, value in data.items()}


def _range_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_range_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dataset_of(store: Store, study: str | None) -> str | None:
    if study is None or study not in study_names(store):
        return None
    return open_study(store, study).settings.dataset


def _new_settings(given: Mapping[str, Any], ranges: Mapping[str, str]) -> StudySettings:
    plain = StudySettings(**_given(given))
    space = Space.of(ranges, plain.max_params)
    return StudySettings(**_given(given), space=space.to_dict())


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
