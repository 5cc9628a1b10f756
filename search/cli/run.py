"""`mnist-search run`: the search itself."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from search.cli import completion, options
from search.cli.completion import one_of
from search.measures.words import plural

EXAMPLE = "Example: mnist-search run --trials 60 --max-params 8000 --set body_width=4:16"


def command(
    trials: Annotated[
        int,
        typer.Option("--trials", help="Candidates to train, in the whole study; those over the budget do not count."),
    ] = 200,
    max_params: Annotated[
        int | None, typer.Option("--max-params", help="Budget: fewer trainable parameters than this. Default: 10000.")
    ] = None,
    target: Annotated[float | None, typer.Option("--target", help="Accuracy to reach. Default: 0.994.")] = None,
    sustain: Annotated[
        int | None,
        typer.Option(
            "--sustain", help="How many last epochs decide, by their mean. Default: 3, or fewer if --epochs is."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Length of each training. Default: 8 (digits: 15), or more if --sustain is."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            "--sampler",
            autocompletion=one_of(completion.SAMPLERS),
            help="How candidates are drawn: tpe or random. Default: tpe.",
        ),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            "--pruner",
            autocompletion=one_of(completion.PRUNERS),
            help="What stops weak trainings early: median or none. Default: median.",
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option("--space", metavar="FILE", help="YAML file of searched ranges, such as `body_width: 4:16`."),
    ] = None,
    set_ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=RANGE", help="One searched range: 4:24, 0.01:0.5:log, or a,b,c. May be repeated."
        ),
    ] = None,
    workers: options.Workers = "auto",
    slots: options.Slots = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="Stop after this long; the same command goes on."),
    ] = None,
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience", metavar="SECONDS", help="How long a locked or absent database is waited for. Default: 600."
        ),
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take the study over from a process that works on it, at once.")
    ] = False,
    stop_at_target: Annotated[
        bool, typer.Option("--stop-at-target", help="Stop as soon as a candidate reaches the target.")
    ] = False,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start",
            metavar="WHAT",
            autocompletion=completion.warm_starts,
            help="Train this first: a preset, a spec file, or `presets` for all within the budget. May be repeated.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the study. Default: 0.")] = None,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic", help="The same trials in the same order, whatever the number and speed of the workers."
        ),
    ] = False,
    window: Annotated[
        int | None,
        typer.Option("--window", help="Candidates under way at once in a deterministic study. Default: 8."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            autocompletion=one_of(completion.SPLITS),
            help="What judges: holdout (held-out training images) or test (the test images). Default: holdout.",
        ),
    ] = None,
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    artifacts: options.Artifacts = None,
    study: Annotated[
        str | None, typer.Option("--study", metavar="NAME", help="Name of the study. Default: the dataset's name.")
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Serve optuna-dashboard on this study while it runs.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Search for small networks; run it again to resume the study."""
    import os
    from contextlib import ExitStack

    from models.presets import get_preset
    from search.cli.interrupts import EXIT_INTERRUPTED, interruptible
    from search.cli.progress import progress_listener
    from search.cli.status import print_status
    from search.dashboard.access import TOKEN_VARIABLE, Access, chosen_token
    from search.dashboard.beside import dashboard_beside
    from search.dispatch.dispatcher import Dispatcher, Limits
    from search.engines.opening import open_engine
    from search.study.setup import StudyRequest, prepare
    from search.study.warm_start import queue
    from storage.patience import PATIENCE_SECONDS
    from storage.sessions import StudySession
    from trainer.training.precision import check_precision, choose_precision
    from trainer.training.provenance import provenance

    _check_limits(trials, timeout, patience)
    n_workers, n_slots = options.n_workers(workers), options.n_slots(slots)
    check_precision(precision)
    place = options.place(engine, device, n_workers, ray_address, gpus_per_worker)
    access = Access(token=chosen_token(os.environ.get(TOKEN_VARIABLE) or None)) if dashboard else None
    settings = {
        "max_params": max_params, "target": target, "sustain": sustain, "epochs": epochs, "sampler": sampler,
        "pruner": pruner, "seed": seed, "split": split, "deterministic": deterministic or None, "window": window,
    }  # fmt: skip
    request = StudyRequest(
        storage,
        study,
        dataset,
        data_dir,
        settings,
        space,
        tuple(set_ranges or ()),
        tuple(warm_start or ()),
        artifacts,
    )
    prepared = prepare(request)
    print(f"data: {prepared.notice}", file=sys.stderr)
    if prepared.files_notice is not None:
        print(prepared.files_notice, file=sys.stderr)
    # One format for a whole study, whose candidates are compared: measured on a network of the kind it searches.
    chosen = choose_precision(precision, place.device, get_preset("a-step5").candidate)
    print(f"precision: {chosen}", file=sys.stderr)
    session = StudySession(prepared.study.store.engine, prepared.study.study_id, take_over)
    try:
        queue(prepared.study, prepared.warm_start)
        limits = Limits(trials, timeout, stop_at_target, PATIENCE_SECONDS if patience is None else patience)
        on = provenance(place.device, chosen, place.described)
        with ExitStack() as stack:
            beside = stack.enter_context(dashboard_beside(storage, prepared.study.name, access)) if access else None
            team = stack.enter_context(
                open_engine(prepared.data, place.devices, chosen.dtype, n_slots, place.engine, **place.how)
            )
            if beside is not None:
                print(beside.line(), file=sys.stderr, flush=True)
            listener = stack.enter_context(progress_listener())
            dispatcher = Dispatcher(prepared.study, team, limits, session, listener, on)
            with interruptible(dispatcher.stop) as interrupted:
                state = dispatcher.run()
    finally:
        session.end()
    if state.n_done_before >= trials:
        n = plural(state.n_done_before, "candidate")
        print(f"study {prepared.study.name} has its {n}; ask for more with --trials", file=sys.stderr)
    print_status(prepared.study, as_json=json)
    return EXIT_INTERRUPTED if interrupted else 0


def _check_limits(trials: int, timeout: float | None, patience: float | None) -> None:
    from models.errors import MnistSearchError

    if trials < 1:
        raise MnistSearchError(f"--trials {trials}: search for at least 1 candidate")
    if timeout is not None and not timeout > 0:
        raise MnistSearchError(f"--timeout {timeout:g}: give a number of seconds above 0")
    if patience is not None and not 0 <= patience < float("inf"):
        raise MnistSearchError(f"--patience {patience:g}: give a number of seconds, 0 or more")
