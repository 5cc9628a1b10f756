"""From what the user asked for to an open study."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.cli.lookup import find_study
from search.study.setup import StudyRequest, prepare
from tests.helpers.cli import call
from tests.helpers.datasets import write_dataset
from tests.helpers.spaces import fault_of


@pytest.mark.parametrize(("dataset", "epochs"), [("mnist", 8), ("digits", 15)])
def test_how_long_a_new_study_trains(dataset: str, epochs: int, tmp_path: Path) -> None:
    """Unless it is told otherwise, and then for good."""
    write_dataset(tmp_path)
    for given, expected in ((None, epochs), (5, 5)):
        url = f"sqlite:///{tmp_path / f'{given}.db'}"
        request = StudyRequest(url, None, dataset, tmp_path, {"epochs": given})
        assert prepare(request).study.settings.epochs == expected
        assert prepare(replace(request, settings={})).study.settings.epochs == expected


@pytest.mark.parametrize(("dataset", "target"), [("mnist", 0.994), ("digits", 0.98)])
def test_the_target_of_a_new_study_can_be_judged_by_its_test_images(
    dataset: str, target: float, tmp_path: Path
) -> None:
    """The set of this test that is called mnist has so few test images that its default is warned about."""
    write_dataset(tmp_path)
    prepared = prepare(StudyRequest(f"sqlite:///{tmp_path / 'a.db'}", None, dataset, tmp_path, {}))
    assert prepared.study.settings.target == target
    assert (prepared.warning is None) == (dataset == "digits")
    asked = prepare(StudyRequest(f"sqlite:///{tmp_path / 'b.db'}", None, dataset, tmp_path, {"target": 0.999}))
    assert asked.study.settings.target == 0.999
    assert asked.warning is not None
    assert asked.warning.startswith("warning: a target of 99.90% leaves ")


def test_what_is_refused_late_leaves_no_file(tmp_path: Path) -> None:
    """How many widths fit the budget is found out once the data set is there."""
    write_dataset(tmp_path)
    request = StudyRequest(f"sqlite:///{tmp_path / 'new.db'}", None, None, tmp_path, {"max_params": 50})
    assert fault_of(lambda: prepare(request)).startswith("--max-params 50: the smallest network of this space has ")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    ("study", "dataset", "settings", "ranges", "fault"),
    [
        ("digits", "mnist", {}, (), "--dataset digits, not mnist: leave --dataset out"),
        ("digits", None, {"epochs": 7}, (), "--epochs 15, not 7: leave --epochs out"),
        ("digits", "auto", {"epochs": 7}, (), "--epochs 15, not 7: leave --epochs out"),
        ("mnist", None, {"epochs": 7}, (), "--epochs 8, not 7: leave --epochs out"),
        (None, "mnist", {}, ("lr=0.5",), "lr=0.05:0.4:log, not 0.5: leave it out"),
    ],
)
def test_a_begun_study_is_checked_before_anything_is_fetched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    study: str | None,
    dataset: str | None,
    settings: dict[str, int],
    ranges: tuple[str, ...],
    fault: str,
) -> None:
    write_dataset(tmp_path / "data")
    url = f"sqlite:///{tmp_path / 's.db'}"
    for begun in ("digits", "mnist"):
        prepare(StudyRequest(url, None, begun, tmp_path / "data", {}))
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: pytest.fail("fetched"))
    request = StudyRequest(url, study, dataset, tmp_path / "nowhere", settings, set_ranges=ranges)
    assert fault_of(lambda: prepare(request)).startswith(
        f"study {study or dataset!r} was begun with {fault} to go on with it, "
    )


def test_auto_is_the_dataset_of_a_begun_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.find.fetch", lambda name, folder: pytest.fail("fetched"))
    url = f"sqlite:///{tmp_path / 's.db'}"
    prepare(StudyRequest(url, "mine", "digits", None, {}))
    assert prepare(StudyRequest(url, "mine", "auto", None, {})).study.settings.dataset == "digits"


@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_a_space_file_is_read_as_its_page_writes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """YAML 1.1 would take 4:16 for a number to the base of sixty."""
    (tmp_path / "ranges.yaml").write_text(
        "stem_width: 2:6\nbody_width: 2:8:2\ntransition_width: 2\nlr: 0.02:0.3:log\norder: bn-relu, relu-bn\n"
        "schedule: [step, onecycle]\nsecond_pool: false\nstem_depth: 1\nbody_depth: 1\n"
    )
    run = ["run", "--dataset", "digits", "--epochs", "1", "--sustain", "1", "--max-params", "2000", "--trials", "1"]
    code, _, err = call([*run, "--workers", "1", "--space", "ranges.yaml"], capsys)
    assert code == 0, err
    space = find_study("sqlite:///mnist-search.db", None).settings.space
    expected = {"stem_width": "2:6", "body_width": "2:8:2", "transition_width": "2", "lr": "0.02:0.3:log",
                "schedule": "step, onecycle", "second_pool": "false"}  # fmt: skip
    assert {name: space[name] for name in expected} == expected
