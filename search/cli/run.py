"""`mnist-search run`: the search itself."""

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from search.cli import options, run_options
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
    from search.cli.interrupts import EXIT_INTERRUPTED
    from search.cli.status import print_status
    from search.dashboard.access import TOKEN_VARIABLE, Access, chosen_token
    from search.dispatch.dispatcher import Limits
    from search.study.setup import StudyRequest, prepare
    from storage.patience import PATIENCE_SECONDS
    from trainer.training.precision import check_precision

    _check_limits(trials, timeout, patience)
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
    waits = PATIENCE_SECONDS if patience is None else patience
    asked = StudyRequest(storage, study, dataset, data_dir, settings, space, ranges, first, artifacts, waits)
    prepared = prepare(asked)
    for line in (f"data: {prepared.notice}", prepared.files_notice):
        if line is not None:
            print(line, file=sys.stderr)
    limits = Limits(trials, timeout, stop_at_target, waits)
    state, is_interrupted = _search(prepared, limits, place, n_slots, precision, access, storage, take_over)
    if state.n_done_before >= trials:
        n = plural(state.n_done_before, "candidate")
        print(f"study {prepared.study.name} has its {n}; ask for more with --trials", file=sys.stderr)
    if state.exhausted:
        print(f"the search is over: {state.exhausted}", file=sys.stderr)
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
    from trainer.training.provenance import provenance

    study = prepared.study
    # One format for a whole study, whose candidates are compared: measured on a network of the kind it searches.
    chosen = choose_precision(precision, place.device, get_preset("a-step5").candidate)
    print(f"precision: {chosen}", file=sys.stderr)
    session = StudySession(study.store.engine, study.study_id, take_over, carried(study).seconds)
    try:
        queue(study, prepared.warm_start)
        with ExitStack() as stack:
            beside = stack.enter_context(dashboard_beside(storage, study.name, access)) if access else None
            team = stack.enter_context(
                open_engine(prepared.data, place.devices, chosen.dtype, n_slots, place.engine, **place.how)
            )
            if beside is not None:
                print(beside.line(), file=sys.stderr, flush=True)
            listener = stack.enter_context(progress_listener())
            on = provenance(place.device, chosen, place.described)
            dispatcher = Dispatcher(study, team, limits, session, listener, on)
            with interruptible(dispatcher.stop) as received:
                return dispatcher.run(), bool(received)
    finally:
        session.end()


def _check_limits(trials: int, timeout: float | None, patience: float | None) -> None:
    from models.errors import MnistSearchError

    if trials < 1:
        raise MnistSearchError(f"--trials {trials}: search for at least 1 candidate")
    if timeout is not None and not timeout > 0:
        raise MnistSearchError(f"--timeout {timeout:g}: give a number of seconds above 0")
    if patience is not None and not 0 <= patience < float("inf"):
        raise MnistSearchError(f"--patience {patience:g}: give a number of seconds, 0 or more")
