"""`mnist-search run`: the search itself."""

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from search.cli import options, run_options
from search.cli.messages import loading, say, warn
from search.cli.worker_lines import starting_text
from search.measures.words import plural

if TYPE_CHECKING:
    from search.dashboard.access import Access
    from search.dispatch.dispatcher import Limits
    from search.dispatch.listener import SearchState
    from search.engines.places import Place
    from search.study.setup import Prepared

EXAMPLE = "Example: mnist-search run --trials 60 --max-params 8000 --set body_width=4:16"


def command(
    trials: run_options.Trials = 200,
    max_params: run_options.MaxParams = None,
    target: run_options.Target = None,
    find: run_options.Find = None,
    margin: run_options.Margin = None,
    sustain: run_options.Sustain = None,
    epochs: run_options.Epochs = None,
    sampler: run_options.Sampler = None,
    pruner: run_options.Pruner = None,
    space: run_options.SpaceFile = None,
    set_ranges: run_options.SetRanges = None,
    workers: options.Workers = "auto",
    slots: options.Slots = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
    timeout: run_options.Timeout = None,
    patience: run_options.Patience = None,
    take_over: run_options.TakeOver = False,
    stop_at_target: run_options.StopAtTarget = False,
    warm_start: run_options.WarmStart = None,
    seed: run_options.Seed = None,
    deterministic: run_options.Deterministic = False,
    window: run_options.Window = None,
    split: run_options.Split = None,
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    artifacts: options.Artifacts = None,
    study: run_options.Study = None,
    dashboard: run_options.Dashboard = False,
    json: options.Json = False,
) -> int:
    """Search for small networks; run it again to resume the study."""
    loading()
    from search.cli.interrupts import EXIT_INTERRUPTED
    from search.cli.status import print_status
    from search.dashboard.access import TOKEN_VARIABLE, Access, chosen_token
    from search.space.catalogue import questions
    from search.study.setup import StudyRequest, prepare
    from trainer.training.precision import check_precision

    limits = _limits(trials, timeout, patience, stop_at_target)
    n_workers, n_slots = options.n_workers(workers), options.n_slots(slots)
    check_precision(precision)
    place = options.place(engine, device, n_workers, ray_address, gpus_per_worker)
    access = Access(token=chosen_token(os.environ.get(TOKEN_VARIABLE) or None)) if dashboard else None
    settings = {
        "max_params": max_params, "target": target, "find": find, "margin": margin, "sustain": sustain,
        "epochs": epochs, "sampler": sampler, "pruner": pruner, "seed": seed, "split": split,
        "deterministic": deterministic or None, "window": window,
    }  # fmt: skip
    ranges, first = tuple(set_ranges or ()), tuple(warm_start or ())
    prepared = prepare(
        StudyRequest(
            storage, study, dataset, data_dir, settings, space, ranges, first, artifacts, limits.patience_seconds
        )
    )
    for line in (f"data: {prepared.notice}", prepared.files_notice):
        if line is not None:
            say(line)
    if prepared.warning is not None:
        warn(prepared.warning)
    for question in questions(prepared.study.space.ranges):
        warn(f"warning: {question}; the search goes on with it")
    state, is_interrupted = _search(prepared, limits, place, n_slots, precision, access, storage, take_over)
    if state.n_done_before >= trials:
        n = plural(state.n_done_before, "candidate")
        say(f"study {prepared.study.name} has its {n}; ask for more with --trials")
    if state.exhausted:
        say(f"the search is over: {state.exhausted}")
    print_status(prepared.study, as_json=json)
    return EXIT_INTERRUPTED if is_interrupted else 0


def _search(
    prepared: "Prepared",
    limits: "Limits",
    place: "Place",
    n_slots: int | None,
    precision: str,
    access: "Access | None",
    storage: str,
    take_over: bool,
) -> "tuple[SearchState, bool]":
    """Searches, with a dashboard beside it if one has access; returns how it stands, and whether it was interrupted."""
    from models.presets import get_preset
    from search.cli.interrupts import interruptible
    from search.cli.progress import progress_listener
    from search.dashboard.beside import dashboard_beside
    from search.dispatch.dispatcher import Dispatcher
    from search.engines.opening import open_engine
    from search.study.history import carried
    from search.study.warm_start import queue
    from storage.sessions import StudySession
    from trainer.training.precision import choose_precision
    from trainer.training.provenance import opening_lines, provenance

    study = prepared.study
    # One format for a whole study, whose candidates are compared: measured on a network of the kind it searches.
    chosen = choose_precision(precision, place.device, get_preset("a-step5").candidate)
    for line in opening_lines(place.device, chosen, place.described):
        say(line)
    session = StudySession(study.store.engine, study.study_id, take_over, carried(study).seconds)
    try:
        queue(study, prepared.warm_start)
        with ExitStack() as stack:
            beside = stack.enter_context(dashboard_beside(storage, study.name, access)) if access else None
            say(starting_text(len(place.devices)))
            team = stack.enter_context(
                open_engine(prepared.data, place.devices, chosen.dtype, n_slots, place.engine, **place.how)
            )
            if beside is not None:
                warn(beside.line())  # also with -q: nothing else tells where it is
            listener = stack.enter_context(progress_listener())
            on = provenance(place.device, chosen, place.described)
            dispatcher = Dispatcher(study, team, limits, session, listener, on)
            with interruptible(dispatcher.stop) as received:
                return dispatcher.run(), bool(received)
    finally:
        session.end()


def _limits(trials: int, timeout: str | None, patience: str | None, stop_at_target: bool) -> "Limits":
    from models.errors import MnistSearchError
    from search.dispatch.dispatcher import Limits
    from storage.patience import PATIENCE_SECONDS

    if trials < 1:
        raise MnistSearchError(f"--trials {trials}: search for at least 1 candidate")
    timeout_seconds = None if timeout is None else options.seconds("--timeout", timeout)
    if timeout_seconds is not None and not timeout_seconds > 0:
        raise MnistSearchError(f"--timeout {timeout}: give a time above 0")
    patience_seconds = PATIENCE_SECONDS if patience is None else options.seconds("--patience", patience)
    if not 0 <= patience_seconds < float("inf"):
        raise MnistSearchError(f"--patience {patience}: give a time of 0 or more")
    return Limits(trials, timeout_seconds, stop_at_target, patience_seconds)
