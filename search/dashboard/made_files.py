"""Files that are made when somebody asks for them: a trial's curves, epochs and spec, a study's report.

They follow from what is stored, so that a search pays nothing for them, and those of an old study are there too. Their
numbers in the artifact store say what they are of.
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from optuna.trial import FrozenTrial

from models.spec.file import dump_spec
from search.dashboard.curves_picture import curves_png
from search.study import attributes
from search.study.history import epochs_of_trial
from search.study.study import SearchStudy, candidate_of

_NUMBER = re.compile(r"d-([1-9a-f][0-9a-f]{0,14})-([0-9a-f])")
"""Not of Optuna's own form, which is a UUID; optuna-dashboard lets hexadecimal digits and dashes pass."""


class Kind(Enum):
    """What a file is, and the digit for it."""

    CURVES = "1"
    EPOCHS = "2"
    SPEC = "3"
    REPORT = "4"


@dataclass(frozen=True)
class Made:
    """A file that is made on demand: of a trial, or of a study, by its number in the database."""

    owner_id: int
    kind: Kind

    @property
    def artifact_id(self) -> str:
        """Its number in the artifact store."""
        return f"d-{self.owner_id:x}-{self.kind.value}"


def made_of(artifact_id: str) -> Made | None:
    """What a number in the artifact store stands for; None if it is no file of this kind."""
    found = _NUMBER.fullmatch(artifact_id)
    if found is None or found[2] not in {kind.value for kind in Kind}:
        return None
    return Made(int(found[1], 16), Kind(found[2]))


def files_of_trial(trial: FrozenTrial) -> dict[str, str]:
    """The system attributes by which Optuna knows the files of a trial: those that there is something to make of."""
    trial_id = attributes.trial_id(trial)
    files: dict[str, str] = {}
    if trial.intermediate_values:
        files |= _attribute(Made(trial_id, Kind.CURVES), "curves.png", "image/png")
        files |= _attribute(Made(trial_id, Kind.EPOCHS), "epochs.csv", "text/csv")
    if attributes.CANDIDATE in trial.user_attrs:
        files |= _attribute(Made(trial_id, Kind.SPEC), f"trial-{trial.number}.yaml", "application/yaml")
    return files


def curves_path(study_id: int, trial: FrozenTrial) -> str | None:
    """Where the dashboard has the picture of a trial's curves; None before its first epoch."""
    if not trial.intermediate_values:
        return None
    trial_id = attributes.trial_id(trial)
    return f"/artifacts/{study_id}/{trial_id}/{Made(trial_id, Kind.CURVES).artifact_id}"


def files_of_study(study: SearchStudy) -> dict[str, str]:
    """The system attributes by which Optuna knows the files of a study."""
    return _attribute(Made(study.study_id, Kind.REPORT), "report.html", "text/html")


def trial_file(study: SearchStudy, trial: FrozenTrial, kind: Kind) -> bytes:
    """The content of a file of a trial. Raises KeyError, or MnistSearchError, if there is nothing to make it of."""
    if kind is Kind.SPEC:
        return dump_spec(candidate_of(trial), f"{study.name} trial {trial.number}").encode()
    epochs = epochs_of_trial(study, trial)
    if not epochs or kind is Kind.REPORT:
        raise KeyError(trial.number)
    if kind is Kind.CURVES:
        params = trial.user_attrs.get(attributes.PARAMS, 0)
        return curves_png(epochs, study.settings.target, f"trial {trial.number}, {params:,} parameters")
    return _csv(epochs)


def _csv(epochs: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(epochs[0]))
    writer.writeheader()
    writer.writerows(epochs)
    return text.getvalue().encode()


def _attribute(made: Made, file_name: str, mimetype: str) -> dict[str, str]:
    meta = {"artifact_id": made.artifact_id, "filename": file_name, "mimetype": mimetype, "encoding": None}
    return {attributes.ARTIFACT + made.artifact_id: json.dumps(meta)}
