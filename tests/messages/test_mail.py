"""E-mails read back with Python's own parser: whatever is put in comes out, and nothing more."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.messages.mail import lay_out_mail, web_address, wire_address, write_html

AT = datetime(2026, 3, 1, 18, 30, 5, 123456, tzinfo=UTC)
UNSUBSCRIBE = "https://rollcall.example/u/7f3k9q2m"
HEADERS = [
    "From",
    "MIME-Version",
    "Content-Type",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
# A header is one line of text, so control characters (and line ends) can't stay what they are.
HEADER_TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200
).filter(lambda text: text == text.strip())

# Python's parser, not the wire, makes one space of several in a name.
NAMES = HEADER_TEXTS.map(lambda text: " ".join(text.split())).filter(bool)


def write_mail(**changes: str) -> bytes:
    sender = {
        "sender": "News <news@example.org>",
        "sender_name": "Art Battle Canada",
        "postal_address": "12 Main St\nToronto",
    }
    mail = {
        "address": "sarah@example.com",
        "subject": "Friday",
        "text": "Hi Sarah",
        "reference": "12-345-abc",
        "unsubscribe_url": UNSUBSCRIBE,
    }
    layout = lay_out_mail(*(changes.get(name, value) for name, value in sender.items()))
    return layout.fill_in(**{name: changes.get(name, value) for name, value in mail.items()}, at=AT)


def read_mail(mail: bytes) -> EmailMessage:
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def read_sender(mail: bytes) -> tuple[str, str]:
    # The parser of today puts a space between the encoded words of a long name; the one of old
    # joins them, as RFC 2047 asks (section 6.2).
    name, address = parseaddr(message_from_bytes(mail)["From"])
    return str(make_header(decode_header(name))), address


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def assert_fit_for_the_wire(mail: bytes) -> None:
    assert mail.isascii()
    assert mail.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", mail)
    assert max(len(line) for line in mail.split(b"\r\n")) <= 998


def test_headers_are_those_that_mailbox_providers_ask_for():
    message = read_mail(write_mail())
    assert message.keys() == HEADERS
    assert message["From"] == "Art Battle Canada <news@example.org>"
    assert message["To"] == "sarah@example.com"
    assert message["Date"].datetime == AT.replace(microsecond=0)
    assert message["Message-ID"] == "<12-345-abc@example.org>"
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_without_a_link_nothing_speaks_of_unsubscribing():
    mail = write_mail(unsubscribe_url="")
    assert read_mail(mail).keys() == HEADERS[:-2]
    assert b"nsubscribe" not in mail


@pytest.mark.parametrize(
    ("sender", "sender_name", "shown"),
    [
        ("a@b.example", "", "a@b.example"),
        ("Name <a@b.example>", "", "Name <a@b.example>"),
        ("Name <a@b.example>", "Club", "Club <a@b.example>"),
        ('"Last, First" <a@b.example>', "", '"Last, First" <a@b.example>'),
        ("a@bücher.example", "Büro", "Büro <a@xn--bcher-kva.example>"),
    ],
)
def test_the_organisation_s_name_takes_the_place_of_the_sender_s(sender, sender_name, shown):
    message = read_mail(write_mail(sender=sender, sender_name=sender_name))
    assert str(message["From"]) == shown


@pytest.mark.parametrize("sender", ["", "nobody", "a@", "@b.example", "a b@c.example"])
def test_a_sender_without_an_address_is_refused(sender):
    with pytest.raises(ValueError, match=r".*"):
        lay_out_mail(sender, "", "")


def test_both_forms_end_with_who_sent_it_where_they_live_and_how_to_end_it():
    message = read_mail(write_mail(text="Hi"))
    assert body(message, "plain") == (
        "Hi\n\n-- \nArt Battle Canada\n12 Main St\nToronto\n"
        f"Unsubscribe from these e-mails: {UNSUBSCRIBE}\n"
    )
    page = body(message, "html")
    for line in ("Art Battle Canada", "12 Main St", "Toronto", f'href="{UNSUBSCRIBE}"'):
        assert page.index(line) > page.index(">Hi</p>")


@given(text=TEXTS, subject=HEADER_TEXTS, name=NAMES)
def test_any_text_comes_out_as_it_went_in(text, subject, name):
    mail = write_mail(text=text, subject=subject, sender_name=name, postal_address="")
    assert_fit_for_the_wire(mail)
    message = read_mail(mail)
    assert message.keys() == HEADERS
    assert str(message["Subject"]) == subject
    assert read_sender(mail) == (name, "news@example.org")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert body(message, "plain").startswith(f"{plain}\n\n-- \n")


@pytest.mark.parametrize("evil", ["\r\nBcc: all@example.com", "\nX: y", "\rX: y", "\x00", "\x85"])
@pytest.mark.parametrize("field", ["subject", "sender_name", "reference", "unsubscribe_url"])
def test_no_value_adds_a_header(field, evil):
    mail = write_mail(**{field: f"a{evil}"})
    assert_fit_for_the_wire(mail)
    assert message_from_bytes(mail, policy=policy.default).keys() == HEADERS


def test_control_characters_in_a_subject_become_spaces():
    subject = str(read_mail(write_mail(subject="a\r\nBcc: b\x00ü"))["Subject"])
    assert subject == "a  Bcc: b ü"


@given(length=st.integers(1, 300), word=st.integers(1, 100))
def test_a_long_plain_subject_is_folded_and_stays_the_same(length, word):
    subject = " ".join(["x" * word] * (length // word + 1))
    mail = write_mail(subject=subject)
    assert str(read_mail(mail)["Subject"]) == subject
    head = mail.partition(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.split(b"\r\n")) <= 78


@given(subject=HEADER_TEXTS)
def test_encoded_words_are_no_longer_than_the_standard_allows(subject):
    head = write_mail(subject=subject).partition(b"\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S+\?=", head))
    assert max(len(line) for line in head.split(b"\r\n")) <= 78


def test_html_is_escaped_and_keeps_paragraphs_and_lines():
    page = write_html('Hi <b>Sarah</b> & "co",\nsee you\n\n\nYours')
    assert page.count("<p ") == 2
    assert "Hi &lt;b&gt;Sarah&lt;/b&gt; &amp; &quot;co&quot;,<br>\nsee you</p>" in page
    assert ">Yours</p>" in page


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("see https://a.example/x.", "https://a.example/x", "."),
        ("(http://a.example/?a=1&b=2)", "http://a.example/?a=1&amp;b=2", ")"),
        ("https://a.example/#top!", "https://a.example/#top", "!"),
        ('"https://a.example"', "https://a.example", "&quot;"),
    ],
)
def test_web_addresses_become_links(text, address, rest):
    assert re.search(
        rf'href="{re.escape(address)}"[^>]*>{re.escape(address)}</a>{re.escape(rest)}<',
        write_html(text),
    )


@pytest.mark.parametrize("text", ["javascript:alert(1)", "https://", "file:///etc/passwd"])
def test_nothing_else_becomes_a_link(text):
    assert "href" not in write_html(text)


def test_addresses_are_written_for_the_wire_or_refused():
    assert wire_address("o'brien+x@Bücher.example") == "o'brien+x@xn--bcher-kva.example"
    assert wire_address("jürgen@example.org") == "jürgen@example.org"
    for bad in (
        "",
        "a",
        "a@",
        "@b",
        "a b@c.d",
        "a@b>\r\nRCPT TO:<c",
        "a@b c",
        "a\n@b",
        "a@b@c",
        "x" * 251 + "@b.c",
    ):
        with pytest.raises(ValueError, match=r".*"):
            wire_address(bad)


def test_a_link_is_escaped_where_it_could_end_a_header():
    assert web_address("https://a.example/ä b>\n?x=%20&y=1") == (
        "https://a.example/%C3%A4%20b%3E%0A?x=%20&y=1"
    )
