"""`mnist-search train`: one training, printed epoch by epoch."""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import completion, options
from search.cli.export import NoInt8
from search.cli.messages import Level, level, loading, say, warn
from search.measures.words import percent, plural

if TYPE_CHECKING:
    from search.verification.single_training import SingleTraining
    from trainer.training.records import EpochRecord

EXAMPLE = "Example: mnist-search train --epochs 15 --out model"


def command(
    what: options.What = options.ANSWER,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", min=1, help="Length of the training. Default: as its recipe says, more if --sustain is."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of the training.")] = 0,
    split: Annotated[
        str,
        options.choice(
            "--split", completion.SPLITS, "test trains on all training images and is judged by the test images."
        ),
    ] = "test",
    target: Annotated[
        float | None,
        typer.Option(
            "--target",
            help="Accuracy to reach in each of the last epochs. Default: the study's, or 0.994 (digits: 0.98).",
        ),
    ] = None,
    sustain: Annotated[
        int | None,
        typer.Option(
            "--sustain", min=1, help="How many last epochs decide. Default: the study's or 3, fewer if --epochs is."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Export the trained network into this folder.")
    ] = None,
    no_int8: NoInt8 = False,
    threads: Annotated[int, typer.Option("--threads", min=1, max=1_024, help="CPU threads.")] = 1,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> int:
    """Train a candidate once and print every epoch. The result is kept for `compare`; `verify` is the proof."""
    loading()
    import torch

    from mnist_search.exporting import write_bundle
    from search.cli.bundle_lines import print_bundle
    from search.cli.lookup import find_study, find_what
    from search.cli.tables import print_json
    from search.cli.terminal import Terminal
    from search.shipping.story import story_of_training
    from search.verification.nominees import goal_of
    from search.verification.single_training import SingleTraining
    from storage.patience import Patience
    from storage.runs import add_run
    from storage.store import Store
    from trainer.bundle.aside import check_target
    from trainer.bundle.manifest import is_bundle
    from trainer.data.find import AUTO, data_folder, find_dataset
    from trainer.formats.trained import TrainedNetwork
    from trainer.hardware.device import prepare_device, resolve_device
    from trainer.training.precision import check_precision, choose_precision
    from trainer.training.provenance import opening_lines, provenance

    named = find_what(what, lambda: find_study(storage, study))
    store = Store(storage)  # opened first: a training should not end with nowhere to keep it
    if out is not None:
        check_target(out, is_bundle)
    candidate = named.candidate.with_epochs(epochs or max(named.candidate.recipe.epochs, sustain or 1))
    resolved = resolve_device(device)
    check_precision(precision)
    dataset_name = dataset or (named.study.settings.dataset if named.study else AUTO)
    n_epochs, given = candidate.recipe.epochs, {"target": target, "sustain": sustain}
    goal_of(named, dataset_name, split, n_epochs, given)  # what is impossible is refused before data is fetched
    found = find_dataset(dataset_name, data_folder(data_dir))
    goal = goal_of(named, found.dataset.name, split, n_epochs, given)
    say(f"data: {found.notice}")
    torch.set_num_threads(threads)
    prepare_device(resolved)
    chosen = choose_precision(precision, resolved, candidate, threads)
    for line in opening_lines(resolved, chosen):
        say(line)
    with _batch_bar() as on_batch:
        single = SingleTraining(
            candidate, found.dataset, split, goal.target, goal.sustain, seed, resolved, chosen, on_batch
        )
        say(f"{named.label}: {candidate.arch.params:,} parameters, {len(single.data.train):,} training images")
        _print_epochs(single, to_stdout=not json)
    facts: dict[str, Any] = {"name": named.label, **single.facts()}
    ended_at = time.time()
    store.leave_waiting_to_patience()
    if not json:
        print(_summary(facts), flush=True)  # first: what was trained is to be seen, whether it can be kept or not
    Patience(warn).call(lambda: add_run(store.engine, named.label, facts, ended_at))
    bundle = None
    if out is not None:
        network = TrainedNetwork(candidate, single.weights, single.data.mean, single.data.std)
        story = story_of_training(what, named, single, provenance(resolved, chosen))
        bundle = write_bundle(network, found.dataset, single.data.train, story, out, not no_int8, Terminal())
        facts["exported"] = {"folder": str(out), **bundle}
    if json:
        print_json(facts)
        return 0
    if bundle is not None and out is not None:
        print()
        print_bundle(bundle, out, as_json=False)
    return 0


def _print_epochs(single: "SingleTraining", to_stdout: bool) -> None:
    """Trains, a line for each epoch as it ends. Raises WorkFailedError if the loss is not finite."""
    from models.errors import WorkFailedError
    from trainer.training.records import DivergedError

    _print(_head_line(single.split), to_stdout)
    try:
        for record in single:
            _print(_epoch_line(record, len(single.data.evaluation), single.candidate.recipe.epochs), to_stdout)
    except DivergedError as error:
        raise WorkFailedError(f"{error}: lower its learning rate") from None


@contextmanager
def _batch_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the batches of each epoch on a terminal; None elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from search.cli.tables import console

    on = console(sys.stderr)
    if not on.is_terminal or level() is Level.QUIET:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=on, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task("batches", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _head_line(split: str) -> str:
    judge = "test" if split == "test" else "eval"
    return f"epoch    loss   train  {judge} loss       {judge} accuracy       lr     s"


def _epoch_line(record: "EpochRecord", n_evaluation: int, epochs: int) -> str:
    n_right = f"{round(record.eval_accuracy * n_evaluation)}/{n_evaluation}"
    return (
        f"{record.epoch:>2}/{epochs:<2}  {record.train_loss:.4f}  {record.train_accuracy:.2%}     "
        f"{record.eval_loss:.4f}  "
        f"{n_right:>11} ({record.eval_accuracy:.2%})  {record.lr:>7.2g}  {record.seconds:>4.0f}"
    )


def _summary(facts: dict[str, Any]) -> str:
    from search.verification.single_training import analysis

    judged = "test images" if facts["split"] == "test" else "held-out training images"
    held = "held" if facts["held"] else "not held"
    return "\n".join(
        [
            "",
            f"target    {percent(facts['target'])} in each of the last {plural(facts['sustain'], 'epoch')}: {held}",
            f"results   {facts['params']:,} parameters; sustained {percent(facts['sustained_accuracy'])}, "
            f"best epoch {percent(facts['best_accuracy'])},",
            f"          best training accuracy {percent(facts['best_train_accuracy'])}; judged by the {judged}",
            textwrap.fill(f"analysis  {analysis(facts)}", 80, subsequent_indent=" " * 10),
        ]
    )


def _print(text: str, to_stdout: bool) -> None:
    """A line of the result; a message where stdout is for JSON."""
    if to_stdout:
        print(text, flush=True)
    else:
        say(text)
