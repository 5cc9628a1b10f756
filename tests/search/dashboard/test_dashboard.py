"""optuna-dashboard on a study of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import QUICK, run_here
from tests.helpers.dashboards import request, serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("dashboard")
    run_here(["run", "--trials", "2", *QUICK, "--set", "body_width=2:24"], folder)
    with serving(folder) as dashboard:
        yield dashboard.url


def get(url: str, path: str) -> Any:
    return json.loads(request(url, "GET", path).body)


def test_it_shows_our_study_and_takes_rejected_trials_for_infeasible(url: str) -> None:
    [study] = get(url, "/api/studies")["study_summaries"]
    assert study["study_name"] == "digits"
    trials = get(url, f"/api/studies/{study['study_id']}")["trials"]
    assert trials
    for trial in trials:
        attrs = {attr["key"]: attr["value"] for attr in trial["user_attrs"]}
        infeasible = any(value > 0 for value in trial["constraints"])
        assert infeasible == (attrs["outcome"] == "rejected")
