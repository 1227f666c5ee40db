"""E-mail addresses are compared in one form, and refused by form alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sarah@example.com", "sarah@example.com"),
        ("  Sarah.Lee@Example.COM\u200b ", "sarah.lee@example.com"),
        ("Sarah Lee <sarah@example.com>", "sarah@example.com"),
        ("mailto:sarah+news@example.co.uk", "sarah+news@example.co.uk"),
        ("jürgen".replace("ü", "u") + "@münchen.de", "jurgen@xn--mnchen-3ya.de"),
        ("o'brien@example.ie", "o'brien@example.ie"),
    ],
)
def test_address_is_brought_to_one_form(written: str, expected: str) -> None:
    assert normalise_email(written) == expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("sarah", "it has no @"),
        ("@example.com", "nothing before the @"),
        ("sarah@", "it ends at the @"),
        ("sarah@localhost", "after the @"),
        ("sarah@example,com", "after the @"),
        ("sarah@example..com", "after the @"),
        ("sarah@-example.com", "after the @"),
        ("sarah@example.c0m", "after the @"),
        ("sarah lee@example.com", "before the @"),
        ("sarah.@example.com", "before the @"),
        ("sa@rah@example.com", "more than one @"),
        ("a@example.com; b@example.com", "more than one e-mail address"),
        ("x" * 65 + "@example.com", "before the @"),
        ("x@" + "a." * 130 + "com", "after the @"),
    ],
)
def test_bad_address_is_refused_with_its_reason(written: str, reason: str) -> None:
    with pytest.raises(UnreadableValue) as refused:
        normalise_email(written)
    assert reason in refused.value.reason


@given(st.one_of(st.text(max_size=60), st.emails()))
def test_any_text_is_a_stable_address_or_is_refused(text: str) -> None:
    try:
        address = normalise_email(text)
    except UnreadableValue:
        return
    assert address == address.lower()
    assert address.isascii()
    assert normalise_email(address) == address
