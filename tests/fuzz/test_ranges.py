"""Ranges, by `--set` and in space files: whatever they say, a space to draw from or one line, and soon."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.candidate import Candidate
from search.space.catalogue import DEFAULT_RANGES
from search.space.draws import RandomDraw
from search.space.space import Space
from search.study.settings import StudySettings
from search.study.setup import StudyRequest, given_ranges
from search.study.study import require_room
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import changed, texts, values
from tests.helpers.outcomes import Line, outcome_of

SUBJECT = "ranges"
names = st.sampled_from(sorted(DEFAULT_RANGES))
NUMBERS = ("0", "1", "3", "32", "33", "-1", "0.5", "1e300", "1e-320", "nan", "inf", "true", "1_0", "٣", "+2", " 4 ")
parts = st.sampled_from((*NUMBERS, str(10**12), str(10**20), "9" * 5000, "log", "x", "", "sgd", "conv")) | texts
ranges = st.lists(parts, min_size=1, max_size=4).map(":".join) | st.lists(parts, max_size=5).map(", ".join)


def drawn_from(request: StudyRequest) -> Space:
    """The space of a request, once candidates were drawn from it."""
    space = Space.of(given_ranges(request), 10_000)
    StudySettings("digits", space=space.to_dict())
    require_room(space, 10**9)
    for seed in range(3):
        assert isinstance(space.sample(RandomDraw(random.Random(seed)), 8), Candidate)
    assert Space.from_dict(space.to_dict()) == space
    return space


def outcome(space_file: Path | None, set_ranges: list[str]) -> Space | Line:
    """What ranges come to: a space from which candidates can be drawn, or the line that says why not."""
    request = StudyRequest("sqlite:///x.db", None, None, None, {}, space_file, tuple(set_ranges))
    found: Space | Line = outcome_of(drawn_from, request)
    return found


@tried_on(60, 8_000, SUBJECT)
@given(st.lists(st.tuples(names, ranges).map("=".join) | texts, max_size=3))
def test_options(given_texts: list[str]) -> None:
    outcome(None, given_texts)


@tried_on(30, 4_000, SUBJECT)
@given(values() | st.dictionaries(names, ranges | values(), max_size=4) | changed(dict(DEFAULT_RANGES)))
def test_files(folder: Path, value: Any) -> None:
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    outcome(path, [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stem_depth=1:1000000", "range stem_depth: 1000000 is more than 32"),
        ("n_expansions=33", "range n_expansions: 33 is more than 32"),
        ("body_width=4:5000", "range body_width: 5000 is more than 4,096"),
        ("warmup_epochs=0:1000000", "range warmup_epochs: 1000000 is more than 10,000"),
        ("milestone_share=0:1e308", "range milestone_share: 1e+308 does not lie between 0 and 1"),
        ("milestone_share=nan", "range milestone_share: nan does not lie between 0 and 1"),
        (f"lr=1:{10**400}:log", f"range lr: '1:{10**400}:log' has a number above 9,007,199,254,740,992"),
    ],
)
def test_what_no_search_would_come_to_the_end_of(text: str, fault: str) -> None:
    assert outcome(None, [text]) == fault


def test_aliases_in_a_space_file(folder: Path) -> None:
    path = folder / "laughs.yaml"
    path.write_text("body_width: &a [4, 8]\nstem_width: *a\n")
    assert outcome(path, []) == f"{path}: the alias *a is not read: write out what it stands for (line 2, column 13)"
    path.write_text("lr: 0.1\nlr: 0.2\n")
    assert outcome(path, []) == f"{path}: the key 'lr' is given twice (line 2, column 1)"
