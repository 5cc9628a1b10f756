"""The study in memory, and what of a draw reaches the database."""

import pytest
from optuna.trial import TrialState

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.intake import Intake
from search.dispatch.listener import Listener
from search.dispatch.live import LiveTrial
from search.dispatch.mirror import StudyMirror
from search.dispatch.requeue import hand_back, hand_back_running
from search.space.space import Space
from search.study import attributes
from search.study.outcomes import Outcome, outcome_of
from search.study.settings import StudySettings
from search.study.study import SearchStudy, create_study, open_study, resume_study
from storage import sessions
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.databases import WritingTransactions
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import drawing

MAX_PARAMS = 8_000


@pytest.fixture
def study(store: Store) -> SearchStudy:
    """Half of whose draws are over the budget."""
    space = Space.of({"body_width": "6:26"}, MAX_PARAMS).to_dict()
    settings = StudySettings("digits", max_params=MAX_PARAMS, epochs=1, sustain=1, space=space)
    return create_study(store, "study", settings)


def intake_of(study: SearchStudy) -> tuple[Intake, StudyMirror]:
    intake, _, mirror = drawing(study)
    return intake, mirror


def drawn(intake: Intake, n: int) -> list[LiveTrial]:
    passed: list[LiveTrial] = []
    while len(passed) < n:
        passed += filter(None, [intake.draw()])
    return passed


def test_a_draw_and_its_gate_are_one_transaction(study: SearchStudy) -> None:
    intake, _ = intake_of(study)
    transactions = WritingTransactions(study.store)
    passed = [intake.draw() for _ in range(12)]
    assert any(passed)
    assert not all(passed)
    assert transactions.n == len(passed)


def test_nothing_is_written_before_the_gate_has_spoken(study: SearchStudy) -> None:
    mirror = StudyMirror(study)
    study.space.sample(mirror.ask(), 1)
    assert study.store.optuna.get_n_trials(study.study_id) == 0


def test_the_database_has_what_memory_has(study: SearchStudy) -> None:
    intake, mirror = intake_of(study)
    passed = drawn(intake, 4)
    study.refresh()
    assert len(study.snapshot.all) > 4
    for written in study.snapshot.all:
        [shadow] = [t for t in mirror._memory.trials if mirror._rows[t.number].number == written.number]
        assert written.params == shadow.params
        assert written.distributions == shadow.distributions
        assert written.system_attrs == shadow.system_attrs
        assert written.state == shadow.state
        assert written.user_attrs[attributes.PARAMS] - (MAX_PARAMS - 1) == written.constraints["params"]
    assert [t.number for t in study.running()] == [trial.number for trial in passed]
    assert all(outcome_of(t) in (Outcome.REJECTED, None) for t in study.snapshot.all)


def test_what_others_queue_meanwhile_is_drawn_next(study: SearchStudy) -> None:
    """Such as a user with Optuna alone: their trial keeps its own number, and those after it theirs."""
    intake, mirror = intake_of(study)
    first = drawn(intake, 1)[0]
    other = open_study(study.store, study.name).optuna
    other.enqueue_trial(first.shadow.params | {"lr": 0.123})
    second = drawn(intake, 1)[0]
    assert second.shadow.params["lr"] == 0.123
    third = drawn(intake, 1)[0]
    trials = other.get_trials()
    for trial in (first, second, third):
        assert trials[trial.number].user_attrs[attributes.CANDIDATE_ID] == trial.candidate.id
        assert trials[trial.number].params == mirror.frozen(trial.shadow).params
    assert {trial.state for trial in trials} <= {TrialState.RUNNING, TrialState.PRUNED}


def test_a_trial_that_others_add_between_draw_and_writing_changes_no_number(study: SearchStudy) -> None:
    _, ledger, mirror = drawing(study)
    shadow = mirror.ask()
    candidate = study.space.sample(shadow, 1)
    open_study(study.store, study.name).optuna.enqueue_trial({})
    row = ledger.begin(shadow, candidate)
    assert row.number == 1
    waiting = mirror.ask()  # the one in between
    assert mirror.row(waiting) is not None
    assert mirror.row(waiting).number == 0  # type: ignore[union-attr]


