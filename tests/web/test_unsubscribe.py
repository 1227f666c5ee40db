"""The unsubscribe page: looking changes nothing, one POST stops, and there is a way back in."""

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.extensions import db
from rollcall.models import (
    AuditEntry,
    Channel,
    ConsentChange,
    Person,
    PersonFacts,
    RecipientState,
    Suppression,
)
from rollcall.sending.references import unsubscribe_url, write_reference
from tests.factories import make_organisation, make_person
from tests.sending.wired import Wired, put_on_wire
from tests.web.browser import Browser

SENT = RecipientState.SENT
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def person(app: APIFlask) -> Person:
    organisation = make_organisation(name="Art Battle & <Co>")
    return make_person(organisation, email="sarah@example.org", phone="+14165550123")


@pytest.fixture
def mail(person: Person) -> Wired:
    """An e-mail that the person got."""
    return put_on_wire(person, "smtp", channel=Channel.EMAIL, state=SENT, outcome=SENT)


def opted_out(person: Person) -> tuple[bool, bool]:
    db.session.rollback()
    facts = db.session.get_one(PersonFacts, person.id)
    return facts.opted_out_sms, facts.opted_out_email


def post(app: APIFlask, reference: str, form: dict[str, str]):
    """Post without a cookie, a token or a page before, as a mail program does."""
    return Browser(app).open("POST", f"/u/{reference}", data=form)


def test_looking_changes_nothing(app: APIFlask, mail: Wired, person: Person):
    for method in ("GET", "HEAD", "GET"):
        answer = Browser(app).open(method, f"/u/{mail.reference}")
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert opted_out(person) == (False, False)
    page = Browser(app).get(f"/u/{mail.reference}").text
    assert "Stop e-mails from Art Battle &amp; &lt;Co&gt;?" in page
    assert "Stop texts from Art Battle" in page
    assert page.index("Stop e-mails") < page.index("Stop texts")
    # Whoever else sees the link learns no address from it.
    assert "sarah@" not in page
    assert "+14165550123" not in page
    assert "/login" not in page


def test_one_click_stops_the_channel_of_the_message(app: APIFlask, mail: Wired, person: Person):
    answer = post(app, mail.reference, ONE_CLICK)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert "Set-Cookie" not in answer.headers
    assert opted_out(person) == (False, True)
    change = db.session.scalars(sa.select(ConsentChange)).one()
    assert change.source == f"unsubscribe link, campaign {mail.campaign_id}"
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.origin) == ("person.opt_out", "recipient")
    assert post(app, mail.reference, ONE_CLICK).status_code == 200
    assert len(db.session.scalars(sa.select(ConsentChange)).all()) == 1


def test_one_click_in_a_text_stops_texts(app: APIFlask, person: Person):
    text = put_on_wire(person, state=SENT, outcome=SENT)
    assert post(app, text.reference, ONE_CLICK).status_code == 200
    assert opted_out(person) == (True, False)


def test_one_click_as_multipart(app: APIFlask, mail: Wired, person: Person):
    """RFC 8058 allows both kinds of form."""
    answer = Browser(app).open(
        "POST", f"/u/{mail.reference}", data=ONE_CLICK, content_type="multipart/form-data"
    )
    assert answer.status_code == 200
    assert opted_out(person) == (False, True)


def test_the_pages_own_buttons_and_the_way_back(app: APIFlask, mail: Wired, person: Person):
    page = post(app, mail.reference, {"channel": "sms", "action": "stop"})
    assert page.status_code == 200
    assert "sends you no more texts" in page.text
    assert "You get no texts" in page.text
    assert "Stop e-mails" in page.text
    assert opted_out(person) == (True, False)
    page = post(app, mail.reference, {"channel": "sms", "action": "start"})
    assert "may send you texts again" in page.text
    assert opted_out(person) == (False, False)


def test_the_link_holds_for_the_address_that_the_message_went_to(
    app: APIFlask, mail: Wired, person: Person
):
    """The person has another address since; the old one is what is unsubscribed."""
    with db.session.begin_nested():
        db.session.get_one(Person, person.id).email = "new@example.org"
    db.session.commit()
    assert post(app, mail.reference, ONE_CLICK).status_code == 200
    assert opted_out(person) == (False, False)
    assert len(db.session.scalars(sa.select(Suppression)).all()) == 1


def test_an_unknown_link_is_told_in_plain_words(app: APIFlask, mail: Wired, person: Person):
    unknown = [
        write_reference(mail.campaign_id, mail.person_id, mail.token ^ 1),
        write_reference(mail.campaign_id, mail.person_id + 1, mail.token),
        "nonsense",
        "%00",
        "1-1-ffffffffffffffff",
    ]
    for reference in unknown:
        shown = Browser(app).get(f"/u/{reference}")
        assert shown.status_code == 404
        assert "This link belongs to no message" in shown.text
        assert post(app, reference, ONE_CLICK).status_code == 404
        assert post(app, reference, {}).status_code == 404
    assert opted_out(person) == (False, False)


def test_what_the_form_lacks_is_told(app: APIFlask, mail: Wired, person: Person):
    for form in ({}, {"channel": "sms"}, {"channel": "fax", "action": "stop"}, {"action": "stop"}):
        assert post(app, mail.reference, form).status_code == 400
    assert post(app, mail.reference, {"x": "y" * 1_000_000}).status_code == 413
    alone = make_person(make_organisation(), phone=None)
    mailed = put_on_wire(alone, "smtp", channel=Channel.EMAIL, state=SENT, outcome=SENT)
    assert post(app, mailed.reference, {"channel": "sms", "action": "stop"}).status_code == 400
    assert opted_out(person) == (False, False)


def test_the_link_of_a_test_message(app: APIFlask):
    reference = write_reference(0, 0, 17)
    page = Browser(app).get(f"/u/{reference}")
    assert page.status_code == 200
    assert "This was a test" in page.text
    assert post(app, reference, ONE_CLICK).status_code == 200
    assert not db.session.scalars(sa.select(Suppression)).all()


def test_the_address_of_the_page(app: APIFlask, mail: Wired):
    settings = app.extensions["rollcall"]
    assert unsubscribe_url(settings, mail.reference) == (
        f"http://127.0.0.1:5000/u/{mail.reference}"
    )
