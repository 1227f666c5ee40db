"""Targeting rules: read from JSON, written to JSON, said in English."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.audience.criteria import (
    Criteria,
    Names,
    ScoreRange,
    check_chooses_somebody,
    criteria_from_json,
    criteria_from_text,
    criteria_to_json,
    criteria_to_text,
    describe_criteria,
)
from rollcall.errors import InvalidInput
from rollcall.models import Source

words = st.lists(st.text(min_size=1).map(str.strip).filter(bool), max_size=3, unique=True)
ranges = st.none() | st.builds(ScoreRange, st.integers(1, 3), st.integers(3, 5))


def ask_for_several(criteria: Criteria) -> st.SearchStrategy[Criteria]:
    """The same, perhaps with a number of events that can be come to."""
    if not criteria.events:
        return st.just(criteria)
    numbers = st.none() | st.integers(1, len(criteria.events))
    return numbers.map(lambda number: replace(criteria, min_events=number))


any_criteria = st.builds(
    Criteria,
    events=words.map(tuple),
    sources=st.lists(st.sampled_from(Source), unique=True).map(tuple),
    recency=ranges,
    frequency=ranges,
    monetary=ranges,
    cities=words.map(tuple),
    people=st.none() | st.sets(st.integers(1, 10**6)).map(sorted).map(tuple),
    window_hours=st.integers(0, 8760),
).flatmap(ask_for_several)


@given(any_criteria)
def test_what_is_written_is_read_again(criteria):
    assert criteria_from_json(criteria_to_json(criteria)) == criteria
    assert criteria_from_text(criteria_to_text(criteria)) == criteria


def test_the_words_are_those_of_the_contract():
    criteria = Criteria(events=("art",), sources=(Source.QR_SCAN,), recency=ScoreRange(3, 5))
    assert criteria_to_json(criteria) == {
        "events": ["art"],
        "sources": ["qr_scan"],
        "rfm_filters": {"r": [3, 5]},
        "recent_message_hours": 72,
    }


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"event": ["art"]}, "event"),
        ({"events": "art"}, "events"),
        ({"events": [1]}, "events"),
        ({"events": [" "]}, "events"),
        ({"sources": ["fax"]}, "sources"),
        ({"events": ["art"], "min_events": 0}, "min_events"),
        ({"events": ["art"], "min_events": 2}, "min_events"),
        ({"events": ["art"], "min_events": "1"}, "min_events"),
        ({"events": ["art"], "min_events": True}, "min_events"),
        ({"min_events": 1}, "min_events"),
        ({"rfm_filters": [3, 5]}, "rfm_filters"),
        ({"rfm_filters": {"x": [3, 5]}}, "rfm_filters"),
        ({"rfm_filters": {"r": [5, 3]}}, "rfm_filters"),
        ({"rfm_filters": {"r": [0, 3]}}, "rfm_filters"),
        ({"rfm_filters": {"r": [3, 6]}}, "rfm_filters"),
        ({"rfm_filters": {"r": [True, 3]}}, "rfm_filters"),
        ({"rfm_filters": {"r": [3]}}, "rfm_filters"),
        ({"rfm_filters": {"r": 3}}, "rfm_filters"),
        ({"people": ["1"]}, "people"),
        ({"people": [True]}, "people"),
        ({"recent_message_hours": -1}, "recent_message_hours"),
        ({"recent_message_hours": 8761}, "recent_message_hours"),
        ({"recent_message_hours": "72"}, "recent_message_hours"),
        ({"cities": {"Toronto": 1}}, "cities"),
        ([], "criteria"),
        (None, "criteria"),
    ],
)
def test_what_is_wrong_is_named_by_field(data, field):
    with pytest.raises(InvalidInput) as refused:
        criteria_from_json(data)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, '"events"', "NaN"])
def test_damaged_text_is_invalid_input_and_nothing_else(text):
    with pytest.raises(InvalidInput):
        criteria_from_text(text)


def test_several_problems_are_all_named():
    with pytest.raises(InvalidInput) as refused:
        criteria_from_json({"events": 1, "sources": 1, "colour": "red"})
    assert set(refused.value.fields) == {"events", "sources", "colour"}


@pytest.mark.parametrize(
    ("criteria", "mode", "again"),
    [
        (Criteria(events=("art",)), "events", True),
        (Criteria(people=(1,)), "people", False),
        (Criteria(cities=("Brno",)), "filters", False),
    ],
)
def test_only_events_can_be_computed_again(criteria, mode, again):
    assert criteria.recipient_mode == mode
    assert criteria.can_be_computed_again is again


def test_an_empty_choice_does_not_mean_everybody():
    with pytest.raises(InvalidInput, match="Choose who gets this"):
        check_chooses_somebody(Criteria())
    with pytest.raises(InvalidInput, match="Choose who gets this"):
        check_chooses_somebody(Criteria(people=(), sources=(Source.QR_SCAN,)))
    check_chooses_somebody(Criteria(recency=ScoreRange(1, 5)))


@pytest.mark.parametrize(
    ("criteria", "sentence"),
    [
        (
            Criteria(events=("art", "jazz"), window_hours=0),
            "People who registered for or attended Art Battle or jazz",
        ),
        (
            Criteria(events=("art",), sources=(Source.QR_SCAN,)),
            "People who scanned a QR code at Art Battle, who had no message in the last 72 hours",
        ),
        (
            Criteria(events=("art", "jazz"), min_events=2, cities=("Brno",), window_hours=0),
            "People who registered for or attended Art Battle or jazz, at least 2 of these "
            "events, from Brno",
        ),
        (
            Criteria(cities=("Brno", "Toronto"), monetary=ScoreRange(5, 5), window_hours=0),
            "Everybody, with a monetary score of 5, from Brno or Toronto",
        ),
        (
            Criteria(people=(1, 2), recency=ScoreRange(3, 5), window_hours=0),
            "2 people picked by hand, with a recency score of 3 to 5",
        ),
    ],
)
def test_criteria_are_said_in_english(criteria, sentence):
    assert describe_criteria(criteria, Names(events={"art": "Art Battle"})) == sentence
