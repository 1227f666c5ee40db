"""Providers, alerts and the restore guard, as staff see them: stored state and visible text."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from rollcall import clock
from rollcall.accounts.alerts import list_open_alerts, raise_alert
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import (
    Alert,
    AuditEntry,
    Campaign,
    CampaignState,
    Installation,
    ProviderState,
    Role,
    StaffMember,
)
from rollcall.providers.kannel.provider import KannelSettings
from rollcall.providers.smtp.provider import SmtpSettings
from rollcall.sending.installation import find_hold, find_installation
from tests.factories import make_organisation
from tests.providers.chosen import carried_by
from tests.providers.gateways import LOG_INS, DescribedDouble, Double
from tests.web.browser import Browser
from tests.web.campaigns import Desk, words

MINUTE = timedelta(minutes=1)
LogIn = Callable[..., Browser]
SECRETS = ("s e&cret", "s+e%26cret", "s%20e%26cret")  # the double's password, in all spellings


def use(app: APIFlask, *gateways: Any, **changes: Any) -> Settings:
    app.extensions["rollcall"] = carried_by(app.extensions["rollcall"], *gateways, **changes)
    return app.extensions["rollcall"]


@pytest.fixture
def kannel(app: APIFlask, tmp_path: Path) -> Iterator[Double]:
    """A gateway that text messages go through."""
    with Double(tmp_path / "gateway", "kannel") as double:
        use(app, double.kannel)
        yield double


def set_state(**values: Any) -> None:
    with write():
        state = db.session.get(ProviderState, "kannel")
        if state is None:
            state = ProviderState(
                name="kannel", free_at=0.0, failures=0, error_code="", error_text=""
            )
            db.session.add(state)
        for name, value in values.items():
            # So long from now, where it is a moment.
            moment = clock.now() + value if isinstance(value, timedelta) else value
            setattr(state, name, moment)


def hold(reason: str = "This database is older than the last message.") -> None:
    find_installation()
    with write():
        row = db.session.get_one(Installation, 1)
        row.held_at, row.held_reason = clock.now(), reason


def alert(text: str, **values: Any) -> int:
    with write():
        raise_alert(values.pop("kind", "missed"), text[:100], text, **values)
    return db.session.scalars(sa.select(Alert.id).where(Alert.text == text)).one()


# Providers


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no message has gone through it yet"),
        (
            {"succeeded_at": -3 * MINUTE},
            "Works: the last message was taken 3 minutes ago.",
        ),
        (
            {
                "resting_until": 5 * MINUTE,
                "failures": 1,
                "error_text": "Too many requests",
            },
            "Too many requests. Nothing is lost: whoever is left waits.",
        ),
        (
            {"open_since": -MINUTE, "failures": 3, "error_text": "Wrong password."},
            "Wrong password. Its campaigns are paused: mend it, send a test, and resume them.",
        ),
        (
            {"failures": 2, "error_text": "It answered 500."},
            "The last answer was no success: It answered 500. One message goes first",
        ),
    ],
    ids=["untried", "works", "resting", "failing", "doubtful"],
)
def test_the_page_says_how_a_provider_does(log_in: LogIn, kannel: Double, values: Any, said: str):
    browser = log_in(Role.STAFF)
    set_state(**values)
    assert said in words(browser.get("/providers").text)


def test_what_is_missing_is_said_by_name(app: APIFlask, log_in: LogIn):
    use(app, SmtpSettings("", ""), sms_provider="twilio")
    text = words(log_in(Role.STAFF).get("/providers").text)
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM", "SMTP_URL", "SMTP_FROM"):
        assert name in text
    assert text.count("Not set up") == 4, "the badge and the sentence, of each"


def test_no_page_holds_a_password_and_only_admins_see_the_webhooks_secret(
    log_in: LogIn, kannel: Double
):
    secret = find_installation().webhook_secret
    seen = {}
    for role in Role:
        seen[role] = log_in(role).get("/providers").text
        assert not any(word in seen[role] for word in SECRETS)
        assert "cgi-bin/sendsms" not in seen[role], "the gateway's address may hold a log-in"
    assert secret not in seen[Role.STAFF]
    assert f"/webhooks/kannel/{secret}/inbound?from=%p&amp;to=%P" in seen[Role.ADMIN]
    assert "An admin can check a provider" in words(seen[Role.STAFF])
    assert "Send me a test" not in seen[Role.STAFF]


def test_the_addresses_to_enter_work_when_a_gateway_asks_them(
    app: APIFlask, log_in: LogIn, kannel: Double
):
    page = log_in(Role.ADMIN).get("/providers").text
    address = page.partition('value="http://127.0.0.1:5000')[2].partition('"')[0]
    filled = address.replace("&amp;", "&")
    for code, value in {
        "%p": "%2B14165550123",
        "%P": "12345",
        "%b": "hello",
        "%I": "m1",
        "%C": "UTF-8",
        "%c": "0",
    }.items():
        filled = filled.replace(f"={code}", f"={value}")
    assert Browser(app).get(filled).status_code == 200
    use(app, sms_provider="twilio")
    assert (
        "http://127.0.0.1:5000/webhooks/twilio/inbound" in log_in(Role.ADMIN).get("/providers").text
    )


def test_a_gateway_that_a_file_describes_is_shown_checked_and_tried(
    app: APIFlask, log_in: LogIn, tmp_path: Path
):
    with DescribedDouble(tmp_path / "phone", "sms-gate") as phone:
        use(app, phone.settings)
        browser = log_in(Role.ADMIN)
        page = browser.get("/providers").text
        text = words(page)
        assert "Text messages: Android phone" in text
        assert "0.5 messages a second" in text
        assert "503 with /error is QueueLimitExceeded: too many requests" in text
        secret = find_installation().webhook_secret
        for route in ("inbound", "receipts"):
            assert f"/webhooks/http/{secret}/{route}" in page
        assert text.count("by which Android phone proves itself") == 2
        assert not any(word in page for word in LOG_INS.values() if len(word) > 3)
        assert secret not in log_in(Role.STAFF).get("/providers").text
        checked = words(browser.post("/providers/check", {"channel": "sms"}).text)
        assert "In order: 127.0.0.1:" in checked
        browser.post("/providers/test", {"channel": "sms", "address": "416 555 0123"})
        assert "Android phone took it." in words(browser.get("/providers").text)
        assert [line["address"] for line in phone.requests()] == ["", "+14165550123"]


def test_a_check_shows_what_was_found(app: APIFlask, log_in: LogIn, kannel: Double):
    browser = log_in(Role.ADMIN)
    text = words(browser.post("/providers/check", {"channel": "sms"}).text)
    assert "In order: Kannel accepts the log-in." in text
    assert {line["address"] for line in kannel.requests()} == {""}, "asked for, sent to nobody"
    settings = app.extensions["rollcall"]
    use(app, replace(settings.providers.of(KannelSettings), password="wrong"))
    text = words(browser.post("/providers/check", {"channel": "sms"}).text)
    assert "To mend: Kannel did not accept the log-in: check KANNEL_USERNAME" in text
    assert browser.post("/providers/check", {"channel": "pigeon"}).status_code == 400


def test_a_test_message_goes_to_the_phone_that_was_given_and_closes_the_breaker(
    log_in: LogIn, kannel: Double
):
    set_state(open_since=clock.now(), failures=3, error_text="Wrong password.")
    browser = log_in(Role.ADMIN)
    response = browser.post("/providers/test", {"channel": "sms", "address": "416 555 0123"})
    assert response.status_code == 302
    assert [line["address"] for line in kannel.requests()] == ["+14165550123"]
    text = words(browser.get("/providers").text)
    assert "Kannel took it." in text
    assert "Works: the last message was taken" in text
    entry = db.session.query(AuditEntry).filter_by(action="provider.test").one()
    assert entry.after == {"channel": "sms", "answer": "accepted"}
    kannel.behave("500")
    browser.post("/providers/test", {"channel": "sms", "address": "+14165550123"})
    assert "Nobody can know whether Kannel took it." in words(browser.get("/providers").text)


def test_a_test_to_no_phone_says_so_beside_the_field(log_in: LogIn, kannel: Double):
    browser = log_in(Role.ADMIN)
    response = browser.post("/providers/test", {"channel": "sms", "address": "nonsense"})
    assert response.status_code == 422
    assert 'value="nonsense"' in response.text
    assert 'id="test-phone-error"' in response.text
    assert kannel.requests() == []


def test_a_test_e_mail_goes_to_whoever_asks_for_it(log_in: LogIn, member: Any):
    staff: StaffMember = member(Role.ADMIN)
    browser = log_in(staff)
    browser.post("/providers/test", {"channel": "email"})
    assert "Simulator took it." in words(browser.get("/providers").text)
    outbox = browser.get("/outbox")
    assert staff.email in outbox.text
    assert "Only this campaign" not in outbox.text, "a test belongs to none"


def test_checks_are_limited_as_attempts_to_log_in_are(app: APIFlask, log_in: LogIn):
    browser = log_in(Role.ADMIN)
    app.config["LOGIN_LIMIT"] = "2 per minute"
    codes = [browser.post("/providers/check", {"channel": "sms"}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


# Alerts


def test_an_open_alert_stands_on_every_page_until_somebody_has_seen_to_it(desk: Desk):
    campaign_id = desk.draft()
    number = alert(
        "It missed its time.", organisation_id=desk.organisation.id, campaign_id=campaign_id
    )
    for path in ("/campaigns", "/people", "/alerts"):
        page = desk.browser.get(path).text
        assert "It missed its time." in words(page)
        assert f'href="/campaigns/{campaign_id}"' in page
    closed = desk.browser.post(
        f"/alerts/{number}/close", headers={"Referer": "http://localhost/people?q=x"}
    )
    assert closed.location == "/people?q=x"
    for path in ("/campaigns", "/people"):
        assert "It missed its time." not in desk.browser.get(path).text
    assert "Nothing is open" in desk.read("/alerts")
    entry = db.session.query(AuditEntry).filter_by(action="alert.close").one()
    assert entry.after == {"text": "It missed its time."}


def test_of_many_the_newest_three_and_their_number(desk: Desk):
    for number in range(5):
        alert(f"Number {number} missed its time.", organisation_id=desk.organisation.id)
    text = desk.read("/people")
    assert [number for number in range(5) if f"Number {number}" in text] == [2, 3, 4]
    assert "5 alerts in all" in text
    assert "Number 0" in desk.read("/alerts")


def test_an_alert_of_the_installation_is_everybodys_and_an_admin_closes_it(
    log_in: LogIn, app: APIFlask
):
    number = alert("Kannel is failing.", kind="provider")
    alert("Theirs alone.", organisation_id=make_organisation().id)
    staff, admin = log_in(Role.STAFF), log_in(Role.ADMIN)
    page = staff.get("/people")
    assert "Kannel is failing." in page.text
    assert 'href="/providers"' in page.text
    assert "Seen to it" not in page.text
    assert "Theirs alone." not in page.text
    assert staff.post(f"/alerts/{number}/close").status_code == 403
    admin.post(f"/alerts/{number}/close")
    assert "Kannel is failing." not in staff.get("/people").text


def test_a_campaign_that_was_paused_by_itself_needs_a_decision(desk: Desk):
    mine, its = desk.scheduled(name="Paused by hand"), desk.scheduled(name="Paused by itself")
    with write():
        for campaign_id, note in ((mine, ""), (its, "Kannel is failing, so this was paused.")):
            campaign = db.session.get_one(Campaign, campaign_id)
            campaign.state, campaign.state_note = CampaignState.PAUSED, note
    text = desk.read("/campaigns")
    assert text.count("Needs a decision") == 1
    assert "Paused by itself: Kannel is failing, so this was paused." in text
    assert text.index("Needs a decision") < text.index("Going out") < text.index("Paused by hand")


# After a backup was restored


def test_while_sending_is_held_every_page_says_so_and_why(log_in: LogIn, app: APIFlask):
    hold()
    alert_key = "installation.restored"
    with write():
        raise_alert("restored", alert_key, "This database is older than the last message.")
    for role in Role:
        text = words(log_in(role).get("/people").text)
        assert text.count("This database is older than the last message.") == 1
    assert Browser(app).get("/healthz").json == {
        "status": "ok",
        "database": "ok",
        "sending": "held",
    }


def test_a_super_confirms_and_the_others_are_told_who_can(desk: Desk, log_in: LogIn, member: Any):
    boss: StaffMember = member(Role.SUPER, name="Sue Boss")
    stopped = desk.scheduled(name="Perhaps gone out")
    with write():
        campaign = db.session.get_one(Campaign, stopped)
        campaign.state, campaign.state_note = CampaignState.NEEDS_REVIEW, "May have gone out."
    desk.scheduled(name="Sunday's")
    hold()
    text = desk.read("/restored")
    assert "It takes a super to confirm it: Sue Boss." in text
    assert "Perhaps gone out" in text
    assert "Sunday's" in text
    assert "Confirm: messages may go out again" not in text
    for role in (Role.STAFF, Role.ADMIN):
        assert log_in(role).post("/restored").status_code == 403
    assert find_hold() is not None
    browser = log_in(boss)
    assert "Confirm: messages may go out again" in browser.get("/restored").text
    browser.post("/restored")
    assert find_hold() is None
    assert "Nothing is sent at the moment" not in browser.get("/campaigns").text
    assert db.session.get_one(Campaign, stopped).state == CampaignState.NEEDS_REVIEW
    assert "Nothing is held" in words(browser.get("/restored").text)
    assert browser.post("/restored").status_code == 409


# Doubts


@pytest.fixture
def doubtful(desk: Desk, kannel: Double) -> int:
    """A campaign whose three people are in doubt."""
    kannel.behave("500")
    campaign_id = desk.sent()
    kannel.behave("accept")
    return campaign_id


def test_the_campaign_leads_to_its_doubts_and_staff_count_them_as_sent(desk: Desk, doubtful: int):
    here = f"/campaigns/{doubtful}/doubts"
    page = desk.browser.get(f"/campaigns/{doubtful}").text
    assert "3 messages are in doubt" in words(page)
    assert page.count(f'href="{here}"') >= 2, "the note's link and the figure's"
    text = desk.read(here)
    assert "3 messages may have gone out, or not" in text
    assert all(name in text for name in ("Ann", "Bob", "Cid"))
    assert "Send again, somebody may get it twice" not in text, "not for staff"
    one = {"decision": "sent", "person_id": desk.people[0]}
    assert desk.browser.post(here, one).location == here
    text = desk.read(here)
    assert "Counted as sent: 1 person." in text
    assert "Decided already: 1 counted as sent, 0 sent again." in text
    desk.browser.post(here, {"decision": "sent"})
    assert "Nobody is in doubt" in desk.read(here)
    assert "in doubt" not in desk.read(f"/campaigns/{doubtful}")
    person = desk.read(f"/people/{desk.people[0]}")
    assert "Counted as sent by staff: whether the message went out can't be known" in person


def test_an_admin_sends_again_after_being_warned(
    desk: Desk, doubtful: int, log_in: LogIn, kannel: Double
):
    here = f"/campaigns/{doubtful}/doubts"
    admin = log_in(Role.ADMIN)
    page = admin.get(here).text
    assert "Nobody can tell who has it already" in words(page)
    assert desk.browser.post(here, {"decision": "again"}).status_code == 403
    assert desk.campaign(doubtful).state == CampaignState.COMPLETED
    admin.post(here, {"decision": "again", "person_id": desk.people[1]})
    assert desk.campaign(doubtful).state == CampaignState.SENDING
    desk.run_due()
    assert len(kannel.requests()) == 4
    assert desk.campaign(doubtful).state == CampaignState.COMPLETED


def test_a_decision_that_names_nobody_readable_decides_on_nobody(desk: Desk, doubtful: int):
    here = f"/campaigns/{doubtful}/doubts"
    for person in ("", "all", "-1", "1.5"):
        assert desk.browser.post(here, {"decision": "sent", "person_id": person}).status_code == 400
    assert "3 messages may have gone out" in desk.read(here)
    assert desk.browser.post(here, {"decision": "sent", "person_id": 987654}).status_code == 409
    assert list_open_alerts(desk.organisation.id) == []
