"""SMS parts (C3): the golden cases, the limits, and what is said about characters outside GSM."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.messages.parts import GSM_BASIC, GSM_EXTENSION, MessageParts, count_parts

GOLDEN = json.loads((Path(__file__).parent / "data" / "sms_parts.json").read_text("utf-8"))

# The calculator behind the golden cases splits by the grapheme rules before Unicode 15.1, where a
# Devanagari conjunct such as "स्ते" is two clusters. It is one today, so that a part may end a
# letter earlier; in these two long texts that comes to one more part.
GOLDEN_EXCEPTIONS = {"r66": 5, "r334": 11}

GSM_CHARACTERS = st.sampled_from(GSM_BASIC + GSM_EXTENSION)
GSM_TEXTS = st.text(GSM_CHARACTERS, max_size=500)
CLUSTERS = st.sampled_from(
    ["a", "€", "ж", "\r\n", "😀", "🇩🇪", "👍🏽", "👨‍👩‍👧‍👦", "1️⃣", "e\u0301", "你"]
)
MIXED_TEXTS = st.lists(CLUSTERS, max_size=300).map("".join)


def forced(text: str) -> list[tuple[int, str, str | None]]:
    return [
        (forcing.position, forcing.character, forcing.suggestion)
        for forcing in count_parts(text).forces_ucs2
    ]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_agrees_with_the_golden_case(case):
    expected = GOLDEN_EXCEPTIONS.get(case["name"], case["parts"])
    counted = count_parts(case["text"])
    assert (counted.encoding, counted.parts) == (case["encoding"], expected)


def test_there_are_301_golden_cases_and_the_exceptions_are_real():
    assert len(GOLDEN) == 301
    published = {case["name"]: case["parts"] for case in GOLDEN}
    assert all(published[name] != parts for name, parts in GOLDEN_EXCEPTIONS.items())


def test_the_alphabet_has_all_places_but_the_escape():
    assert len(set(GSM_BASIC)) == 127
    assert len(set(GSM_EXTENSION) - set(GSM_BASIC)) == 10


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "characters", "units", "units_left"),
    [
        ("", "GSM-7", 1, 0, 0, 160),
        ("Hello", "GSM-7", 1, 5, 5, 155),
        ("5 €", "GSM-7", 1, 3, 4, 156),
        ("a" * 160, "GSM-7", 1, 160, 160, 0),
        ("a" * 161, "GSM-7", 2, 161, 161, 145),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 2, 163, 164, 141),
        ("ж" * 70, "UCS-2", 1, 70, 70, 0),
        ("ж" * 71, "UCS-2", 2, 71, 71, 63),
        ("👍🏽", "UCS-2", 1, 1, 4, 66),
        ("ж" * 66 + "😀" + "ж" * 5, "UCS-2", 2, 72, 73, 60),
    ],
)
def test_units_and_room(text, encoding, parts, characters, units, units_left):
    assert count_parts(text) == MessageParts(
        encoding, parts, characters, units, units_left, count_parts(text).forces_ucs2
    )


@given(GSM_TEXTS)
def test_gsm_text_fills_its_parts_within_the_limits(text):
    counted = count_parts(text)
    assert counted.encoding == "GSM-7"
    assert counted.forces_ucs2 == ()
    assert counted.units == len(text) + sum(text.count(sign) for sign in GSM_EXTENSION)
    # Only the last unit of a part may stay empty, where an extension character did not fit.
    room = 160 if counted.parts == 1 else counted.parts * 153
    waste = room - counted.units - counted.units_left
    assert 0 <= waste <= counted.parts - 1


@given(MIXED_TEXTS)
def test_ucs2_text_fills_its_parts_within_the_limits(text):
    counted = count_parts("ж" + text)
    assert counted.encoding == "UCS-2"
    assert counted.units == len(("ж" + text).encode("utf-16-le")) // 2
    room = 70 if counted.parts == 1 else counted.parts * 67
    waste = room - counted.units - counted.units_left
    # The largest of these clusters, a family, takes 11 units.
    assert 0 <= waste <= 10 * (counted.parts - 1)


@given(st.one_of(GSM_TEXTS, MIXED_TEXTS, st.text()), GSM_CHARACTERS)
def test_a_longer_text_never_takes_fewer_parts(text, appended):
    before, after = count_parts(text), count_parts(text + appended)
    assert after.parts >= before.parts
    assert after.units > before.units
    assert after.encoding == before.encoding


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_can_be_counted_and_ucs2_always_has_a_culprit(text):
    counted = count_parts(text)
    assert counted.parts >= 1
    assert counted.units_left >= 0
    assert bool(counted.forces_ucs2) == (counted.encoding == "UCS-2")
    for forcing in counted.forces_ucs2:
        assert text[forcing.position :].startswith(forcing.character)


@given(st.text(st.sampled_from("ab ‘’“”„–—…\u00a0\u200b\t•ΑΒ"), max_size=100))
def test_following_every_suggestion_gives_a_gsm_text(text):
    for forcing in reversed(count_parts(text).forces_ucs2):
        assert forcing.suggestion is not None
        end = forcing.position + len(forcing.character)
        text = text[: forcing.position] + forcing.suggestion + text[end:]
    assert count_parts(text).encoding == "GSM-7"


def test_typographic_signs_are_pointed_out_with_their_plain_equal():
    assert forced("It’s “ok” – wait…\u00a0now") == [
        (2, "’", "'"),
        (5, "“", '"'),
        (8, "”", '"'),
        (10, "–", "-"),
        (16, "…", "..."),
        (17, "\u00a0", " "),
    ]


@pytest.mark.parametrize(
    ("character", "name", "suggestion"),
    [
        ("—", "EM DASH", "-"),
        ("`", "GRAVE ACCENT", "'"),
        ("\t", "TAB", " "),
        ("\u2028", "LINE SEPARATOR", "\n"),
        ("\u200b", "ZERO WIDTH SPACE", ""),
        ("e\u0301", "COMBINING ACUTE ACCENT", "é"),
        ("Α", "GREEK CAPITAL LETTER ALPHA", "A"),
        ("ş", "LATIN SMALL LETTER S WITH CEDILLA", None),
        ("á", "LATIN SMALL LETTER A WITH ACUTE", None),
        ("😀", "GRINNING FACE", None),
        ("👨‍👩‍👧‍👦", "MAN and 6 more", None),
        ("\x00", "CHARACTER U+0000", None),
        ("\ud83d", "CHARACTER U+D83D", None),
    ],
)
def test_what_forces_ucs2_is_named(character, name, suggestion):
    assert count_parts("ab" + character).forces_ucs2[-1][2:] == (name, suggestion)


def test_a_pile_of_marks_too_large_for_any_part_is_torn_without_breaking_the_limits():
    counted = count_parts("a" + "\u0301" * 200)
    assert (counted.characters, counted.units) == (1, 201)
    assert (counted.parts, counted.units_left) == (3, 0)
