"""The notes of trials and studies: what they say, and that nothing in them breaks out of its place."""

import re
import shlex
from typing import Any

import pytest
from optuna.trial import TrialState

from models.layer_table import layer_facts
from search.dashboard.own_words import MARK, own_words, with_ours
from search.dashboard.study_note import study_note
from search.dashboard.trial_note import trial_note
from search.dashboard.view import StudyView
from search.report.winner import find_winner
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.store import Store
from storage.trials import read_trials
from tests.helpers.databases import url_of
from tests.helpers.growing_studies import CANDIDATES, begin, empty_study, end, train, trained
from tests.helpers.made_studies import add_verification
from tests.helpers.markdown import Read, read_markdown

KINDS = ("trained", "pruned", "rejected", "diverged", "failed", "interrupted", "duplicate", "running", "waiting",
         "warm start", "again", "verified")  # fmt: skip
"""The trials of `study`, in order."""
HOSTILE = ("a`b``c```d````e", "a|b|c", "a\n```\n# b\n\n| c |\n", "</script><img src=x onerror=alert(1)>",
           "a\r\n\r\n    b", "*a* _b_ ~~c~~ [d](e) $f$ \\", "'\"`$(reboot)`", "- a", "é\u2028b", "`", " ` ",
           "a `")  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SearchStudy:
    """A study with a trial of every kind."""
    study = empty_study(Store(url_of(tmp_path_factory.mktemp("notes") / "s.db")))
    trained(study, 3, 0.9, 0.95, 0.97, worker=2, training_seed=77, gap=-0.0031, trained_on="cpu_1, torch 2.15")
    pruned = begin(study, 1)
    train(study, pruned, 0.5, 0.6)
    end(study, pruned, Outcome.PRUNED, reason="60.00% against a median of 95.00% in epoch 2")
    end(study, begin(study, -1), Outcome.REJECTED, reason="6,379,786 parameters, the budget is fewer than 10,000")
    diverged = begin(study, 1)
    train(study, diverged, 0.1)
    end(study, diverged, Outcome.DIVERGED, reason="the loss was not finite in epoch 2")
    end(study, begin(study, 4), Outcome.FAILED, reason="RuntimeError: a_b * c_d | [x]")
    end(study, begin(study, 5), Outcome.INTERRUPTED, reason="the user stopped it")
    end(study, begin(study, 0), Outcome.DUPLICATE, reason="equal to trial 1")
    train(study, begin(study, 7), 0.4, 0.8)
    begin(study, None, TrialState.WAITING)
    trained(study, 0, 0.9, 0.98, 0.98, warm_start="mine.yaml")
    trained(study, 8, 0.9, 0.992, 0.992, retry_of=5)
    trained(study, 9, 0.9, 0.995, 0.995, weights_artifact="a-number")
    add_verification(study, 11, [0.995, 0.996, 0.995, 0.996, 0.995])
    study.refresh()
    return study


def note_of(study: SearchStudy, number: int, verified: Any = None) -> Read:
    return read_markdown(trial_note(study.trial(number), study.name, study.settings, verified))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("trained", "Trained to the end: 96.00% sustained over its last 2 epochs, below 99.00%."),
        ("pruned", "Stopped after epoch 2: 60.00% against a median of 95.00%."),
        ("rejected", "Rejected before training: 6,379,786 parameters, the budget is fewer than 10,000."),
        ("diverged", "Diverged: the loss was not finite in epoch 2."),
        ("failed", "Failed: RuntimeError: a_b * c_d | [x]."),
        ("interrupted", "Interrupted: the user stopped it."),
        ("duplicate", "Not trained: equal to trial 1."),
        ("running", "In training: 80.00% after epoch 2 of 3."),
        ("waiting", "Waits to be trained."),
        ("again", "Held 99.00% in each of its last 2 epochs: 99.20% sustained."),
    ],
)
def test_a_trials_note_begins_with_what_became_of_it(study: SearchStudy, kind: str, sentence: str) -> None:
    note = trial_note(study.trial(KINDS.index(kind)), study.name, study.settings, None)
    assert note.startswith("**")
    assert read_markdown(note).texts[0] == sentence
    assert "None" not in note


