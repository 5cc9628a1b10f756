"""What `mnist-search verify` prints: each seed, what they come to together, and the verdict."""

from collections.abc import Mapping
from textwrap import indent
from typing import Any

from search.measures.verdict import Verdict, settle_text
from search.measures.words import command_text, percent, plural, points, seconds_text

_COLUMNS = 80


def report_lines(facts: dict[str, Any], n_train: int, n_test: int, command: list[str] | None) -> list[str]:
    """The whole of it; `command` adds the seeds that would settle it."""
    return [
        f"{facts['name']}: {facts['params']:,} parameters, {plural(facts['epochs'], 'epoch')}, {facts['dataset']}",
        f"trained from scratch on all {n_train:,} training images with each seed,",
        f"judged by the {n_test:,} test images after every epoch",
        "",
        "seed  sustained   last epochs            best    held      s",
        *(_seed_line(run) for run in facts["runs"]),
        "",
        *_together(facts),
        "",
        *_verdict_lines(facts),
        *(() if command is None else indent(command_text(command, _COLUMNS - 2), "  ").splitlines()),
        *(() if facts["is_clean"] else ("not clean: the search had judged by the test images",)),
    ]


def _together(facts: Mapping[str, Any]) -> list[str]:
    low, high = facts["held_interval"]
    return [
        f"mean      {_fine(facts['sustained_accuracy'])} over {plural(facts['n_seeds'], 'seed')}, {_inside(facts)}",
        f"spread    {_spread(facts)}",
        f"held      {facts['n_held']} of {plural(facts['n_seeds'], 'seed')} kept each of the last {facts['sustain']} "
        f"epochs at {percent(facts['target'])} or above",
        f"          (Wilson 95 % interval: {low:.0%} to {high:.0%})",
        f"best      {percent(facts['best_accuracy'])} in a single epoch, which decides nothing",
        f"chosen    {_chosen(facts)}",
        f"took      {seconds_text(facts['core_seconds'])} of processor time",
    ]


def _inside(facts: Mapping[str, Any]) -> str:
    inside = facts["mean_interval"]
    if inside is None:
        return "which has no interval"
    return f"95 % interval {_fine(inside[0])} to {_fine(inside[1])}"


def _spread(facts: Mapping[str, Any]) -> str:
    if facts["deviation"] is None:
        return "unknown of a single seed"
    return f"deviation {100 * facts['deviation']:.3f} points, minimum {percent(facts['minimum'])}"


def _verdict_lines(facts: Mapping[str, Any]) -> list[str]:
    verdict = Verdict(facts["verdict"])
    side = "above" if facts["margin"] >= 0 else "below"
    settle = settle_text(verdict, facts["n_seeds"], facts["seeds_to_settle"])
    return [
        f"{verdict.words} at {percent(facts['target'])}: the mean is {points(facts['margin']).lstrip('+-')} points "
        f"{side} it,",
        _REASONS[verdict] + (f"; {settle}" if settle else ""),
    ]


_REASONS = {
    Verdict.VERIFIED: "and no part of its interval is below",
    Verdict.ON_TARGET_NOT_PROVEN: "but its interval reaches below",
    Verdict.BELOW_TARGET: "but its interval reaches it",
    Verdict.REFUTED: "and so is its whole interval",
    Verdict.TOO_FEW_SEEDS: "which proves nothing",
}


def _seed_line(run: Mapping[str, Any]) -> str:
    last = (
        f"diverged in epoch {run['diverged']}"
        if run["diverged"]
        else " ".join(map(percent, run["last_accuracies"][-3:]))
    )
    sustained, best = percent(run["sustained_accuracy"]), percent(run["best_accuracy"])
    held = "yes" if run["held"] else "no"
    return f"{run['seed_number']:>4}  {sustained:>9}   {last:<21}  {best}  {held:>4}  {run['seconds']:>5.0f}"


def _chosen(facts: Mapping[str, Any]) -> str:
    if facts["study"] is None:
        return "by you; nothing was compared"
    text = f"among {facts['n_compared']} trained candidates of study {facts['study']}"
    if facts["race"]:
        n_raced = len({one["candidate"] for this in facts["race"] for one in this["candidates"]})
        text += f",\n          by a race of {n_raced} on held-out images"
    return text


def _fine(fraction: float) -> str:
    """A mean of several runs as `99.431%`."""
    return f"{100 * fraction:.3f}%"
