"""What is judged of a search that was killed: from trials made by hand."""

import json

from benchmarks.reliability._stored import (
    StoredTrial,
    lost_epochs,
    n_counted_twice,
    n_past_gate,
    n_running,
    results,
    trained_again,
)
from benchmarks.reliability.kills import Plan, summary


def trial(number: int, outcome: str | None, n_epochs: int, candidate: str = "", seconds: float = 1.0) -> StoredTrial:
    epochs: dict[int, tuple[float, ...]] = dict.fromkeys(
        range(1, n_epochs + 1), (0.5, 0.9, 0.4, 0.8, 0.1, seconds, seconds)
    )
    state = "COMPLETE" if outcome == "trained" else "FAIL" if outcome else "RUNNING"
    return StoredTrial(number, state, outcome, candidate or f"c{number}", 0.8 if outcome == "trained" else None, epochs)


BEFORE = [trial(0, "trained", 3), trial(1, None, 2)]


def test_an_epoch_that_is_gone_or_was_trained_again_is_lost() -> None:
    assert lost_epochs(BEFORE, BEFORE) == []
    assert lost_epochs(BEFORE, [trial(0, "trained", 3), trial(1, "trained", 1)]) == [(1, 2)]
    assert lost_epochs(BEFORE, [trial(0, "trained", 3, seconds=2.0), trial(1, "trained", 3)]) == [
        (0, 1),
        (0, 2),
        (0, 3),
    ]


def test_what_workers_note_after_a_kill_tells_what_was_trained_again() -> None:
    first = b"".join(note("c0", epoch) for epoch in (1, 2, 3))
    after = note("c1", 2) + note("c1", 3)
    assert trained_again(BEFORE, len(first), first + after) == {("c1", 2)}
    assert trained_again(BEFORE, 0, first) == {("c0", 1), ("c0", 2), ("c0", 3)}


def note(candidate: str, epoch: int) -> bytes:
    return json.dumps({"candidate": candidate, "epoch": epoch, "pid": 1}).encode() + b"\n"


def test_trials_are_counted_and_one_counted_twice_is_told() -> None:
    trials = [*BEFORE, trial(2, "trained", 3, candidate="c0"), trial(3, "failed", 1)]
    assert (n_past_gate(trials), n_running(trials), n_counted_twice(trials)) == (2, 1, 1)


def test_results_leave_out_what_time_it_took() -> None:
    assert results([trial(0, "trained", 3)]) == results([trial(0, "trained", 3, seconds=9.0)])
    assert results([trial(0, "trained", 3)]) != results([trial(0, "trained", 2)])
    assert results([trial(0, "interrupted", 1)]) == []


def test_all_are_killed_in_turn_at_all_times_and_seven_of_fifty_again_and_again() -> None:
    plans = [Plan(index) for index in range(200)]
    assert {plan.target for plan in plans if plan.is_early} == {"dispatcher", "group", "worker"}
    assert {plan.seed for plan in plans if plan.target == "worker"} == set(range(10))
    assert sum(plan.n_kills == 3 for plan in plans) == 28


def test_the_table_counts_by_what_was_killed() -> None:
    line = {"target": "group", "kills": [[2.0, "in training"]], "epochs_at_kill": 5, "lost": 1, "trained_again": 0,
            "unfinished_again": 2, "counted_twice": 0, "running_at_end": 0, "waiting_at_end": 0, "left_alive": 0,
            "code": 0, "equal": True}  # fmt: skip
    table = summary([line])
    assert "| of them lost | 0 | 1 | 0 | 1 |" in table
    assert "| kills in training | 0 | 1 | 0 | 1 |" in table
    assert "| equal to the undisturbed search to the last bit | 0 | 1 | 0 | 1 |" in table
