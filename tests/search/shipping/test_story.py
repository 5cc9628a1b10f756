"""Where a network comes from, told in the manifest and on the card."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.shipping.card import card_text
from search.shipping.chosen import Chosen, Verified
from search.shipping.story import story_of
from search.study.naming import find_candidate
from search.study.study import SearchStudy
from search.verification.judged import judged_verifications
from tests.helpers.made_studies import add_verification, made_study
from trainer.bundle.bundle import Story
from trainer.bundle.manifest import read_manifest

SEEDS = [0.993, 0.991, 0.992, 0.994, 0.995]


def card_of(story: Story, bundle: Path) -> str:
    """The card of a bundle with another story."""
    told = {"source": dict(story.source), "verification": story.verification, "found": dict(story.found)}
    return card_text({**read_manifest(bundle), **told, "name": story.name, "commands": dict(story.commands)})


def verified_story(study: SearchStudy, **source: Any) -> Story:
    """Of trial 0, of which seed 4 is shipped."""
    named = find_candidate("0", lambda: study)
    [judged] = judged_verifications(study)
    kept = {
        "kind": "verification",
        "seed": 4000,
        "seed_number": 4,
        "n_seeds": 5,
        "chosen_as": "the median of them",
        "trained_on": "a test",
        "split": "test",
    }
    verified = Verified(judged.record, judged.runs, judged.summary)
    chosen = Chosen("trial 0", named.candidate, {}, "digits", "test", {**kept, **source}, verified)
    return story_of("0", named, chosen)


def test_a_verified_trial(own_folder: Path, bundle: Path) -> None:
    study = made_study(own_folder, 3, target=0.99)
    add_verification(study, 0, SEEDS)
    story = verified_story(study)
    assert story.name == "digits-trial-0"
    card = card_of(story, bundle)
    assert "**Verified at 99.00%: the mean is at or above it, and so is its whole 95% interval.**" in card
    assert "Trained from scratch with 5 fresh seeds" in card
    assert card.count("(this one)") == 1
    assert "| 4 (this one) | 99.40% |" in card
    assert "the median of 5, not the luckiest" in card
    n = study.n_past_gate()
    assert f"Trial 0 of study *digits*: {n} candidate{'s' * (n != 1)} under 10,000 parameters" in card
    assert "$ mnist-search run --dataset digits" in card
    assert "$ mnist-search verify 0 --seeds 5" in card
    assert "$ mnist-search export 0 --study digits" in card
    head = yaml.safe_load(card.split("---\n")[1])
    first = head["model-index"][0]["results"][0]["metrics"][0]
    assert first["name"] == "Sustained test accuracy, mean of 5 seeds: verified at 99.00%"
    assert "verified" not in first, "which would claim that a hub has run it"
    assert first["value"] == pytest.approx(0.993)


def test_a_seed_that_was_asked_for(own_folder: Path, bundle: Path) -> None:
    study = made_study(own_folder, 3)
    add_verification(study, 0, SEEDS)
    card = card_of(verified_story(study, chosen_as="asked for by --seed"), bundle)
    assert "This bundle holds seed 4, which was asked for: what to expect of one more says the mean above" in card
    assert "--seed 4\n" in card.partition("## Reproduce")[2]


def test_a_refuted_trial_is_called_so(own_folder: Path, bundle: Path) -> None:
    study = made_study(own_folder, 3, target=0.999)
    add_verification(study, 0, SEEDS)
    card = card_of(verified_story(study), bundle)
    assert "**Refuted at 99.90%: the mean is below it, and so is its whole 95% interval.**" in card
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["model-index"][0]["results"][0]["metrics"][0]["name"].endswith("5 seeds: refuted at 99.90%")


def test_an_unverified_trial_of_a_search_that_saw_the_test_images(own_folder: Path, bundle: Path) -> None:
    study = made_study(own_folder, 3, split="test")
    named = find_candidate("0", lambda: study)
    source = {"kind": "trial", "trial": 0, "seed": 7, "trained_on": "a test", "epochs": 4, "split": "test"}
    story = story_of("0", named, Chosen("trial 0", named.candidate, {}, "digits", "test", source, None))
    card = card_of(story, bundle)
    assert "**Not verified: this is one training" in card
    assert "It was not. `mnist-search verify` would train it again" in card
    told = " ".join(card.split())
    assert (
        "Trained on all training images of the digits of scikit-learn. The test images had no part in training it"
        in told
    )
    assert "**Not clean: the search had judged by the test images**" in card
    assert "seed 7" in card
