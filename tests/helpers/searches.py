"""Searches on a few digits, in this process, for tests of what comes of them."""

from typing import Any

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.intake import Intake
from search.dispatch.ledger import Ledger
from search.dispatch.listener import Listener, SearchState
from search.dispatch.mirror import StudyMirror
from search.engines.protocol import Engine
from search.space.space import Space
from search.study.settings import StudySettings
from search.study.study import SearchStudy, create_study
from storage.patience import Patience
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits

PLAIN = {"convolution": "full", "pool_place": "after-stem", "skips": "false", "body_repeats": "1"}
"""What a network of the template was before it had more parts."""
SMALL = {**PLAIN, "stem_depth": "1", "body_depth": "1:2", "n_expansions": "0", "batch_size": "32", "ema_decay": "0"}
EASY = {**SMALL, "stem_width": "2:6", "body_width": "2:6", "transition_width": "2:6"}


def begin(store: Store, ranges: dict[str, str] | None = None, **settings: Any) -> SearchStudy:
    values: dict[str, Any] = {
        "dataset": "digits",
        "epochs": 2,
        "sustain": 1,
        "max_params": 1500,
        "pruner": "none",
    } | settings
    space = Space.of(EASY if ranges is None else ranges, values["max_params"])
    return create_study(store, "s", StudySettings(**values, space=space.to_dict()))


def search(
    study: SearchStudy,
    n_trials: int,
    engine: Engine | None = None,
    listener: Listener | None = None,
    **limits: Any,
) -> SearchState:
    session = StudySession(study.store.engine, study.study_id)
    engine = engine or InlineEngine(small_digits())
    try:
        return Dispatcher(study, engine, Limits(n_trials, **limits), session, listener or Listener()).run()
    finally:
        session.end()


def drawing(study: SearchStudy) -> tuple[Intake, Ledger, StudyMirror]:
    """What draws and writes the trials of a study, under a session of its own, which takes the place of any other."""
    session = StudySession(study.store.engine, study.study_id, take_over=True)
    mirror = StudyMirror(study)
    patience = Patience(print)
    ledger = Ledger(study, mirror, session, patience)
    return Intake(study, mirror, ledger, patience), ledger, mirror
