"""The note of a study, its run card: what is searched, the answer so far, how it was come by, how to do it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from search.dashboard.markdown import template
from search.facts.commands import search_command
from search.facts.study_facts import study_facts
from search.measures.verdict import Verdict
from search.measures.words import count_text, percent
from search.report.headline import answer, next_step
from search.report.reproduce import next_command, other_commands
from search.report.winner import Winner
from search.study.outcomes import REPORTED
from search.study.study import SearchStudy


def study_note(study: SearchStudy, winner: Winner | None) -> str:
    """The note of a study as it stands now, in Markdown. `winner` is that of its snapshot."""

    def link(number: int | None) -> str:
        """A trial, and the way to its page."""
        return f"[trial {number}](/dashboard/studies/{study.study_id}/trials?numbers={number})"

    def trial_text(trial: Mapping[str, Any] | None) -> str:
        if trial is None:
            return "none yet"
        return (
            f"{percent(trial['sustained_accuracy'])} with {count_text(trial['params'])} parameters: "
            f"{link(trial['trial'])}{', which held it' if trial['held'] else ''}"
        )

    upcoming = next_command(study, winner) if winner else None
    return template("study.md").render(
        s=study.settings,
        f=study_facts(study),
        answer=answer(study, winner),
        next_step=next_step(study, winner),
        outcomes=[str(outcome) for outcome in REPORTED],
        link=link,
        trial_text=trial_text,
        verdict=Verdict,
        now=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        search_command=search_command(study),
        commands=[*([upcoming] if upcoming else []), *other_commands(study, winner)],
    )
