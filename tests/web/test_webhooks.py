"""Webhooks: only our own gateways get in, nothing they send breaks us, and a stop holds at once."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote_from_bytes, urlencode
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from rollcall import extensions
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.extensions import db
from rollcall.models import (
    Campaign,
    Channel,
    InboundMessage,
    Organisation,
    Person,
    PersonFacts,
    RecipientState,
    Suppression,
)
from rollcall.providers.base import Outcome, OutgoingMessage
from rollcall.providers.kannel.provider import DECLARATION as KANNEL
from rollcall.providers.simulator import Simulator
from rollcall.providers.twilio.provider import TwilioSettings
from rollcall.sending import runner
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.installation import find_installation
from tests.factories import make_actor, make_organisation, make_people, make_person
from tests.sending.wired import Wired, put_on_wire
from tests.waiting import HANGS, wait_for
from tests.web.browser import Browser

PHONE = "+14165550123"
TOKEN = "twilio's own token"
TWILIO = TwilioSettings("https://api.twilio.com", "AC1", TOKEN, "+15005550006")
PUBLIC = "https://rollcall.example.org"
SENT, DELIVERED = RecipientState.SENT, RecipientState.DELIVERED


class Gateway:
    """What a gateway sends us, as itself or as somebody else."""

    def __init__(self, app: APIFlask) -> None:
        app.extensions["rollcall"] = replace(
            app.extensions["rollcall"],
            public_url=PUBLIC,
            providers=app.extensions["rollcall"].providers.changed(TWILIO),
        )
        self.browser = Browser(app)
        self.secret = find_installation().webhook_secret

    def kannel_receipt(self, reference: str, method: str = "GET", **values: Any) -> TestResponse:
        path = f"/webhooks/kannel/{self.secret}/receipt/{reference}"
        return self.browser.open(method, f"{path}?{urlencode(values)}")

    def kannel_text(self, text: str, message_id: str = "k1", **values: str) -> TestResponse:
        given = {"from": PHONE, "to": "12345", "id": message_id, "text": text, **values}
        return self.browser.get(f"/webhooks/kannel/{self.secret}/inbound?{urlencode(given)}")

    def twilio(
        self, path: str, form: dict[str, str], *, url: str | None = None, token: str = TOKEN
    ) -> TestResponse:
        """Post a form signed for `url`, which is the one it is posted to unless given."""
        signature = RequestValidator(token).compute_signature(url or PUBLIC + path, form)
        headers = {"X-Twilio-Signature": signature}
        return self.browser.open("POST", path, data=form, headers=headers)

    def twilio_receipt(self, reference: str, status: str, **options: Any) -> TestResponse:
        form = {"MessageSid": "SM1", "MessageStatus": status, "To": PHONE}
        return self.twilio(f"/webhooks/twilio/receipt/{reference}", form, **options)

    def twilio_text(self, text: str, sid: str = "SM9", **fields: str) -> TestResponse:
        form = {"MessageSid": sid, "From": PHONE, "To": "+15005550006", "Body": text, **fields}
        return self.twilio("/webhooks/twilio/inbound", form)


@pytest.fixture
def gateway(app: APIFlask) -> Gateway:
    return Gateway(app)


@pytest.fixture
def person(gateway: Gateway) -> Person:
    return make_person(make_organisation(name="Tom & Sarah <Events>"), phone=PHONE)


@pytest.fixture
def kannels(person: Person) -> Wired:
    return put_on_wire(person, "kannel", state=SENT, outcome=SENT)


@pytest.fixture
def twilios(person: Person) -> Wired:
    return put_on_wire(person, "twilio", state=SENT, outcome=SENT)


def opted_out(person: Person) -> bool:
    db.session.rollback()
    return db.session.get_one(PersonFacts, person.id).opted_out_sms


def count(model: Any) -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_kannels_receipts(gateway: Gateway, kannels: Wired):
    assert gateway.kannel_receipt(kannels.reference, status=4).status_code == 200
    assert kannels.state == SENT
    for status in (1, 8, 2, 1):
        answer = gateway.kannel_receipt(kannels.reference, status=status, reply="")
        assert (answer.status_code, answer.data) == (200, b"")
        assert kannels.state == DELIVERED


def test_kannels_receipt_by_post(gateway: Gateway, kannels: Wired):
    answer = gateway.kannel_receipt(
        kannels.reference, "POST", status=2, reply="stat:UNDELIV err:001"
    )
    assert answer.status_code == 200
    assert kannels.state == RecipientState.FAILED
    assert kannels.attempt.error_code == "UNDELIV 001"


def test_twilios_receipts(gateway: Gateway, twilios: Wired):
    for status in ("delivered", "sent", "queued"):
        assert gateway.twilio_receipt(twilios.reference, status).status_code == 200
    assert twilios.state == DELIVERED


def test_a_carriers_stop_list_opts_out(gateway: Gateway, twilios: Wired, person: Person):
    form = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610"}
    assert gateway.twilio(f"/webhooks/twilio/receipt/{twilios.reference}", form).status_code == 200
    assert twilios.state == RecipientState.FAILED
    assert opted_out(person)


def test_a_forged_altered_or_foreign_receipt_is_refused(
    gateway: Gateway, kannels: Wired, twilios: Wired
):
    ours, theirs = twilios.reference, kannels.reference
    elsewhere = f"https://elsewhere.example.org/webhooks/twilio/receipt/{ours}"
    genuine = gateway.secret
    answers = [
        gateway.twilio_receipt(ours, "delivered", token="guessed"),
        gateway.twilio_receipt(ours, "delivered", url=elsewhere),
        # A signature that is good for another message.
        gateway.twilio_receipt(ours, "delivered", url=f"{PUBLIC}/webhooks/twilio/receipt/{theirs}"),
        gateway.twilio_receipt(ours + "?x=1", "delivered", url=f"{PUBLIC}/webhooks/{ours}"),
        gateway.browser.open(
            "POST", f"/webhooks/twilio/receipt/{ours}", data={"MessageStatus": "delivered"}
        ),
        # Signed, and yet not about a message that went out over this provider.
        gateway.twilio_receipt(theirs, "delivered"),
        gateway.twilio_receipt("1-1-0000000000000001", "delivered"),
        gateway.twilio_receipt("nonsense", "delivered"),
        gateway.kannel_receipt(ours, status=1),
        gateway.kannel_receipt("1-1-0000000000000001", status=1),
        gateway.kannel_receipt(theirs[:-1] + "%00", status=1),
    ]
    for secret in ("guessed", genuine[:-1], genuine + "x", "é", genuine.swapcase()):
        gateway.secret = secret
        answers.append(gateway.kannel_receipt(theirs, status=1))
        answers.append(gateway.kannel_text("STOP"))
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert all(answer.mimetype == "application/problem+json" for answer in answers)
    assert (kannels.state, twilios.state) == (SENT, SENT)
    assert kannels.attempt.receipt_at is None
    assert twilios.attempt.receipt_at is None
    assert count(InboundMessage) == count(Suppression) == 0


def test_a_changed_field_breaks_the_signature(gateway: Gateway, twilios: Wired, person: Person):
    path = "/webhooks/twilio/inbound"
    form = {"MessageSid": "SM9", "From": PHONE, "To": "1", "Body": "hello"}
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + path, form)
    headers = {"X-Twilio-Signature": signature}
    for changed in ({**form, "Body": "STOP"}, {**form, "From": "+14165550199"}, {}):
        answer = gateway.browser.open("POST", path, data=changed, headers=headers)
        assert answer.status_code == 403
    assert not opted_out(person)
    assert gateway.browser.open("POST", path, data=form, headers=headers).status_code == 200


def test_without_an_auth_token_nobody_is_twilio(gateway: Gateway, app: APIFlask, twilios: Wired):
    settings = app.extensions["rollcall"]
    tokenless = settings.providers.changed(replace(TWILIO, auth_token=""))
    app.extensions["rollcall"] = replace(settings, providers=tokenless)
    assert gateway.twilio_receipt(twilios.reference, "delivered", token="").status_code == 403


def test_a_stop_over_kannel(gateway: Gateway, kannels: Wired, person: Person):
    answer = gateway.kannel_text("Stop.")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text.startswith("Tom & Sarah <Events>: you get no more texts")
    assert opted_out(person)
    again = gateway.kannel_text("Stop.")
    assert (again.status_code, again.data) == (200, b"")
    assert count(InboundMessage) == 1


def test_a_stop_over_twilio(gateway: Gateway, twilios: Wired, person: Person):
    answer = gateway.twilio_text("STOP")
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    root = ElementTree.fromstring(answer.data)
    assert [element.tag for element in root.iter()] == ["Response", "Message"]
    assert (root.findtext("Message") or "").startswith("Tom & Sarah <Events>: you get no more")
    assert opted_out(person)
    silent = ElementTree.fromstring(gateway.twilio_text("STOP", "SM10").data)
    assert (silent.tag, len(silent)) == ("Response", 0)


def test_what_twilio_answers_by_itself_is_not_answered_twice(
    gateway: Gateway, twilios: Wired, person: Person
):
    answer = gateway.twilio_text("STOP", OptOutType="STOP")
    assert len(ElementTree.fromstring(answer.data)) == 0
    assert opted_out(person)


def test_a_text_in_utf_16_keeps_its_letters(gateway: Gateway, kannels: Wired):
    """Such a text is full of NUL bytes until it is decoded."""
    raw = quote_from_bytes("Arrêt ✋".encode("utf-16-be"))
    path = f"/webhooks/kannel/{gateway.secret}/inbound"
    sender = f"from=%2B{PHONE[1:]}&id=k7&coding=2&charset=UTF-16BE"
    assert gateway.browser.get(f"{path}?{sender}&text={raw}").status_code == 200
    message = db.session.scalars(sa.select(InboundMessage)).one()
    assert (message.text, message.meaning) == ("Arrêt ✋", "stop")


def test_bad_input_is_told_what_is_wrong_and_changes_nothing(gateway: Gateway, kannels: Wired):
    inbound = f"/webhooks/kannel/{gateway.secret}/inbound"
    receipt = f"/webhooks/kannel/{gateway.secret}/receipt/{kannels.reference}"
    get, post = gateway.browser.get, gateway.browser.open
    answers = [
        get(inbound),
        get(f"{inbound}?from=&id=1&text=STOP"),
        get(f"{inbound}?from=%2B14165550123&text=STOP"),
        get(f"{inbound}?{'&'.join(f'x{n}=1' for n in range(200))}"),
        get(receipt),
        get(f"{receipt}?status="),
        get(f"{receipt}?status=delivered"),
        get(f"{receipt}?status=%00"),
        get(f"{receipt}?status=-1"),
        get(f"{receipt}?status=%C2%B2"),
        get(f"{receipt}?status={'1' * 5_000}"),
        post("POST", inbound, json={"from": PHONE}),
        gateway.twilio(f"/webhooks/twilio/receipt/{kannels.reference}", {"x": "y"}),
        gateway.twilio("/webhooks/twilio/inbound", {"Body": "STOP"}),
    ]
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert all(answer.get_json()["detail"].endswith(".") for answer in answers)
    assert kannels.attempt.receipt_at is None
    assert count(InboundMessage) == count(Suppression) == 0


@pytest.mark.parametrize(
    "rest",
    ["charset=klingon&text=STOP", "charset=ascii&text=STOP%20%ff", "charset=utf-8&text=STOP%ff"],
)
def test_a_stop_in_a_broken_character_set_is_not_turned_away(
    gateway: Gateway, kannels: Wired, rest: str
):
    path = f"/webhooks/kannel/{gateway.secret}/inbound?from=%2B14165550123&id=1&{rest}"
    assert gateway.browser.get(path).status_code == 200
    assert db.session.scalars(sa.select(InboundMessage.meaning)).one() in ("stop", "unclear")


def test_an_answer_that_the_gsm_alphabet_lacks_letters_for_says_so(gateway: Gateway):
    writer = make_person(make_organisation(name="Дом"), phone=PHONE)
    put_on_wire(writer, "kannel", state=SENT, outcome=SENT)
    answer = gateway.kannel_text("HELP")
    assert "Дом" in answer.text
    assert answer.headers["X-Kannel-Coding"] == "2"


def test_an_enormous_body_is_not_read(gateway: Gateway):
    for path in (
        "/webhooks/twilio/inbound",
        f"/webhooks/kannel/{gateway.secret}/inbound",
        f"/webhooks/kannel/{gateway.secret}/receipt/1-1-0000000000000001?status=1",
    ):
        answer = gateway.browser.open("POST", path, data={"Body": "x" * 1_000_000})
        assert answer.status_code == 413


def test_nul_and_half_an_emoji_in_a_genuine_text(gateway: Gateway, twilios: Wired, person: Person):
    answer = gateway.twilio_text("ST\0OP")
    assert answer.status_code == 200
    assert opted_out(person)
    assert gateway.twilio_text("x", From="\0", sid="SM11").status_code == 200


@pytest.fixture
def locked(app: APIFlask, monkeypatch: pytest.MonkeyPatch, database_kind: str) -> Iterator[None]:
    """Somebody holds the database's only write lock, and nobody waits long for it."""
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL has no lock that keeps everybody from writing")
    monkeypatch.setattr(extensions, "BUSY_TIMEOUT_MS", 50)
    path = db.engine.url.database or ""
    db.session.remove()
    db.engine.dispose()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.rollback()
    connection.close()


