"""Placeholders (C2): the five that exist, in any letter case, and nothing evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.errors import InvalidInput
from rollcall.messages.placeholders import (
    KNOWN_PLACEHOLDERS,
    PersonFields,
    compile_template,
    find_unknown_placeholders,
)

SARAH = PersonFields("Sarah", "Miller", "a1b2")
NOBODY = PersonFields(None, None, None)
LINK = "https://rollcall.example/w/%%HASH%%"


def render(text: str, person: PersonFields = SARAH, link: str = LINK) -> str:
    return compile_template(text).render(person, link)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Congrats to %%FIRST_NAME%%!", "Congrats to Sarah!"),
        ("Dear %%LAST_NAME%%", "Dear Miller"),
        ("%%NAME%%", "Sarah Miller"),
        ("code %%HASH%%", "code a1b2"),
        ("go to %%LINK%%.", "go to https://rollcall.example/w/a1b2."),
        ("%%first_name%% %%Last_Name%% %%nAmE%%", "Sarah Miller Sarah Miller"),
        ("%%FIRST_NAME%%%%LAST_NAME%%", "SarahMiller"),
        ("no placeholders", "no placeholders"),
        ("", ""),
    ],
)
def test_placeholders_are_filled_in(text, expected):
    assert render(text) == expected


@pytest.mark.parametrize("name", KNOWN_PLACEHOLDERS)
def test_a_missing_value_becomes_the_empty_string(name):
    assert render(f"[%%{name}%%]", NOBODY, link="") == "[]"


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (PersonFields("Sarah", None, None), "[Sarah]"),
        (PersonFields(None, "Miller", None), "[Miller]"),
        (PersonFields("", "", ""), "[]"),
    ],
)
def test_a_name_has_no_space_to_spare(person, expected):
    assert render("[%%NAME%%]", person) == expected


def test_the_hash_in_the_link_is_found_in_any_case_and_quoted():
    person = PersonFields("Sarah", None, "a/b c&d")
    assert render("%%LINK%%", person, "https://x.example/?h=%%hash%%&again=%%HASH%%") == (
        "https://x.example/?h=a%2Fb%20c%26d&again=a%2Fb%20c%26d"
    )


def test_the_link_is_used_as_it_is_where_it_has_no_hash():
    assert render("%%LINK%%", link="https://x.example/50%%off") == "https://x.example/50%%off"


@pytest.mark.parametrize("name", ["%%LINK%%", "%%FIRST_NAME%%", "%%HASH%%", "{{ 7 * 7 }}", "\\1"])
def test_values_are_never_expanded(name):
    person = PersonFields(name, name, "h")
    assert render("%%FIRST_NAME%% %%NAME%%", person) == f"{name} {name} {name}"


@given(st.lists(st.sampled_from([*KNOWN_PLACEHOLDERS, "x", "%", " "])), st.text(), st.text())
def test_rendering_agrees_with_laying_the_pieces_side_by_side(words, first, last):
    person = PersonFields(first, last, "h4")
    values = {
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "NAME": f"{first} {last}".strip(),
        "HASH": "h4",
        "LINK": "https://rollcall.example/w/h4",
    }
    text = "|".join(f"%%{word}%%" if word in values else word for word in words)
    assert render(text, person) == "|".join(values.get(word, word) for word in words)


@pytest.mark.parametrize(
    "text",
    [
        "100%",
        "100%%",
        "%%",
        "%%%%",
        "100%% sure, 50%% off",
        "50%% of you, 20%%of them",
        "10%%20%%30",
        "%%{{ config }}%%",
        "%FIRST_NAME%",
        "%%FIRST_NAME%",
        "%%" + "a" * 41 + "%%",
    ],
)
def test_percent_signs_that_are_no_placeholder_are_text(text):
    assert find_unknown_placeholders(text) == []
    assert render(text) == text


def test_percent_signs_beside_a_placeholder_are_text():
    assert render("50%% of %%NAME%% %%%HASH%%%") == "50%% of Sarah Miller %a1b2%"


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [
        ("%%FRIST_NAME%%", "%%FIRST_NAME%%"),
        ("%%firstname%%", "%%FIRST_NAME%%"),
        ("%%FIRST NAME%%", "%%FIRST_NAME%%"),
        ("%%first-name%%", "%%FIRST_NAME%%"),
        ("%% NAME %%", "%%NAME%%"),
        ("%%Lnik%%", "%%LINK%%"),
        ("%%SURNAME%%", "%%LAST_NAME%%"),
        ("%%FOO BAR%%", None),
        ("%%CODE%%", None),
        ("%%Ä%%", None),
    ],
)
def test_an_unknown_placeholder_is_named_with_the_one_probably_meant(written, suggestion):
    assert find_unknown_placeholders(f"Hi {written}!") == [(written, suggestion)]


def test_each_unknown_placeholder_is_listed_once_in_order():
    found = find_unknown_placeholders("%%B_B%% %%NAME%% %%A_A%% %%B_B%%")
    assert [unknown.written for unknown in found] == ["%%B_B%%", "%%A_A%%"]


def test_a_text_with_an_unknown_placeholder_is_refused_under_its_field():
    with pytest.raises(InvalidInput) as refused:
        compile_template("Hi %%FRIST_NAME%%, %%CODE%%", field="subject")
    assert refused.value.fields == {
        "subject": "There is no placeholder %%FRIST_NAME%%. Did you mean %%FIRST_NAME%%? "
        "There is no placeholder %%CODE%%. Those that exist are "
        "%%FIRST_NAME%%, %%LAST_NAME%%, %%NAME%%, %%HASH%%, %%LINK%%."
    }


def test_a_template_says_which_placeholders_it_has():
    assert compile_template("%%name%% 5%% %%LINK%% %%NAME%%").placeholders == {"NAME", "LINK"}


def test_a_sample_reads_like_a_real_message():
    assert compile_template("Hi %%FIRST_NAME%%: %%LINK%%").sample() == (
        "Hi Sarah: https://example.org/7f3k9q2m"
    )
