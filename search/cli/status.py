"""`mnist-search status`: how a study stands."""

import textwrap
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.measures.verdict import Verdict, settle_text
from search.measures.words import command_text, percent, plural, seconds_text

if TYPE_CHECKING:
    from search.study.study import SearchStudy

_MOST_OF_FRONT = 9
"""Networks of the front that are shown, from the most accurate down."""

EXAMPLE = "Example: mnist-search status --study mnist --json"


def command(
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again as the search goes on, until no search runs or Ctrl-C.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Say how a study stands. Counts by outcome, the best so far, the time to the target, and what runs now."""
    from models.errors import MnistSearchError
    from search.cli.lookup import find_study
    from search.cli.status_watch import watch_status

    if watch and json:
        raise MnistSearchError("--watch prints text: leave out --json, or call status --json again and again")
    if watch:
        return watch_status(lambda: find_study(storage, study, for_reading=True))
    print_status(find_study(storage, study, for_reading=True), as_json=json)
    return 0


def print_status(study: "SearchStudy", as_json: bool) -> None:
    """Prints the status of a study on stdout."""
    from search.cli.tables import print_json
    from search.facts.study_facts import study_facts

    facts = study_facts(study)
    if as_json:
        print_json(facts)
    else:
        print(status_text(facts, study))


def status_text(facts: dict[str, Any], study: "SearchStudy") -> str:
    """The status of a study as it is printed, at most 80 columns wide."""
    return "\n".join(_lines(facts, options.storage_said(study.store.url.render_as_string())))


def _lines(facts: dict[str, Any], storage: str | None) -> list[str]:
    """The status as it is printed; `storage` is what a command must say with `--storage`, if anything."""
    from search.study.outcomes import REPORTED

    counts = ", ".join(f"{facts[outcome]} {outcome}" for outcome in REPORTED)
    head = [
        f"study      {facts['study']}: {facts['dataset']}, fewer than {facts['max_params']:,} parameters, "
        f"{plural(facts['epochs'], 'epoch')}",
        f"trials     {facts['n_past_gate']} past the gate",
        f"           {counts}",
        *_answers(facts),
        f"target     {percent(facts['target'])} sustained over {plural(facts['sustain'], 'epoch')}: "
        + _reached(facts, "target", "reached", "not reached yet"),
        f"           {_reached(facts, 'verified', 'verified', 'not verified yet')}",
        f"active     {seconds_text(facts['seconds'])}" + _of_a_core(facts["core_seconds"], ", {} of a core"),
        f"epochs     {facts['epochs_trained']:,} trained, {facts['epochs_saved']:,} saved by pruning, "
        f"{facts['trainings_avoided']:,} trainings spared by the gate",
    ]
    lines = _fitted(head)
    lines += (line for one in _latest(facts["verifications"]) for line in _proof(one, facts["study"], storage))
    if facts["split"] == "test":
        lines.append("           judged by the test images: for comparison only, not clean")
    if facts["is_running"] and facts["workers"] is not None:
        lines.append(f"at work    {plural(facts['workers'], 'worker')}, {plural(facts['slots'], 'slot')}")
    # What its dispatcher left running when it was killed goes on with the next one, as what it handed back does.
    state = "running" if facts["is_running"] else "to go on"
    lines += [f"{state:10} {_running(trial)}" for trial in facts["running"]]
    lines += [f"to go on   {_running(trial)}" for trial in facts["interrupted"]]
    return lines


def _fitted(lines: Iterable[str]) -> list[str]:
    """The same lines, folded to 80 columns behind their first word."""
    wrap = partial(textwrap.wrap, width=80, subsequent_indent=" " * 11, break_on_hyphens=False)
    return [part for line in lines for part in wrap(line)]


def _answers(facts: dict[str, Any]) -> Iterable[str]:
    """The answer, the best and the smallest; in a search for the smallest the front too, and the budget now."""
    from search.study.settings import SMALLEST

    answer = [f"answer     {_winner(facts['answer'])}"]
    if facts["answer"]:
        answer += textwrap.wrap(facts["answer"]["rests_on"], 80, initial_indent=" " * 11, subsequent_indent=" " * 11)
    best = f"best       {_winner(facts['best'])}"
    smallest = f"smallest   {_winner(facts['smallest'])}"
    if facts["smallest"]:
        smallest += f" at {percent(facts['target'])}"
    if facts["find"] != SMALLEST:
        return [*answer, best, smallest]
    front = [f"{percent(one['sustained_accuracy'])} with {one['params']:,}" for one in reversed(facts["front"])]
    shown = textwrap.wrap(", ".join(front[:_MOST_OF_FRONT]), 80 - 11) or ["none yet"]
    budget = f"budget     fewer than {facts['budget']:,} parameters from now on: the smallest is looked for"
    return [*answer, smallest, budget, *(f"{'' if n else 'front':11}{line}" for n, line in enumerate(shown))]


def _latest(verifications: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Without those that a later one went on from, with more seeds."""
    question = ("candidate", "target", "sustain", "precision", "torch")
    return {tuple(one[key] for key in question): one for one in verifications}.values()


def _proof(one: dict[str, Any], study: str, storage: str | None) -> list[str]:
    """What a verification came to, and how it is settled where it is not."""
    from search.verification.commands import more_seeds_words

    verdict, indent = Verdict(one["verdict"]), " " * 11
    lines = [
        f"proof      {one['name']}: {percent(one['sustained_accuracy'])} over {plural(one['n_seeds'], 'seed')}, "
        f"{one['n_held']} held",
        f"{indent}{verdict.words} at {percent(one['target'])}",
    ]
    settle = settle_text(verdict, one["n_seeds"], one["seeds_to_settle"])
    if settle is not None:
        lines.append(f"{indent}{settle}")
    lines = _fitted(lines)
    command = more_seeds_words(
        str(one["trial"]), one, {"study": study, "precision": one["precision"], "storage": storage}
    )
    if command is not None:
        lines += textwrap.indent(command_text(command, 80 - len(indent)), indent).splitlines()
    return lines


def _reached(facts: dict[str, Any], what: str, done: str, missing: str) -> str:
    seconds, core_seconds = facts[f"seconds_to_{what}"], facts[f"core_seconds_to_{what}"]
    if seconds is None:
        return missing
    return f"{done} after {seconds_text(seconds)}" + _of_a_core(core_seconds, " ({} of a core)")


def _of_a_core(core_seconds: float | None, text: str) -> str:
    return "" if core_seconds is None else text.format(seconds_text(core_seconds))


def _winner(trial: dict[str, Any] | None) -> str:
    if trial is None:
        return "none yet"
    held = ", held" if trial["held"] else ""
    return f"{percent(trial['sustained_accuracy'])} with {trial['params']:,} parameters ({trial['name']}{held})"


def _running(trial: dict[str, Any]) -> str:
    if trial["params"] is None:
        return f"trial {trial['trial']}: being drawn"
    return (
        f"trial {trial['trial']}: {trial['params']:,} parameters, epoch {trial['epoch']}, {percent(trial['accuracy'])}"
    )
