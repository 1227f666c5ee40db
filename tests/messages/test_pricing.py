"""Prices (C4): exact, by country, and the country of a phone number."""

import json
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.messages.pricing import (
    DEFAULT_PRICES,
    country_of_phone,
    price_of_emails,
    price_of_parts,
    read_prices,
)


def test_398_parts_to_canada_cost_three_dollars_ninety_eight():
    assert price_of_parts("CA", 398) == Decimal("3.98")
    assert price_of_parts("US", 398) == Decimal("3.98")
    assert DEFAULT_PRICES.currency == "USD"


def test_a_country_is_found_in_any_case_and_others_pay_the_price_elsewhere():
    assert price_of_parts("gb", 2) == Decimal("0.09")
    assert price_of_parts("AQ", 3) == price_of_parts(None, 3) == Decimal("0.3")


def test_every_default_is_a_positive_price_for_a_real_country():
    assert len(DEFAULT_PRICES.sms_part) >= 36
    assert set(DEFAULT_PRICES.sms_part) <= phonenumbers.SUPPORTED_REGIONS
    assert all(0 < price < 1 for price in DEFAULT_PRICES.sms_part.values())


@given(st.sampled_from(sorted(DEFAULT_PRICES.sms_part)), st.integers(0, 10_000_000))
def test_prices_add_up_to_the_last_digit(country, parts):
    assert price_of_parts(country, parts) + price_of_parts(country, 1) == price_of_parts(
        country, parts + 1
    )


def test_emails_are_free_unless_a_price_is_set(tmp_path):
    assert price_of_emails(100_000) == 0
    own = tmp_path / "prices.json"
    amounts = {"currency": "CAD", "email": "0.001", "sms_part_elsewhere": "0.2", "sms_part": {}}
    own.write_text(json.dumps(amounts), encoding="utf-8")
    assert price_of_emails(1_500, read_prices(own)) == Decimal("1.5")
    assert price_of_parts("CA", 1, read_prices(own)) == Decimal("0.2")


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("+14165550123", "CA"),
        ("+12125550123", "US"),
        ("+18765550123", "JM"),
        ("+447400123456", "GB"),
        ("+447781123456", "GG"),
        ("+420601123456", "CZ"),
        ("+77712345678", "KZ"),
        ("+79123456789", "RU"),
        ("+15555", "US"),
        ("+881612345678", None),
        ("+999123456", None),
        ("4165550123", None),
        ("", None),
    ],
)
def test_the_country_of_a_phone(phone, country):
    assert country_of_phone(phone) == country
    assert country_of_phone(phone) == country


def test_a_number_that_was_never_given_out_does_not_speak_for_its_neighbours():
    assert country_of_phone("+1506234") == "US"
    assert country_of_phone("+15062345678") == "CA"


SHARED_CODES = [1, 7, 39, 44, 47, 61, 212, 262, 290, 358, 590, 599]


@given(st.sampled_from(SHARED_CODES), st.integers(10**5, 10**10 - 1))
def test_what_is_remembered_agrees_with_the_phone_library(code, national):
    phone = f"+{code}{national}"
    number = phonenumbers.parse(phone)
    # A national prefix is no part of E.164: such a number would have been refused on its way in.
    is_e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == phone
    expected = phonenumbers.region_code_for_number(number)
    if is_e164 and expected:
        assert country_of_phone(phone) == expected
