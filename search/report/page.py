"""The page: everything that was found out about a study, put into the template."""

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import plotly.offline
from markupsafe import Markup

from models.errors import MnistSearchError
from models.layer_table import arch_facts
from search.facts.study_comparison import compare_studies
from search.facts.study_facts import study_facts
from search.measures import phrases, words
from search.report import headline, other_studies, reproduce, rows
from search.report.figures import search as figures_search
from search.report.figures import trials as figures_trials
from search.report.figures import winner as figures_winner
from search.report.figures.look import Drawing
from search.report.figures.sample import as_study
from search.report.mistakes import find_answers, find_mistakes
from search.report.winner import Winner, find_winner
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from search.study.warm_start import given_names


def write_report(study: SearchStudy, data_dir: Path | None, out: Path) -> int:
    """Writes the report; returns its size in bytes. Raises MnistSearchError if the file cannot be written.

    It appears under its name whole, or not at all.
    """
    content = build_page(study, data_dir).encode(errors="backslashreplace")  # halves of letters, in a name
    part = None
    if os.path.exists(out) and not (os.path.isfile(out) or os.path.isdir(out)):
        # It would be replaced by a file: no /dev/full any more, for whoever may write there.
        raise MnistSearchError(f"{out} is a device or a pipe: name a file with --out")
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
            part = Path(file.name)
            file.write(content)
        part.chmod(0o666 & ~_umask())
        part.replace(out)
    except OSError as error:
        raise MnistSearchError(f"{out} cannot be written: {error.strerror or error}; name another with --out") from None
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()
    return len(content)


def _umask() -> int:
    """What a file of this process is not allowed: temporary files start with less than that."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def build_page(study: SearchStudy, data_dir: Path | None) -> str:
    """The report as HTML."""
    winner = find_winner(study)
    arms = other_studies.find_arms(study)
    template = _environment().get_template("page.html")
    return template.render(
        study=study,
        settings=study.settings,
        facts=study_facts(study),
        winner=winner,
        answer=headline.answer(study, winner),
        next_step=headline.next_step(study, winner),
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=version("mnist-search"),
        plotly_js=Markup(plotly.offline.get_plotlyjs()),
        search_figures=_search_figures(study, winner),
        arms=compare_studies(arms),
        best_so_far=other_studies.best_so_far_figure(arms) if len(arms) > 1 else None,
        winner_parts=_winner_parts(study, winner, data_dir) if winner else None,
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("search.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("percent", "points", "seconds_text", "count_text", "bytes_text")
    environment.globals |= {name: getattr(words, name) for name in names}
    environment.filters["with_code"] = _with_code
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.globals |= {
        "rows": rows,
        "phrases": phrases,
        "reproduce": reproduce,
        "texts": headline,
        "other_studies": other_studies,
    }
    environment.globals["given_names"] = given_names
    return environment


def _with_code(text: str) -> Markup:
    """A text whose parts in backticks are commands, which a browser would break inside `--study`."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def _search_figures(study: SearchStudy, winner: Winner | None) -> list[Drawing]:
    """The figures of the search; those that its trials do not suffice for are left out."""
    trials = study.snapshot.all
    trained = study.trials(Outcome.TRAINED)
    number = winner.trial.number if winner else None
    drawings: list[Drawing | None] = []
    if trained:
        drawings += [
            figures_search.history(trained, study.settings),
            figures_search.pareto(trained, study.settings, winner),
        ]
        weighed = figures_search.importances(as_study(trial for trial in trained if trial.params))
        drawings += [weighed[0], figures_trials.parallel(trained, weighed[1])] if weighed else []
    drawings += [figures_trials.intermediate(trials, study.settings, number), figures_trials.timeline(trials)]
    return [drawing for drawing in drawings if drawing is not None]


def _winner_parts(study: SearchStudy, winner: Winner, data_dir: Path | None) -> dict[str, Any]:
    settings = study.settings
    judge = "test" if winner.proof or settings.split == "test" else "held-out"
    parts: dict[str, Any] = {
        "arch": arch_facts(winner.candidate.arch),
        "curves": figures_winner.curves(winner, settings.target, judge),
        "confusion": None,
        "mistakes": [],
    }
    try:
        answers = find_answers(study, winner, data_dir)
    except MnistSearchError as error:
        return parts | {"no_answers": str(error)}
    mistakes, n_mistakes = find_mistakes(answers)
    caption = f"Rows are the true digits, columns the answers: {answers.whose}. Mistakes are coloured."
    confusion = figures_winner.confusion(answers.labels, answers.lines[answers.shown], caption)
    n_wrong = sum(a != b for a, b in zip(answers.labels, answers.lines[answers.shown], strict=True))
    return parts | {
        "confusion": confusion,
        "mistakes": mistakes,
        "n_mistakes": n_mistakes,
        "n_wrong": n_wrong,
        "n_images": len(answers.labels),
        "n_networks": len(answers.lines),
        "whose": answers.whose,
    }
