"""Twilio's signature: its own documented example, and its own library over anything at all."""

import hashlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from rollcall.providers.twilio.provider import DECLARATION, TwilioSettings
from rollcall.providers.twilio.signature import is_signed, sign_request
from rollcall.providers.webhooks import NotGenuine, Unreadable
from tests.providers.brought import PUBLIC, bring

TOKEN = "12345"
URL = "https://rollcall.example/webhooks/twilio/inbound?a=1&b=2"
FORM = [("From", "+420601000001"), ("Body", "STOP ✋"), ("MessageSid", "SM1"), ("To", "+15005")]

# Surrogates alone can't come over HTTP: werkzeug and Rollcall decode with replacement.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text("ABab", min_size=1, max_size=2)  # few names, so that they repeat
fields = st.lists(st.tuples(names | texts.filter(bool), texts), max_size=12)
urls = st.builds(
    "{}://{}{}/{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.org", "a.b-c.example", "10.0.0.1"]),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    st.sampled_from(["", "x", "x/%C3%A9/+", "webhooks/twilio/receipt/1-2-00"]),
    st.sampled_from(["", "?a=1&b=%20", "?=", "?a"]),
)


def test_the_example_of_twilios_documents():
    documented = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign_request(TOKEN, url, documented.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_signed(TOKEN, url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", list(documented.items()))


@given(token=texts.filter(bool), url=urls, form=fields)
def test_what_twilios_library_signs_is_genuine(token: str, url: str, form: list[tuple[str, str]]):
    library = RequestValidator(token)
    signature = library.compute_signature(url, MultiDict(form))
    assert sign_request(token, url, form) == signature
    assert is_signed(token, url, signature, form)
    assert library.validate(url, MultiDict(form), sign_request(token, url, form))
    reordered = [*reversed(form), *form]
    assert is_signed(token, url, signature, reordered)


@given(url=urls, form=fields, other=fields, elsewhere=urls)
def test_both_refuse_the_same(
    url: str, form: list[tuple[str, str]], other: list[tuple[str, str]], elsewhere: str
):
    signature = sign_request(TOKEN, url, form)
    wanted = RequestValidator(TOKEN).validate(elsewhere, MultiDict(other), signature)
    assert is_signed(TOKEN, elsewhere, signature, other) == wanted


@pytest.mark.parametrize(
    ("told", "came"),
    [
        ("https://example.org/a", "https://example.org:443/a"),
        ("https://example.org:443/a?b=1", "https://example.org/a?b=1"),
        ("http://example.org/a", "http://example.org:80/a"),
        ("http://example.org:8080/a", "http://example.org:8080/a"),
        ("https://example.org/a", "https://example.org:8443/a"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]:443/a"),
    ],
)
def test_the_port_may_be_written_or_not(told: str, came: str):
    assert is_signed(TOKEN, came, sign_request(TOKEN, told, FORM), FORM)


@given(body=st.binary(min_size=1, max_size=50))
def test_a_body_that_is_no_form_is_vouched_for_by_its_hash(body: bytes):
    url = f"https://example.org/a?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = sign_request(TOKEN, url)
    assert is_signed(TOKEN, url, signature, body=body)
    assert not is_signed(TOKEN, url, signature, body=body + b"x")
    assert not is_signed(
        TOKEN, "https://example.org/a", sign_request(TOKEN, "https://example.org/a"), body=body
    )
    assert not is_signed("other", url, signature, body=body)


def test_both_agree_on_the_hash_of_a_body():
    body = '{"MessageStatus": "delivered", "To": "✋"}'
    url = f"{URL}&bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    assert RequestValidator(TOKEN).validate(url, body, signature)
    assert is_signed(TOKEN, url, signature, body=body.encode())


def test_a_genuine_request_is_known_from_any_other():
    good = sign_request(TOKEN, URL, FORM)
    changed = [("Body", "START") if name == "Body" else (name, value) for name, value in FORM]
    assert is_signed(TOKEN, URL, good, FORM)
    assert not is_signed(TOKEN, URL, good, changed)
    assert not is_signed(TOKEN, URL, good, [*FORM, ("Extra", "")])
    assert not is_signed(TOKEN, URL, good, [*FORM, ("Body", "START")])
    assert not is_signed(TOKEN, URL.replace("a=1", "a=2"), good, FORM)
    assert not is_signed(TOKEN, URL.replace("inbound", "receipt/x"), good, FORM)
    assert not is_signed(TOKEN, URL.replace("example", "example:port"), good, FORM)
    assert not is_signed("other", URL, good, FORM)
    for forged in ("", "x", good[:-1], good + "=", "é" * len(good)):
        assert not is_signed(TOKEN, URL, forged, FORM)
    # Without a token anybody could sign.
    assert not is_signed("", URL, sign_request("", URL, FORM), FORM)


SETTINGS = TwilioSettings("https://api.twilio.com", "AC1", TOKEN, "+15005")


def test_a_route_takes_nothing_unsigned_however_it_is_written():
    url = f"{PUBLIC}/webhooks/twilio/inbound"
    form = dict(FORM)
    signed = {"X-Twilio-Signature": sign_request(TOKEN, url, FORM)}
    [inbound] = bring(DECLARATION, "inbound", SETTINGS, form=form, headers=signed).inbound
    assert (inbound.text, inbound.address) == ("STOP ✋", "+420601000001")
    with pytest.raises(NotGenuine):
        bring(DECLARATION, "inbound", SETTINGS, form=form)
    with pytest.raises(NotGenuine):
        bring(DECLARATION, "inbound", TwilioSettings("", "", "", ""), form=form, headers=signed)
    # The same octets, called JSON, are no fields that a signature of none would vouch for.
    bare = {"X-Twilio-Signature": sign_request(TOKEN, url), "Content-Type": "application/json"}
    with pytest.raises(NotGenuine):
        bring(DECLARATION, "inbound", SETTINGS, body=urlencode(form).encode(), headers=bare)
    picture = {**bare, "Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(Unreadable):
        bring(DECLARATION, "inbound", SETTINGS, body=b"--x--", headers=picture)
    hashed = hashlib.sha256(b"{}").hexdigest()
    vouched = {
        "X-Twilio-Signature": sign_request(TOKEN, f"{url}?bodySHA256={hashed}"),
        "Content-Type": "application/json",
    }
    with pytest.raises(Unreadable, match="MessageSid and From"):
        bring(
            DECLARATION,
            "inbound",
            SETTINGS,
            query=f"bodySHA256={hashed}",
            body=b"{}",
            headers=vouched,
        )