@pytest.mark.parametrize("number", [n for n, kind in enumerate(KINDS) if kind != "waiting"])
def test_it_has_the_layers_the_recipe_and_the_commands(study: SearchStudy, number: int) -> None:
    trial, read = study.trial(number), note_of(study, number)
    candidate = next(one for one in CANDIDATES if one.id == trial.user_attrs["candidate_id"])
    [[head, *rows]] = read.tables
    assert len(rows) == len(layer_facts(candidate.arch))
    assert {len(row) for row in rows} == {len(head)}
    column = head.index("parameters")
    assert sum(int(row[column].replace(",", "")) for row in rows) == candidate.arch.params
    assert [row[0] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    assert any(
        text.startswith(f"{candidate.arch.params:,} parameters (budget: fewer than 10,000)") for text in read.texts
    )
    [recipe] = [text for text in read.texts if text.startswith("Recipe:")]
    assert f"epochs {candidate.recipe.epochs}, batch size {candidate.recipe.batch_size}," in recipe
    [block] = read.blocks
    wanted = ["show"] if KINDS[number] == "rejected" else ["show", "verify"]
    wanted += ["export"] if KINDS[number] == "verified" else []
    assert [shlex.split(line) for line in block.splitlines()] == [
        ["mnist-search", command, str(number), "--study", "digits"] for command in wanted
    ]


def test_it_says_how_the_training_went(study: SearchStudy) -> None:
    [text] = [text for text in note_of(study, 0).texts if text.startswith("Training:")]
    assert text == "Training: worker 2, seed 77, time 9.0 s, gap in points -0.31, on cpu_1, torch 2.15."
    assert not any(text.startswith("Training:") for text in note_of(study, KINDS.index("rejected")).texts)


def test_it_says_where_the_candidate_comes_from(study: SearchStudy) -> None:
    texts = {kind: note_of(study, number).texts for number, kind in enumerate(KINDS)}
    assert "Not drawn but given: --warm-start mine.yaml." in texts["warm start"]
    assert "Trial 5 again, which did not come to its end." in texts["again"]
    assert not any("given" in text or "again" in text for text in texts["trained"])


def test_a_waiting_trial_has_nothing_but_its_sentence(study: SearchStudy) -> None:
    read = note_of(study, KINDS.index("waiting"))
    assert (read.texts, read.tables, read.blocks) == (["Waits to be trained."], [], [])


@pytest.mark.parametrize("accuracies", [[0.995, 0.996, 0.995], [0.9], [0.9, 0.9]])
def test_a_verified_one_says_what_fresh_seeds_came_to(store: Store, accuracies: list[float]) -> None:
    """One seed has no interval."""
    study = empty_study(store)
    trained(study, 0, 0.99, 0.99, 0.99)
    add_verification(study, 0, accuracies)
    watched = StudyView(store).watched(1)
    assert watched is not None
    watched.trials()
    [text] = [text for text in read_markdown(str(watched.note(0))).texts if text.startswith("Trained again with")]
    seeds = "1 fresh seed" if len(accuracies) == 1 else f"{len(accuracies)} fresh seeds"
    assert text.startswith(f"Trained again with {seeds}, judged by the test images: {100 * min(accuracies):.1f}")
    assert "99.00%" in text
    assert "held." in text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_its_place(store: Store, name: str) -> None:
    """Neither a study's, nor that of a warm start, nor the reason of an end."""
    study = empty_study(store, name)
    trained(study, 0, 0.9, 0.995, 0.995, warm_start=name, weights_artifact="x", trained_on=name)
    end(study, begin(study, 1, warm_start=f"{name}2"), Outcome.FAILED, reason=name)
    study.refresh()
    usual = empty_study(store, "usual")
    trained(usual, 0, 0.9, 0.995, 0.995, warm_start="x", weights_artifact="x", trained_on="x")
    end(usual, begin(usual, 1, warm_start="x"), Outcome.FAILED, reason="x")
    usual.refresh()
    for number in (0, 1):
        read, alike = note_of(study, number), note_of(usual, number)
        assert (len(read.texts), read.tables, len(read.blocks)) == (len(alike.texts), alike.tables, 1)
        assert (read.links, read.html) == ([], [])
        [given] = [text for text in read.texts if text.startswith("Not drawn")]
        wanted = " ".join((name if number == 0 else f"{name}2").split())
        assert given == f"Not drawn but given: --warm-start {wanted}."
        assert shlex.split(read.blocks[0].replace("\\\n", " "))[:5] == ["mnist-search", "show", str(number), "--study",
                                                                       _of_one_line(name)]  # fmt: skip
    assert note_of(study, 1).texts[0] == f"Failed: {' '.join(name.split())}."
    read = read_markdown(study_note(study, find_winner(study)))
    alike = read_markdown(study_note(usual, find_winner(usual)))
    assert [len(table) for table in read.tables] == [len(table) for table in alike.tables]
    assert [[len(row) for row in table] for table in read.tables] == [
        [len(row) for row in table] for table in alike.tables
    ]
    assert (read.texts, read.html, len(read.blocks)) == (alike.texts, [], 1)
    words = shlex.split(read.blocks[0].replace("\\\n", " "))
    assert words[:4] == ["mnist-search", "run", "--study", _of_one_line(name)]
    assert words.count("--warm-start") == 2


def _of_one_line(name: str) -> str:
    """A name as it stands in a block: Markdown knows no carriage return."""
    return name.replace("\r\n", "\n")


def facts_of(read: Read) -> dict[str, str]:
    [table] = read.tables
    return {name: value for name, value in table if name}


def test_the_studys_note(study: SearchStudy) -> None:
    read = read_markdown(study_note(study, find_winner(study)))
    assert read.texts[0].startswith(
        "The smallest network that this search has proven to reach 99.00% on the digits of scikit-learn has 9,122 "
    )
    facts = facts_of(read)
    assert facts["trials"] == "6 past the gate: 4 trained, 1 pruned, 1 rejected, 1 diverged, 1 failed"
    assert facts["best"] == "99.50% with 9,122 parameters: trial 11, which held it"
    assert facts["smallest at the target"] == "99.20% with 8,546 parameters: trial 10, which held it"
    assert facts["verification"].startswith("trial 11: 99.54% over 5 seeds (95% interval of the mean: ")
    assert facts["target"].startswith("99.00% as the mean of the last 2 epochs: reached after 1 min 00 s")
    assert facts["epochs"].startswith("17 trained, 1 saved by pruning; 1 training spared")
    assert facts["at work"] == "nobody: the search has stopped"
    assert facts["to go on"] == "trial 7: 8,246 parameters, epoch 2 of 3, 80.00%"
    numbers = {trial.number for trial in read_trials(study.store.engine, study.study_id)}
    linked = [re.fullmatch(rf"/dashboard/studies/{study.study_id}/trials\?numbers=(\d+)", link) for link in read.links]
    assert {int(match[1]) for match in linked if match} == {7, 10, 11} <= numbers
    assert all(linked)
    [block] = read.blocks
    commands = [shlex.split(one) for one in block.replace("\\\n", " ").splitlines()]
    assert {command[0] for command in commands} == {"mnist-search"}
    assert [command[1] for command in commands] == ["run", "show", "export", "report", "dashboard"]
    assert "Again" in read.texts


def test_the_note_of_a_study_without_a_trial(store: Store) -> None:
    read = read_markdown(study_note(empty_study(store), None))
    facts = facts_of(read)
    assert (facts["best"], facts["smallest at the target"]) == ("none yet", "none yet")
    assert facts["trials"] == "0 past the gate: 0 trained, 0 pruned, 0 rejected, 0 diverged, 0 failed"
    assert read.links == []


@pytest.mark.parametrize("own", ["", "a line", "# a\n\n- b\n", "```\ncode\n```"])
@pytest.mark.parametrize("ours", ["", "ours", "| a |\n| - |"])
def test_own_words_stay_and_ours_are_written_anew(own: str, ours: str) -> None:
    shown = with_ours(own, ours)
    assert own_words(shown, [ours]) == own.strip()
    again = with_ours(own_words(shown, [ours]), "newer")
    assert again == with_ours(own, "newer")
    assert again.count(MARK) == 1
    assert again.endswith("\n\nnewer")


def test_a_mark_that_ended_otherwise_is_a_mark() -> None:
    """Editors end lines in their own ways."""
    assert own_words(f"mine\r\n\r\n{MARK}\r\n\r\nours", ["ours"]) == "mine"
    assert own_words(f"mine {MARK}", []) == "mine"


def test_what_a_visitor_put_below_the_line_or_in_its_place_is_theirs() -> None:
    said = ["**first**\n\n- one", "**second**\n\n- two"]
    assert own_words(f"mine\n{MARK}\n\n**first**\nmore of mine\n- two", said) == "mine\nmore of mine"
    assert own_words("mine\n**second**\n\n- one", said) == "mine"
