"""`mnist-search verify`: a candidate trained again with fresh seeds, and judged by the test images."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.messages import loading, say, warn
from search.measures.verdict import MIN_SEEDS, coarse_target_text
from search.measures.words import percent, plural

if TYPE_CHECKING:
    from search.study.naming import Named
    from search.verification.nominees import Nominee

EXAMPLE = "Example: mnist-search verify --seeds 10"


def command(
    what: options.What = options.ANSWER,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            min=1,
            help=f"Fresh seeds in all; under {MIN_SEEDS} prove nothing. Those trained before are not trained again.",
        ),
    ] = MIN_SEEDS,
    top: Annotated[
        int,
        typer.Option(
            "--top",
            min=1,
            metavar="K",
            help="Try the K smallest trials at the target on held-out images, smallest first, and verify the first "
            "that is at the target there. With `best`: race the K most accurate, and verify the winner.",
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
        float | None, typer.Option("--target", help="Accuracy to reach. Default: the study's, or 0.994 (digits: 0.98).")
    ] = None,
    sustain: Annotated[
        int | None,
        typer.Option(
            "--sustain", min=1, help="How many last epochs decide. Default: the study's or 3, fewer if --epochs is."
        ),
    ] = None,
    workers: options.Workers = "auto",
    slots: options.Slots = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Train a candidate again with fresh seeds. On all training images; says whether it is at the target."""
    loading()
    from search.cli.goal import goal_of
    from search.cli.interrupts import interruptible
    from search.cli.lookup import find_study, find_what
    from search.cli.seed_progress import seed_progress
    from search.cli.tables import print_json
    from search.cli.verify_lines import report_lines
    from search.study.naming import BEST
    from search.verification.verifier import Machine, Verifier
    from storage.store import Store
    from trainer.data.find import AUTO, data_folder, find_dataset
    from trainer.training.precision import choose_precision
    from trainer.training.provenance import opening_lines, provenance

    _check(what, top)
    n_workers, n_slots = options.n_workers(workers), options.n_slots(slots)
    named = find_what(what, lambda: find_study(storage, study), is_taken=top == 1)
    nominees = _nominees(named, what, top, epochs, sustain or 1)
    store = named.study.store if named.study else Store(storage)
    dataset_name = dataset or (named.study.settings.dataset if named.study else AUTO)
    n_epochs = nominees[0].candidate.recipe.epochs
    given = {"target": target, "sustain": sustain}
    goal_of(named, dataset_name, "test", n_epochs, given)  # what is impossible is refused before data is fetched
    found = find_dataset(dataset_name, data_folder(data_dir))
    goal = goal_of(named, found.dataset.name, "test", n_epochs, given)
    place = options.place(engine, device, n_workers, ray_address, gpus_per_worker)
    say(f"data: {found.notice}")
    warning = coarse_target_text(goal.target, found.dataset.name, len(found.dataset.test))
    if warning is not None:
        warn(warning)
    chosen = choose_precision(precision, place.device, nominees[0].candidate)
    for line in opening_lines(place.device, chosen, place.described):
        say(line)
    machine = Machine(place, chosen, provenance(place.device, chosen, place.described), n_slots)
    with seed_progress(goal.sustain, len(place.devices)) as listener:
        verifier = Verifier(store, found.dataset, machine, goal.target, goal.sustain, listener)
        with interruptible(verifier.stop):
            nominee, race = nominees[0], None
            if top > 1:
                say(_race_text(what, top))
                nominee, race = verifier.race(nominees, lambda facts: say(_round_text(facts)), what != BEST)
            params = nominee.candidate.arch.params
            say(f"{nominee.entry.label}: {params:,} parameters, {plural(seeds, 'seed')} of {plural(n_epochs, 'epoch')}")
            facts = verifier.verify(nominee, seeds, race)
    if json:
        print_json(facts)
    else:
        where = {
            "precision": chosen.name,
            "engine": None if engine == "local" else engine,
            "ray-address": ray_address,
            "gpus-per-worker": None if gpus_per_worker is None else f"{gpus_per_worker:g}",
            "data-dir": None if data_dir is None else str(data_dir),
            "storage": options.storage_said(storage),
        }
        command = _more_seeds(what, facts, where)
        print("\n".join(report_lines(facts, len(found.dataset.train), len(found.dataset.test), command)))


def _check(what: str, top: int) -> None:
    from models.errors import MnistSearchError

    words = (options.ANSWER, "smallest", "best")
    if top > 1 and what not in words:
        raise MnistSearchError(f"--top {top} chooses among a study's trials: leave {what} or --top out")


def _race_text(what: str, top: int) -> str:
    if what == "best":
        return f"race of the {top} most accurate on held-out training images; the test set is not used"
    return f"race of the {top} smallest, smallest first, on held-out training images; the test set is not used"


def _nominees(named: "Named", what: str, top: int, epochs: int | None, least: int) -> "list[Nominee]":
    from search.verification.nominees import nominee_of, top_nominees

    if top > 1 and named.study is not None:
        return top_nominees(named.study, top, what, epochs, least)
    return [nominee_of(named, epochs, least)]


def _round_text(facts: dict[str, Any]) -> str:
    of = [
        f"{one['name']} {percent(one['sustained_accuracy'])}{'' if one['goes_on'] else ' (out)'}"
        for one in facts["candidates"]
    ]
    return f"after {facts['n_seeds']} seeds{' each' if len(of) > 1 else ''}: {', '.join(of)}"


def _more_seeds(what: str, facts: dict[str, Any], where: dict[str, str | None]) -> list[str] | None:
    """The command that adds the seeds which would settle it, to those that are there."""
    from search.verification.commands import more_seeds_words

    if facts["study"] is None:
        return more_seeds_words(what, facts, {"dataset": facts["dataset"], **where})
    return more_seeds_words(str(facts["trial"]), facts, {"study": facts["study"], **where})
