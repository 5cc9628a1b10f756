"""search(): what `mnist-search run` does."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_search.arguments import (
    find_place,
    range_texts,
    refuse_starting_process,
    search_limits,
    slot_count,
    storage_url,
    worker_count,
)
from mnist_search.studies import Study
from mnist_search.watching import OnEpoch, OnTrial, Watcher
from models.presets import get_preset
from search.dashboard.access import TOKEN_VARIABLE, Access, chosen_token
from search.dashboard.beside import dashboard_beside
from search.dispatch.dispatcher import Dispatcher
from search.engines.opening import open_engine
from search.measures.words import plural, starting_text
from search.space.catalogue import questions
from search.study.history import carried
from search.study.setup import StudyRequest, prepare
from search.study.warm_start import queue
from storage.sessions import StudySession
from trainer.training.precision import check_precision, choose_precision
from trainer.training.provenance import opening_lines, provenance

if TYPE_CHECKING:
    from search.dispatch.dispatcher import Limits
    from search.dispatch.listener import SearchState
    from search.engines.places import Place
    from search.study.setup import Prepared


def search(
    *,
    trials: int = 200,
    max_params: int | None = None,
    target: float | None = None,
    find: str | None = None,
    margin: float | None = None,
    sustain: int | None = None,
    epochs: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    space: str | Path | None = None,
    set: Mapping[str, object] | Sequence[str] | None = None,
    workers: int | str = "auto",
    slots: int | str = "auto",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "local",
    ray_address: str | None = None,
    gpus_per_worker: float | None = None,
    timeout: float | str | None = None,
    patience: float | str | None = None,
    take_over: bool = False,
    stop_at_target: bool = False,
    warm_start: Sequence[str] | None = None,
    seed: int | None = None,
    deterministic: bool = False,
    window: int | None = None,
    split: str | None = None,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    storage: str | None = None,
    artifacts: str | None = None,
    study: str | None = None,
    dashboard: bool = False,
    on_epoch: OnEpoch | None = None,
    on_trial: OnTrial | None = None,
    progress: bool = True,
    watcher: Watcher | None = None,
) -> Study:
    """Search for small networks and return the study; the same call resumes a study.

    The arguments are the options of `mnist-search run`, which `mnist-search run --help` explains.

    Args:
        set: Searched ranges, by name, such as `{"body_width": "4:16"}`.
        on_epoch: Called after each epoch with the trial in training: `number`, `params`, `epoch`, `accuracy` and
            `record`, which has losses and learning rate.
        on_trial: Called after each trial with `number`, `outcome`, `params`, `accuracy`, `epochs` and `seconds`.
        progress: Print messages and a progress bar on stderr. Warnings are printed in any case.
        watcher: Receives messages and progress in the place of the four arguments above, as the command line does.

    Raises:
        MnistSearchError: An argument is not possible, or no network fits it.
        StorageError: The database cannot be used.
        WorkFailedError: Workers or trainings fail again and again. What has finished is kept.
        KeyboardInterrupt: The search was interrupted by Ctrl-C. What has finished is kept.
    """
    refuse_starting_process("search")
    watcher = watcher or Watcher(progress, on_epoch, on_trial)
    limits = search_limits(trials, timeout, patience, stop_at_target)
    n_workers, n_slots = worker_count(workers), slot_count(slots)
    check_precision(precision)
    place = find_place(engine, device, n_workers, ray_address, gpus_per_worker)
    access = Access(token=chosen_token(os.environ.get(TOKEN_VARIABLE) or None)) if dashboard else None
    settings = {
        "max_params": max_params, "target": target, "find": find, "margin": margin, "sustain": sustain,
        "epochs": epochs, "sampler": sampler, "pruner": pruner, "seed": seed, "split": split,
        "deterministic": deterministic or None, "window": window,
    }  # fmt: skip
    url, ranges, first = storage_url(storage), range_texts(set), tuple(warm_start or ())
    data_folder, space_file = data_dir and Path(data_dir), space and Path(space)
    artifacts = artifacts or os.environ.get("MNIST_SEARCH_ARTIFACTS") or None
    request = StudyRequest(
        url, study, dataset, data_folder or None, settings, space_file or None, ranges, first, artifacts,
        limits.patience_seconds,
    )  # fmt: skip
    prepared = prepare(request)
    _tell_prepared(prepared, watcher)
    state = _search(prepared, limits, place, n_slots, precision, access, url, take_over, watcher)
    if state.n_done_before >= trials:
        n = plural(state.n_done_before, "candidate")
        watcher.say(f"study {prepared.study.name} has its {n}; ask for more with --trials")
    if state.exhausted:
        watcher.say(f"the search is over: {state.exhausted}")
    return Study(prepared.study)


def _tell_prepared(prepared: "Prepared", watcher: Watcher) -> None:
    for line in (f"data: {prepared.notice}", prepared.files_notice):
        if line is not None:
            watcher.say(line)
    if prepared.warning is not None:
        watcher.warn(prepared.warning)
    for question in questions(prepared.study.space.ranges):
        watcher.warn(f"warning: {question}; the search goes on with it")


def _search(
    prepared: "Prepared",
    limits: "Limits",
    place: "Place",
    n_slots: int | None,
    precision: str,
    access: Access | None,
    storage: str,
    take_over: bool,
    watcher: Watcher,
) -> "SearchState":
    """Search, with a dashboard beside it if one has access; return the final state."""
    study = prepared.study
    # One format for a whole study, whose candidates are compared: measured on a network of the kind it searches.
    chosen = choose_precision(precision, place.device, get_preset("a-step5").candidate)
    for line in opening_lines(place.device, chosen, place.described):
        watcher.say(line)
    session = StudySession(study.store.engine, study.study_id, take_over, carried(study).seconds)
    try:
        queue(study, prepared.warm_start)
        with ExitStack() as stack:
            beside = stack.enter_context(dashboard_beside(storage, study.name, access)) if access else None
            watcher.say(starting_text(len(place.devices)))
            team = stack.enter_context(
                open_engine(prepared.data, place.devices, chosen.dtype, n_slots, place.engine, **place.how)
            )
            if beside is not None:
                watcher.warn(beside.line())  # also with -q: nothing else tells where it is
            listener = stack.enter_context(watcher.searching())
            on = provenance(place.device, chosen, place.described)
            dispatcher = Dispatcher(study, team, limits, session, listener, on)
            with watcher.stopping(dispatcher.stop):
                return dispatcher.run()
    finally:
        session.end()
