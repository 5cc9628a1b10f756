"""`mnist-search verify`: a candidate trained again with fresh seeds, and judged by the test images."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.measures.words import percent, points, seconds_text

if TYPE_CHECKING:
    from search.study.naming import Named
    from search.verification.nominees import Nominee

EXAMPLE = "Example: mnist-search verify best --seeds 10"

MIN_SEEDS = 5


def command(
    what: options.What = "best",
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", help=f"Fresh seeds in all, at least {MIN_SEEDS}. Those trained before are not trained again."
        ),
    ] = MIN_SEEDS,
    top: Annotated[
        int,
        typer.Option(
            "--top",
            min=1,
            metavar="K",
            help="Race the K best trials of the study on held-out images first, and verify the winner.",
        ),
    ] = 1,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=1,
            help="Length of each training. Default: its recipe's, of a trial at least 15, more if --sustain is.",
        ),
    ] = None,
    target: Annotated[
        float | None, typer.Option("--target", help="Accuracy to reach. Default: the study's, or 0.994.")
    ] = None,
    sustain: Annotated[
        int | None,
        typer.Option(
            "--sustain", min=1, help="How many last epochs decide. Default: the study's or 3, fewer if --epochs is."
        ),
    ] = None,
    workers: options.Workers = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Train a candidate again with fresh seeds. On all training images; says whether it is at the target."""
    from search.cli.goal import goal_of
    from search.cli.interrupts import interruptible
    from search.cli.lookup import find_study
    from search.cli.seed_progress import seed_progress
    from search.cli.tables import print_json
    from search.study.naming import find_candidate
    from search.verification.verifier import Machine, Verifier
    from storage.store import Store
    from trainer.data.find import AUTO, data_folder, find_dataset
    from trainer.hardware.device import resolve_device, worker_devices
    from trainer.training.precision import choose_precision
    from trainer.training.provenance import provenance

    _check(what, seeds, top)
    n_workers = options.n_workers(workers)
    named = find_candidate(what, lambda: find_study(storage, study))
    nominees = _nominees(named, top, epochs, sustain or 1)
    store = named.study.store if named.study else Store(storage)
    dataset_name = dataset or (named.study.settings.dataset if named.study else AUTO)
    n_epochs = nominees[0].candidate.recipe.epochs
    goal = goal_of(named, dataset_name, "test", n_epochs, {"target": target, "sustain": sustain})
    found = find_dataset(dataset_name, data_folder(data_dir))
    resolved = resolve_device(device)
    _say(f"data: {found.notice}")
    chosen = choose_precision(precision, resolved, nominees[0].candidate)
    _say(f"precision: {chosen}")
    on = {"trained_on": provenance(resolved, chosen)}
    machine = Machine(worker_devices(resolved, n_workers), chosen.dtype, on)
    with seed_progress(goal.sustain) as listener:
        verifier = Verifier(store, found.dataset, machine, goal.target, goal.sustain, listener)
        with interruptible(verifier.stop):
            nominee, race = nominees[0], None
            if top > 1:
                _say(f"race of the {top} best on held-out training images; the test images stay closed")
                nominee, race = verifier.race(nominees, lambda facts: _say(_round_text(facts)))
            params = nominee.candidate.arch.params
            _say(f"{nominee.entry.label}: {params:,} parameters, {seeds} seeds of {n_epochs} epochs")
            facts = verifier.verify(nominee, seeds, race)
    if json:
        print_json(facts)
    else:
        print("\n".join(_lines(facts, len(found.dataset.train), len(found.dataset.test))))


def _check(what: str, seeds: int, top: int) -> None:
    from models.errors import MnistSearchError

    if seeds < MIN_SEEDS:
        raise MnistSearchError(f"--seeds {seeds}: a verification takes at least {MIN_SEEDS}; `train` does a single one")
    if top > 1 and what != "best":
        raise MnistSearchError(f"--top {top} races the best of a study: leave {what} out, or --top")


def _nominees(named: "Named", top: int, epochs: int | None, least: int) -> "list[Nominee]":
    from search.verification.nominees import best_nominees, nominee_of

    if top > 1 and named.study is not None:
        return best_nominees(named.study, top, epochs, least)
    return [nominee_of(named, epochs, least)]


def _round_text(facts: dict[str, Any]) -> str:

    of = [
        f"{one['name']} {percent(one['sustained_accuracy'])}{'' if one['goes_on'] else ' (out)'}"
        for one in facts["candidates"]
    ]
    return f"after {facts['n_seeds']} seeds each: {', '.join(of)}"


def _lines(facts: dict[str, Any], n_train: int, n_test: int) -> list[str]:

    inside = facts["mean_interval"]
    low, high = facts["held_interval"]
    return [
        f"{facts['name']}: {facts['params']:,} parameters, {facts['epochs']} epochs, {facts['dataset']}",
        f"trained from scratch on all {n_train:,} training images with each seed,",
        f"judged by the {n_test:,} test images after every epoch",
        "",
        "seed  sustained   last epochs            best    held      s",
        *(_seed_line(run) for run in facts["runs"]),
        "",
        f"mean      {_fine(facts['sustained_accuracy'])} over {facts['n_seeds']} seeds, "
        f"95 % interval {_fine(inside[0])} to {_fine(inside[1])}",
        f"spread    deviation {100 * facts['deviation']:.3f} points, minimum {percent(facts['minimum'])}",
        f"held      {facts['n_held']} of {facts['n_seeds']} seeds kept each of the last {facts['sustain']} epochs at "
        f"{percent(facts['target'])} or above",
        f"          (Wilson 95 % interval: {low:.0%} to {high:.0%})",
        f"best      {percent(facts['best_accuracy'])} in a single epoch, which decides nothing",
        f"chosen    {_chosen(facts)}",
        f"took      {seconds_text(facts['core_seconds'])} of processor time",
        "",
        f"{_verdict(facts)} at {percent(facts['target'])}: the mean is {points(facts['margin']).lstrip('+-')} points "
        f"{'above' if facts['margin'] >= 0 else 'below'} it",
        *(() if facts["is_clean"] else ("not clean: the search had judged by the test images",)),
    ]


def _verdict(facts: dict[str, Any]) -> str:
    return "verified" if facts["verified"] else "not verified"


def _seed_line(run: dict[str, Any]) -> str:

    last = (
        f"diverged in epoch {run['diverged']}"
        if run["diverged"]
        else " ".join(map(percent, run["last_accuracies"][-3:]))
    )
    sustained, best = percent(run["sustained_accuracy"]), percent(run["best_accuracy"])
    held = "yes" if run["held"] else "no"
    return f"{run['seed_number']:>4}  {sustained:>9}   {last:<21}  {best}  {held:>4}  {run['seconds']:>5.0f}"


def _chosen(facts: dict[str, Any]) -> str:
    if facts["study"] is None:
        return "by you; nothing was compared"
    text = f"among {facts['n_compared']} trained candidates of study {facts['study']}"
    if facts["race"]:
        text += f",\n          by a race of the {len(facts['race'][0]['candidates'])} best on held-out images"
    return text


def _fine(fraction: float) -> str:
    """A mean of several runs as `99.431%`."""
    return f"{100 * fraction:.3f}%"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