def test_a_locked_database_asks_the_gateway_to_try_again(
    gateway: Gateway, kannels: Wired, request: pytest.FixtureRequest
):
    reference = kannels.reference
    request.getfixturevalue("locked")
    answers = [
        gateway.kannel_text("STOP"),
        gateway.twilio_text("STOP"),
        gateway.kannel_receipt(reference, status=1),
        gateway.browser.open("POST", f"/u/{reference}", data={"List-Unsubscribe": "One-Click"}),
    ]
    assert [answer.status_code for answer in answers] == [503] * 4


class SlowGateway(Simulator):
    """Takes its time for each request, and notes when each one began and ended."""

    declaration = KANNEL

    def __init__(self, outbox: Any) -> None:
        super().__init__(outbox)
        self.together = 1
        self.begun: list[tuple[str, float]] = []
        self.ended: dict[str, float] = {}
        self.gate = threading.Event()

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        outcomes = []
        for message in messages:
            self.begun.append((message.address, time.monotonic()))
            self.gate.wait(HANGS)
            time.sleep(0.02)
            outcomes.append(Outcome(message.token, provider_message_id="k"))
            self.ended[message.address] = time.monotonic()
        return outcomes


@pytest.fixture
def slow(app: APIFlask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> SlowGateway:
    slow = SlowGateway(app.extensions["rollcall"].outbox_path)
    monkeypatch.setattr(runner, "provider_for", lambda settings, channel: slow)
    return slow


@pytest.fixture
def running(app: APIFlask, slow: SlowGateway) -> Iterator[dict[int, str]]:
    """A campaign to sixty people that is going out; gives each person's phone."""
    organisation: Organisation = make_organisation()
    ids = make_people(organisation, 60)
    actor = make_actor(organisation)
    draft = CampaignDraft(
        name="Doors",
        channel=Channel.SMS,
        message="Doors open at 7",
        criteria=Criteria(people=tuple(ids)),
        timezone="America/Toronto",
    )
    send_campaign_now(actor, create_campaign(actor, draft))
    rows = db.session.execute(sa.select(Person.id, Person.phone).where(Person.id.in_(ids)))
    phones = {row.id: row.phone for row in rows}
    db.session.rollback()
    settings = replace(app.extensions["rollcall"], send_concurrency=3, send_batch=20)

    def send() -> None:
        with app.app_context():
            run_due_campaigns(settings)
            db.session.remove()

    thread = threading.Thread(target=send)
    thread.start()
    wait_for(lambda: slow.begun)
    yield phones
    slow.gate.set()
    thread.join(HANGS)
    assert not thread.is_alive()


def is_over() -> bool:
    """Whether the campaign is, so that nothing more can come of it."""
    db.session.rollback()
    return db.session.scalars(sa.select(Campaign.state)).one() == "completed"


def test_no_request_after_the_answer_to_a_stop(
    gateway: Gateway, slow: SlowGateway, running: dict[int, str]
):
    """A STOP while sending: whoever was answered gets nothing that begins after the answer."""
    slow.gate.set()
    answered: dict[str, float] = {}
    phones = list(running.values())
    for place in (4, 5, 9, 15, 16, 24, 30, 40, 59):
        phone = phones[place]
        values = {"from": phone, "to": "1", "id": phone, "text": "STOP"}
        path = f"/webhooks/kannel/{gateway.secret}/inbound?{urlencode(values)}"
        assert gateway.browser.get(path).status_code == 200
        answered[phone] = time.monotonic()
    wait_for(is_over)
    late = [phone for phone, at in slow.begun if at > answered.get(phone, float("inf"))]
    assert late == []
    assert len({phone for phone, _ in slow.begun}) == len(slow.begun) < 60
    assert count(Suppression) == len(answered)


def test_the_answer_to_a_stop_waits_for_what_is_on_the_wire(
    gateway: Gateway, slow: SlowGateway, running: dict[int, str]
):
    phone = slow.begun[0][0]
    answers: list[tuple[int, float]] = []

    def stop() -> None:
        values = {"from": phone, "to": "1", "id": "k1", "text": "STOP"}
        with gateway.browser.app.app_context():
            client = gateway.browser.app.test_client()
            path = f"/webhooks/kannel/{gateway.secret}/inbound?{urlencode(values)}"
            answers.append((client.get(path).status_code, time.monotonic()))

    thread = threading.Thread(target=stop)
    thread.start()
    wait_for(lambda: count(Suppression) == 1)
    time.sleep(0.3)
    assert answers == [], "answered while a request to this phone was still open"
    slow.gate.set()
    thread.join(HANGS)
    assert answers[0][0] == 200
    assert answers[0][1] > slow.ended[phone]
    assert [address for address, _ in slow.begun].count(phone) == 1
