"""`mnist-search verify`: a candidate trained again with fresh seeds, and judged by the test images."""

from typing import Annotated, Any

import typer

from search.cli import options
from search.cli.messages import loading
from search.measures.verdict import MIN_SEEDS

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
    given = {name: value for name, value in locals().items() if name != "json"}
    loading()
    from mnist_search import verify
    from search.cli.tables import print_json
    from search.cli.terminal import Terminal
    from search.cli.verify_lines import report_lines

    proof = verify(**given, watcher=Terminal())
    if json:
        print_json(proof.facts)
        return
    where = {
        "precision": proof.precision,
        "engine": None if engine == "local" else engine,
        "ray-address": ray_address,
        "gpus-per-worker": None if gpus_per_worker is None else f"{gpus_per_worker:g}",
        "data-dir": None if data_dir is None else str(data_dir),
        "storage": options.storage_said(storage),
    }
    command = _more_seeds(what, proof.facts, where)
    print("\n".join(report_lines(proof.facts, proof.n_train, proof.n_test, command)))


def _more_seeds(what: str, facts: dict[str, Any], where: dict[str, str | None]) -> list[str] | None:
    """The command that adds the seeds which would settle it, to those that are there."""
    from search.verification.commands import more_seeds_words

    if facts["study"] is None:
        return more_seeds_words(what, facts, {"dataset": facts["dataset"], **where})
    return more_seeds_words(str(facts["trial"]), facts, {"study": facts["study"], **where})