def test_a_sign_of_life_between_two_draws(study: SearchStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that draws for long is not taken for dead: however many are rejected, it beats between them."""
    monkeypatch.setattr(sessions, "BEAT_SECONDS", 0.0)
    session = StudySession(study.store.engine, study.study_id)
    dispatcher = Dispatcher(study, InlineEngine(small_digits()), Limits(3), session, Listener())
    happened: list[str] = []
    draw, beat = dispatcher._intake.draw, session.beat

    def noted_draw() -> LiveTrial | None:
        happened.append("draw")
        return draw()

    def noted_beat() -> None:
        happened.append("beat")
        beat()

    monkeypatch.setattr(dispatcher._intake, "draw", noted_draw)
    monkeypatch.setattr(session, "beat", noted_beat)
    dispatcher.run()
    assert happened.count("draw") > 3
    assert "draw draw" not in " ".join(happened)


def test_a_resumed_study_knows_what_it_knew(study: SearchStudy) -> None:
    """Pruner and sampler of a resumed study see the trials of the time before."""
    session = StudySession(study.store.engine, study.study_id)
    Dispatcher(study, InlineEngine(small_digits()), Limits(4), session, Listener()).run()
    session.end()
    again = resume_study(study.store, study.name, {})
    mirror = StudyMirror(again)
    assert [t.state for t in mirror._memory.trials] == [t.state for t in study.snapshot.all]
    assert [t.intermediate_values for t in mirror._memory.trials] == [t.intermediate_values for t in study.snapshot.all]
    assert mirror.ask().number == len(study.snapshot.all)


@pytest.mark.parametrize("asked", [{"schedule": "nosuch"}, {"lr": -1.0}])
@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_what_cannot_be_drawn_is_passed_over(study: SearchStudy, asked: dict[str, object]) -> None:
    """Somebody queued a value that no range has: it is refused once, and blocks nothing."""
    open_study(study.store, study.name).optuna.enqueue_trial(asked)
    intake, _ = intake_of(study)
    assert intake.draw() is None
    assert intake.n_rejected == 1
    assert drawn(intake, 1)[0].number > 0
    refused = study.trial(0)
    assert outcome_of(refused) is Outcome.REJECTED
    assert refused.user_attrs[attributes.REASON].startswith("what was queued cannot be drawn: ")
    assert StudyMirror(resume_study(study.store, study.name, {})).ask().number > 1


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_a_value_from_outside_its_range_does_not_keep_a_study_from_going_on(study: SearchStudy) -> None:
    open_study(study.store, study.name).optuna.enqueue_trial({"lr": 50.0})
    for n_trials in (2, 3):
        again = resume_study(study.store, study.name, {})
        session = StudySession(study.store.engine, study.study_id)
        Dispatcher(again, InlineEngine(small_digits()), Limits(n_trials), session, Listener()).run()
        session.end()
        assert again.n_past_gate() == n_trials


@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.FAIL])
def test_what_another_has_taken_meanwhile_is_left_to_them(study: SearchStudy, state: TrialState) -> None:
    other = open_study(study.store, study.name)
    other.optuna.enqueue_trial({"lr": 0.1})
    intake, _ = intake_of(study)
    study.store.optuna.set_trial_state_values(attributes.trial_id(other.trial(0)), state)
    assert intake.draw() is None
    assert drawn(intake, 1)[0].number > 0
    assert other.trial(0).user_attrs == {}
    assert other.trial(0).state is state
    assert StudyMirror(resume_study(study.store, study.name, {})).ask().number > 1


def test_what_goes_on_has_all_values_of_its_candidate(study: SearchStudy) -> None:
    """Also where somebody had queued but one of them."""
    open_study(study.store, study.name).optuna.enqueue_trial({"lr": 0.05})
    first = drawn(intake_of(study)[0], 1)[0]
    hand_back(study, first.row.trial_id)
    study.refresh()
    again = drawn(intake_of(study)[0], 1)[0]
    assert again.candidate == first.candidate
    assert again.row == first.row, "it is the same trial, and no new one"


def test_what_was_queued_survives_a_stop_before_its_candidate(study: SearchStudy) -> None:
    open_study(study.store, study.name).optuna.enqueue_trial({"lr": 0.05})
    _, ledger, mirror = drawing(study)
    assert ledger.claim(mirror.ask())  # and is killed here
    assert hand_back_running(study) == 1
    mirror = StudyMirror(study)
    again = mirror.frozen(mirror.ask())
    assert again.system_attrs["fixed_params"] == {"lr": 0.05}
    assert attributes.RETRY_OF not in again.user_attrs


def test_what_another_dispatcher_has_handed_back_is_left_as_it_is(study: SearchStudy) -> None:
    trial = drawn(intake_of(study)[0], 1)[0]
    assert hand_back_running(study) == 1  # by the one that took the study over
    before = study.trial(trial.number)
    assert before.state is TrialState.WAITING
    hand_back(study, trial.row.trial_id)
    assert study.trial(trial.number) == before
    assert study.store.optuna.get_n_trials(study.study_id) == trial.number + 1
