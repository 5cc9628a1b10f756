"""A study with stored files, for all that is asked of a dashboard. Whoever changes it has a copy of its own."""

from pathlib import Path

import pytest
from optuna.artifacts import upload_artifact

from tests.helpers.made_studies import made_study

SCRIPT = "<script>document.title = 'run'</script>"
FILES = {
    "page.html": f"<!doctype html><p>hello</p>{SCRIPT}",
    "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>',
    "notes.txt": "a note",
    "numbers.csv": "a,b\n1,2\n",
    "facts.json": "{}",
    "records.jsonl": "{}\n{}\n",
    "picture.png": "no picture at all",
    "unknown.bin": "who knows",
    "tree.xml": "<tree/>",
    "gone.txt": "removed behind the dashboard's back",
}
_TYPES = {"records.jsonl": "application/jsonl"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of ten trials, number 1."""
    folder = tmp_path_factory.mktemp("dashboard")
    made_study(folder, 10).store.close()
    return folder


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, str]:
    """The paths under which files of the study are served, by their names."""
    from search.study.study import open_study
    from storage.store import Store

    store = Store(f"sqlite:///{folder / 'mnist-search.db'}")
    study, paths = open_study(store, "digits").optuna, {}
    for name, text in FILES.items():
        (folder / name).write_text(text)
        number = upload_artifact(
            artifact_store=store.artifacts(),
            file_path=str(folder / name),
            study_or_trial=study,
            mimetype=_TYPES.get(name),
        )
        paths[name] = f"/artifacts/1/{number}"
    (store.artifact_folder / paths["gone.txt"].rpartition("/")[2]).unlink()
    store.close()
    return paths
