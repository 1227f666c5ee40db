"""Every country's phones, written in many ways: the very number or a reason, never another."""

from itertools import islice

import pytest

from benchmarks.phones import cases, columns_without_plus, find_examples, read
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import (
    TYPED_AT_HOME,
    find_phone_habit,
    normalise_phone,
    possible_phones,
    read_local_phone,
)

EVERY = 97  # of the 786,000 cases: a prime, so that no way of writing is passed over


def test_no_example_of_any_country_becomes_another_number() -> None:
    tried = right = 0
    for example, way, text, _, beside, organisation in islice(
        cases(find_examples()), 0, None, EVERY
    ):
        got = read(text, beside, organisation)
        assert got in (example.e164, None), (example.e164, way, text, beside, organisation, got)
        tried, right = tried + 1, right + (got == example.e164)
    assert tried > 8_000
    assert right > 0.99 * tried  # refusing everything would be no reading


def test_columns_without_any_plus_are_read_by_their_habit() -> None:
    for organisation, column, habit in islice(columns_without_plus(find_examples()), 0, None, 8):
        for example in column:
            got = read(example.abroad["no +"], "", organisation, habit)
            assert got in (example.e164, None), (organisation, example)


@pytest.mark.parametrize(
    ("written", "country", "expected"),
    [
        ("4915123456789", "DE", "+4915123456789"),
        ("4915123456789", "CA", "+4915123456789"),
        ("0049 151 23456789", "DE", "+4915123456789"),
        ("(+49) 0151 23456789", "DE", "+4915123456789"),
        ("(+49) 0151 23456789", "CA", "+4915123456789"),
        ("49 (0)151 23456789", "CA", "+4915123456789"),
        ("49 (0)151 23456789", "DE", "+4915123456789"),
        ("+49 (0) 151 23456789", "US", "+4915123456789"),
        ("+ 49 151 23456789", "US", "+4915123456789"),
        ("+0049 151 23456789", "US", "+4915123456789"),
        ("011 49 151 23456789", "CA", "+4915123456789"),
        ("011 49 151 23456789", "DE", "+4915123456789"),
        ("٠٠٤٩ ١٥١ ٢٣٤٥٦٧٨٩", "DE", "+4915123456789"),
        ("14165550123", "DE", "+14165550123"),
        ("1761234567", "DE", "+491761234567"),  # a mobile phone without its 0
        ("30 901820", "DE", "+4930901820"),  # in the groups of a German number
        ("3212345678", "BE", "+3212345678"),
        ("9812345678", "IN", "+919812345678"),
        ("32123456", "DK", "+4532123456"),
        ("0612345678", "NL", "+31612345678"),
        ("p:+14165550101", "CA", "+14165550101"),
        ("Mobile: 416-555-0101", "CA", "+14165550101"),
        ("Tel.: 030 901820", "DE", "+4930901820"),
        ("416-555-0101 ::: +1 416 555 0101", "CA", "+14165550101"),
    ],
)
def test_the_country_code_without_its_plus(written: str, country: str, expected: str) -> None:
    assert normalise_phone(written, country) == expected


@pytest.mark.parametrize(
    ("written", "country", "reasons"),
    [
        ("15123456789", "DE", ("+15123456789 (United States)", "+4915123456789 (Germany)")),
        ("436641234567", "DE", ("+436641234567 (Austria)", "+49436641234567 (Germany)")),
        ("2482510123", "US", ("+2482510123 (Seychelles)", "+12482510123 (United States)")),
        ("30901820", "DE", ("may have lost the 0 in front",)),
        ("+39 (0)3123456789", "CA", ("+3903123456789 or +393123456789",)),
        ("416-555-0102 ::: 416-555-0112", "CA", ("more than one phone number",)),
    ],
)
def test_what_can_be_two_numbers_is_refused_with_both(
    written: str, country: str, reasons: tuple[str, ...]
) -> None:
    with pytest.raises(UnreadableValue) as refused:
        normalise_phone(written, country)
    assert all(reason in refused.value.reason for reason in reasons), refused.value.reason


@pytest.mark.parametrize(
    ("written", "home", "default", "expected"),
    [
        ("15123456789", "DE", "CA", "+4915123456789"),  # not in Texas
        ("7400123456", "GB", "CA", "+447400123456"),
        ("9051234567", "PH", "CA", "+639051234567"),  # not in Ontario
        ("905 123 4567", "PH", "CA", "+639051234567"),
        ("4915123456789", "DE", "DE", "+4915123456789"),
        ("6581234567", "SG", "US", "+6581234567"),
        ("2482510123", "SC", "US", "+2482510123"),
        ("2482510123", "US", "US", "+12482510123"),
        ("416 555 0123", "DE", "CA", "+14165550123"),  # grouped as only Canadians do
    ],
)
def test_the_country_beside_a_phone_decides(
    written: str, home: str, default: str, expected: str
) -> None:
    assert read_local_phone(written, home, default) == expected


@pytest.mark.parametrize(
    ("written", "home", "default"),
    [("4165550123", "DE", "CA"), ("0740012345", "GB", "DE"), ("436641234567", "DE", "DE")],
)
def test_the_country_beside_a_phone_makes_no_landline_of_a_foreign_phone(
    written: str, home: str, default: str
) -> None:
    with pytest.raises(UnreadableValue):
        read_local_phone(written, home, default)


@pytest.mark.parametrize(
    ("neighbours", "country", "written", "expected"),
    [
        (["4165550123"], "CA", "6475550188", "+16475550188"),  # a landline in New Zealand, else
        (["14165550123"], "CA", "6475550188", "+16475550188"),
        (["2125550123"], "US", "2482510123", "+12482510123"),
        (["4915123456789"], "DE", "436641234567", "+436641234567"),
        (["31612345678", "14165550123"], "CA", "6475550188", "+6475550188"),
        (["1761234567", "1711234567", "1721234567"], "DE", "15123456789", "+4915123456789"),
        (["4165550123", "31612345678"], "CA", "6475550188", None),  # both kinds: nobody knows
        (["4165550123"] * 20 + ["31612345678"], "CA", "6475550188", "+16475550188"),
        (["4165550123"] * 20 + ["31612345678"], "CA", "3212345678", None),
        (["4165550123"], "CA", "3212345678", None),  # Florida is not near enough
        (["1761234567"], "DE", "15123456789", None),
        ([], "CA", "6475550188", None),
    ],
)
def test_neighbours_in_a_column_decide(
    neighbours: list[str], country: str, written: str, expected: str | None
) -> None:
    habit = find_phone_habit(neighbours, country)
    try:
        assert normalise_phone(written, country, habit) == expected
    except UnreadableValue:
        assert expected is None


def test_what_staff_type_is_of_their_country_and_a_search_looks_for_every_reading() -> None:
    assert normalise_phone("6475550188", "CA", TYPED_AT_HOME) == "+16475550188"
    assert set(possible_phones("6475550188", "CA")) == {"+16475550188", "+6475550188"}
    assert possible_phones("+1 647 555 0188", "DE") == ["+16475550188"]
    assert possible_phones("Ann", "CA") == []
