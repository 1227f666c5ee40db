"""Phones become E.164, or a reason that a person understands."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import (
    TYPED_AT_HOME,
    looks_like_phone,
    normalise_phone,
    read_local_phone,
)


@pytest.mark.parametrize(
    ("written", "country", "expected"),
    [
        ("416-555-0123", "CA", "+14165550123"),
        ("(416) 555.0123", "ca", "+14165550123"),
        ("1 416 555 0123", "CA", "+14165550123"),
        ("+1 416 555 0123", "DE", "+14165550123"),
        ("tel:+1-416-555-0123", "CA", "+14165550123"),
        ("WhatsApp: +44 7400 123456", "CA", "+447400123456"),
        ("416-555-0123 x12", "CA", "+14165550123"),
        ("416-555-0123 ext. 12", "CA", "+14165550123"),
        ("4165550123;ext=7", "CA", "+14165550123"),
        ("\ufeff416\u2011555\u20130123\u200b", "CA", "+14165550123"),
        ("+１ ４１６ ５５５ ０１２３", "CA", "+14165550123"),
        ("٤١٦٥٥٥٠١٢٣", "CA", "+14165550123"),
        ("\u202a+1 416\u00a0555 0123\u202c", "CA", "+14165550123"),
        ("'+14165550123", "CA", "+14165550123"),
        ('="4165550123"', "CA", "+14165550123"),
        ("14165550123.0", "CA", "+14165550123"),
        ("0049 151 23456789", "US", "+4915123456789"),
        ("0151 23456789", "DE", "+4915123456789"),
        ("+44 (0)20 7946 0018", "CA", "+442079460018"),
    ],
)
def test_phone_becomes_e164(written: str, country: str, expected: str) -> None:
    assert normalise_phone(written, country) == expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("4.16555E+09", "Excel turned this phone into the number 4.16555E+09"),
        ("4,16555E+09", "format the column as text and export again"),
        ("1.4165550123e10", "Excel turned this phone"),
        ("+15551234567", "not a phone number that exists"),
        ("555-0123", "not a phone number in CA"),
        ("12345", "too short"),
        ("", "too short"),
        ("call me", "has letters in it"),
        ("1-800-FLOWERS", "has letters in it"),
        ("416-555-0123 / 647-555-0188", "more than one phone number"),
        ("416-555-0123 or 647-555-0188", "more than one phone number"),
        ("9" * 400, "not a phone number"),
    ],
)
def test_bad_phone_is_refused_with_its_reason(written: str, reason: str) -> None:
    with pytest.raises(UnreadableValue) as refused:
        normalise_phone(written, "CA")
    assert reason in refused.value.reason
    assert len(refused.value.reason) < 200


@given(st.from_regex(r"\+?1?[ .-]?\(?[2-9]\d{2}\)?[ .-]?\d{3}[ .-]?\d{4}", fullmatch=True))
def test_the_short_way_for_north_america_agrees_with_the_library(text: str) -> None:
    for country in ("CA", "US", "BS"):
        try:
            number = phonenumbers.parse(text, country)
            expected = phonenumbers.is_valid_number(number) and phonenumbers.format_number(
                number, 0
            )
        except phonenumbers.NumberParseException:
            expected = False
        try:
            phone = normalise_phone(text, country, TYPED_AT_HOME)
        except UnreadableValue:
            phone = ""
        if expected:
            assert phone == expected
        else:  # in North America there is none such
            assert not phone.startswith("+1")


@pytest.mark.parametrize(
    ("written", "home", "default", "expected"),
    [
        ("07400 123456", "GB", "CA", "+447400123456"),
        ("0151 23456789", "DE", "CA", "+4915123456789"),
        ("30 901820", "DE", "CA", "+4930901820"),
        ("416 555 0123", "DE", "CA", "+14165550123"),  # no German begins without the 0
        ("(416) 555-0123", "US", "DE", "+14165550123"),
        ("612 345 678", "ES", "CA", "+34612345678"),
        ("+1 416 555 0123", "FR", "DE", "+14165550123"),
    ],
)
def test_a_phone_of_somebody_who_lives_elsewhere(
    written: str, home: str, default: str, expected: str
) -> None:
    assert read_local_phone(written, home, default) == expected


def test_a_phone_of_nowhere_is_refused_for_the_default_country() -> None:
    with pytest.raises(UnreadableValue, match="not a phone number in CA"):
        read_local_phone("555-0123", "FR", "CA")


@given(st.text(max_size=40), st.sampled_from(["CA", "DE", "US", "FR", "GB"]))
def test_any_text_is_a_valid_phone_or_refused(text: str, country: str) -> None:
    try:
        phone = normalise_phone(text, country)
    except UnreadableValue:
        return
    assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
    assert normalise_phone(phone, "JP") == phone


@given(st.sampled_from(["CA", "DE", "FR", "GB", "BR", "IN"]), st.integers(0, 5))
def test_every_way_of_writing_a_number_gives_the_same_phone(country: str, style: int) -> None:
    number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    ways = [phonenumbers.format_number(number, f) for f in (0, 1, 2)]
    ways += [w.replace(" ", "\u00a0") for w in ways]
    assert normalise_phone(ways[style], country) == ways[0]


@pytest.mark.parametrize("text", ["416-555-0123", "4.16555E+09", "+49 30 901820"])
def test_what_is_a_phone_is_no_heading(text: str) -> None:
    assert looks_like_phone(text)


@pytest.mark.parametrize("text", ["Phone", "Order #", "2026", "Question 12345678", ""])
def test_what_is_a_heading_is_no_phone(text: str) -> None:
    assert not looks_like_phone(text)
