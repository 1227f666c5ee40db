"""The whole way: the served application, its scheduler, real gateways, and back over HTTP.

Nothing in the application is replaced here: what it sends is read where it arrives, and what comes
back comes over the addresses and sessions that the application itself gave out.
"""

import email
import email.policy
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from smpplib import consts

from rollcall.accounts.passwords import hash_password
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Attempt, Channel, Person, Role
from rollcall.providers.registry import find_provider
from rollcall.providers.smpp.provider import SmppSettings
from rollcall.providers.smtp.provider import SmtpSettings
from rollcall.sending.installation import find_installation
from rollcall.sending.providers import inbound_address, reports_address
from rollcall.sending.references import webhook_url, write_reference
from tests.factories import make_organisation, make_people, make_person, make_staff
from tests.providers.chosen import carried_by
from tests.providers.doubles import TWILIO_SID, TWILIO_TOKEN, sign
from tests.providers.gateways import (
    DOCUMENT,
    DescribedDouble,
    Double,
    Network,
    RealKannel,
    kannel_programs,
)
from tests.providers.mailservers import find_sink, running_sink
from tests.providers.needed import need_programs
from tests.providers.smsc import ScriptedSmsc, receipt_text
from tests.sending.served import (
    Answer,
    Launcher,
    Served,
    Visitor,
    ask,
    await_states,
    inbound,
    opted_out,
    phones,
    send_now,
    snapshot,
    states,
)
from tests.waiting import wait_for

PASSWORD = "correct horse battery"
DELIVERED = ["delivered"] * 5
CYRILLIC = "Жижковский театр"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """What starts the application, loaded once for all of these tests."""
    with Launcher(tmp_path_factory.mktemp("launcher")) as launcher:
        yield launcher


@pytest.fixture
def served(app: APIFlask, launcher: Launcher, settings: Settings, tmp_path: Path) -> Served:
    """The application as it is going to be served, once a gateway is chosen."""
    return Served(launcher, settings, tmp_path)


def references(campaign_id: int) -> list[str]:
    """The references of the campaign's messages, as they travel in addresses."""
    db.session.rollback()
    found = db.session.scalars(
        sa.select(Attempt).where(Attempt.campaign_id == campaign_id).order_by(Attempt.person_id)
    )
    return [write_reference(one.campaign_id, one.person_id, one.token) for one in found]


# Kannel


def kannels_address(served: Served) -> str:
    """Where Kannel is told to bring what people write."""
    address = inbound_address(served.settings, find_provider(served.settings, "kannel"))
    assert address is not None
    return address.url


@contextmanager
def kannel_running(served: Served, folder: Path) -> Iterator[Network]:
    """Debian's Kannel beside the served application, each knowing the other's address."""
    need_programs(kannel_programs(), "kannel kannel-extras")
    gateway = RealKannel(folder, inbound=kannels_address(served).partition("?")[0])
    with (
        gateway,
        gateway.open_network() as network,
        served.over(gateway.settings),
    ):
        yield network


def heard_by(network: Network, phone: str) -> list[str]:
    return [text for address, text in network.messages() if address.endswith(phone[1:])]


def test_the_address_for_replies_is_the_same_on_the_page_and_in_the_guide(served: Served):
    """Kannel is set up here with the guide's query; the page must tell people the same one."""
    address = kannels_address(served)
    documented = re.search(r'^get-url = "([^"]+)"$', DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert documented
    secret = find_installation().webhook_secret
    here = documented[1].replace("SECRET", secret).replace("http://127.0.0.1:5000", served.url)
    assert address == here


def test_kannel_there_and_back(served: Served, tmp_path: Path):
    organisation = make_organisation(name="Acme")
    people = make_people(organisation, 5)
    with kannel_running(served, tmp_path / "kannel") as network:
        campaign_id = send_now(organisation, people)
        await_states(campaign_id, DELIVERED)
        # The network reports a message before it has written it down.
        arrived = wait_for(lambda: len(network.messages()) >= 5 and network.messages())
        assert sorted("+" + to.lstrip("+") for to, _text in arrived) == phones(people)

        # Kannel repeats itself after a violent stop; each again, in the wrong order.
        before = snapshot()
        secret = find_installation().webhook_secret
        for reference in references(campaign_id):
            url = f"{served.url}/webhooks/kannel/{secret}/receipt/{reference}"
            for status in ("1", "2", "8", "16", "1"):
                assert ask(f"{url}?status={status}&reply={quote('NACK/5')}").status == 200
        assert snapshot() == before
        stop = f"inbound?from={quote(phones(people)[0])}&to=12345&text=STOP&id=1"
        for wrong in ("0" * len(secret), secret[:-1], "%20"):
            assert ask(f"{served.url}/webhooks/kannel/{wrong}/{stop}").status == 403
        assert snapshot() == before
        assert ask(f"{served.url}/webhooks/kannel/{secret}/{stop}").status == 200
        assert opted_out(people[0])


def test_stop_start_and_help_over_kannel(served: Served, tmp_path: Path):
    organisation = make_organisation(name="Acme")
    person_id = make_person(organisation).id
    [phone] = phones([person_id])
    with kannel_running(served, tmp_path / "kannel") as network:
        await_states(send_now(organisation, [person_id]), ["delivered"])
        network.write(phone, "text", "Stop.")
        wait_for(lambda: opted_out(person_id))
        wait_for(lambda: len(heard_by(network, phone)) == 2)
        network.write(phone, "text", "STOP")
        wait_for(lambda: len(inbound()) == 2)
        # Whoever is opted out gets no campaign, and is told so nowhere but in the answers.
        held = send_now(organisation, [person_id])
        network.write(phone, "text", "HELP")
        wait_for(lambda: len(inbound()) == 3)
        network.write(phone, "text", "START")
        wait_for(lambda: not opted_out(person_id))
        assert wait_for(lambda: len(heard_by(network, phone)) >= 4)
        assert heard_by(network, phone)[1:] == [
            "Acme: you get no more texts from us. Reply START to get them again.",
            "Texts from this number come from Acme. Reply STOP to stop them.",
            "Acme: you get texts from us again. Reply STOP to stop them.",
        ]
        assert states(held) in ([], ["held_back"])
        assert [meaning for _, meaning in inbound()] == ["stop", "stop", "help", "start"]


def test_help_in_letters_that_gsm_lacks(served: Served, tmp_path: Path):
    person_id = make_person(make_organisation(name=CYRILLIC)).id
    [phone] = phones([person_id])
    with kannel_running(served, tmp_path / "kannel") as network:
        network.write(phone, "text", "help")
        [answer] = wait_for(lambda: heard_by(network, phone))
    assert answer == f"Texts from this number come from {CYRILLIC}. Reply STOP to stop them."


def test_what_may_be_a_stop_waits_in_the_inbox(served: Served, tmp_path: Path):
    organisation = make_organisation(name="Acme")
    staff = make_staff(Role.ADMIN, organisation, password_hash=hash_password(PASSWORD))
    person_id = make_person(organisation).id
    with kannel_running(served, tmp_path / "kannel") as network:
        network.write(phones([person_id])[0], "text", "please stop texting me")
        wait_for(inbound)
        assert inbound() == [("please stop texting me", "unclear")]
        assert not opted_out(person_id)
        visitor = Visitor()
        assert visitor.log_in(served.url, staff.email, PASSWORD).status == 200
        page = visitor.ask(f"{served.url}/inbox").text
        waiting, _, others = page.partition("Everything else")
        assert "Do these mean stop?" in waiting
        assert "please stop texting me" in waiting
        assert "please stop texting me" not in others


# Twilio


@contextmanager
def twilio_running(served: Served, folder: Path, *options: str) -> Iterator[Double]:
    """Twilio's double beside the served application."""
    with (
        Double(folder / "twilio", "twilio", *options) as double,
        served.over(double.twilio),
    ):
        yield double


@pytest.mark.parametrize("options", [(), ("--callbacks-first",)], ids=["beside", "before"])
def test_twilios_receipts_beside_and_before_its_answer(
    served: Served, tmp_path: Path, options: tuple[str, ...]
):
    organisation = make_organisation()
    people = make_people(organisation, 5)
    folder = tmp_path / "twilio"
    calls = ("--callbacks", "delivered,sent", *options)
    with (
        Double(folder, "twilio", *calls) as double,
        served.over(double.twilio),
    ):
        campaign_id = send_now(organisation, people)
        wait_for(lambda: len(callbacks(double)) == 10)
        await_states(campaign_id, DELIVERED)
        assert [answer for _url, answer in callbacks(double)] == [200] * 10
        assert sorted(line["address"] for line in double.requests()) == phones(people)
        # The send call's own answer came last or first, and its id was kept either way.
        wait_for(lambda: all(ids(campaign_id)))
        before = snapshot()
        for url, _answer in callbacks(double):
            failed = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "30003"}
            assert ask(url, failed, X_Twilio_Signature="no such thing").status == 403
            signature = sign(TWILIO_TOKEN, url, failed)
            altered = failed | {"ErrorCode": "21610"}
            assert ask(url, altered, X_Twilio_Signature=signature).status == 403
            # Also a real one, that comes after all.
            assert ask(url, failed, X_Twilio_Signature=signature).status == 200
        assert snapshot() == before


def callbacks(double: Double) -> list[tuple[str, int]]:
    return [(line["callback"], line["answer"]) for line in double.lines() if "callback" in line]


def ids(campaign_id: int) -> list[str | None]:
    """The gateway's own ids of the campaign's messages, in the order of the people."""
    db.session.rollback()
    query = sa.select(Attempt.provider_message_id).where(Attempt.campaign_id == campaign_id)
    return list(db.session.scalars(query.order_by(Attempt.person_id)))


def test_a_forged_receipt_changes_nothing_while_the_message_is_only_sent(
    served: Served, tmp_path: Path
):
    organisation = make_organisation()
    people = make_people(organisation, 2)
    with (
        Double(tmp_path / "twilio", "twilio") as double,
        served.over(double.twilio),
    ):
        campaign_id = send_now(organisation, people)
        await_states(campaign_id, ["sent"] * 2)
        before = snapshot()
        ours, theirs = (
            f"{served.url}/webhooks/twilio/receipt/{r}" for r in references(campaign_id)
        )
        form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
        for token, signed_url in (("wrong", ours), (TWILIO_TOKEN, theirs), ("", ours)):
            signature = sign(token, signed_url, form)
            assert ask(ours, form, X_Twilio_Signature=signature).status == 403
        foreign = f"{served.url}/webhooks/twilio/receipt/{write_reference(campaign_id, 1, 5)}"
        signature = sign(TWILIO_TOKEN, foreign, form)
        assert ask(foreign, form, X_Twilio_Signature=signature).status == 403
        assert snapshot() == before
        signature = sign(TWILIO_TOKEN, ours, form)
        assert ask(ours, form, X_Twilio_Signature=signature).status == 200
        assert states(campaign_id) == ["delivered", "sent"]


def test_a_stop_signed_by_twilio(served: Served, tmp_path: Path):
    person_id = make_person(make_organisation(name="Acme")).id
    [phone] = phones([person_id])
    with (
        Double(tmp_path / "twilio", "twilio") as double,
        served.over(double.twilio),
    ):
        url = f"{served.url}/webhooks/twilio/inbound"

        def write(text: str, message_id: str, token: str = TWILIO_TOKEN) -> Answer:
            form = {
                "AccountSid": TWILIO_SID,
                "MessageSid": message_id,
                "From": phone,
                "To": double.twilio.sender,
                "Body": text,
            }
            return ask(url, form, X_Twilio_Signature=sign(token, url, form))

        first = write("STOP", "SM1")
        assert (first.status, "Acme: you get no more texts" in first.text) == (200, True)
        assert opted_out(person_id)
        before = snapshot()
        assert write("START", "SM2", token="forged").status == 403
        again = write("STOP", "SM1")
        assert (again.status, "<Message>" in again.text) == (200, False)
        assert snapshot() == before
        assert "Acme: you get texts" in write("START", "SM3").text
        assert not opted_out(person_id)


# SMPP


@contextmanager
def smsc_running(served: Served) -> Iterator[ScriptedSmsc]:
    """An SMSC beside the served application, which sends a receipt after each of its answers."""
    with ScriptedSmsc(receipts="after") as smsc:
        smpp = SmppSettings("127.0.0.1", smsc.port, "app", "secret", "+447700900999")
        with served.over(smpp):
            yield smsc


def test_smpp_receipts_in_any_order_over_the_session(served: Served):
    organisation = make_organisation()
    people = [make_people(organisation, 5) for _ in range(3)]
    with smsc_running(served) as smsc:
        # The scheduler opens the session by itself, before there is anything to send.
        wait_for(lambda: any(line.is_open for line in smsc.lines))
        for smsc.receipts, some in (("before", people[0]), ("after", people[1])):
            await_states(send_now(organisation, some), DELIVERED)
        smsc.receipts = "none"
        campaign_id = send_now(organisation, people[2])
        await_states(campaign_id, ["sent"] * 5)
        reports = [
            (taken.message_id, state)
            for taken in smsc.submitted[-5:]
            for state in ("ACCEPTD", "DELIVRD", "UNDELIV", "DELIVRD", "ENROUTE")
        ]
        random.shuffle(reports)
        for message_id, state in reports:
            assert smsc.deliver(receipt_text(message_id, state), esm_class=4) == 0
        await_states(campaign_id, DELIVERED)
        before = snapshot()
        for message_id, state in reports:
            assert smsc.deliver(receipt_text(message_id, state), esm_class=4) == 0
        assert snapshot() == before
        assert len(smsc.binds) == 1
        sent = ["+" + taken.address for taken in smsc.submitted]
        assert sorted(sent) == sorted(phones([one for some in people for one in some]))


def test_a_receipt_reaches_another_process_before_the_sender_has_its_answer(
    served: Served, launcher: Launcher, settings: Settings, tmp_path: Path
):
    """An SMSC reports over whichever session it likes; only the database knows both halves."""
    organisation = make_organisation()
    people = make_people(organisation, 5)
    with smsc_running(served) as smsc:
        smpp = SmppSettings("127.0.0.1", smsc.port, "app", "secret", "+447700900999")
        other = Served(launcher, settings, tmp_path)
        with other.over(smpp):
            wait_for(lambda: len([line for line in smsc.lines if line.is_open]) == 2)
            smsc.receipts = "another"
            await_states(send_now(organisation, people), DELIVERED)
            assert smsc.delivered == [consts.SMPP_ESME_ROK] * 5
            assert len(smsc.submitted) == 5


def test_a_stop_over_the_session(served: Served):
    organisation = make_organisation()
    person_id = make_person(organisation).id
    [phone] = phones([person_id])
    with smsc_running(served) as smsc:
        await_states(send_now(organisation, [person_id]), ["delivered"])
        assert smsc.deliver(b"S.T.O.P", source_addr=phone[1:]) == consts.SMPP_ESME_ROK
        # It was stored before the SMSC got its answer.
        assert opted_out(person_id)
        assert smsc.deliver(b"start", source_addr=phone[1:]) == consts.SMPP_ESME_ROK
        assert not opted_out(person_id)
        assert inbound() == [("S.T.O.P", "stop"), ("start", "start")]
        assert len(smsc.submitted) == 1, "a session carries no answers"


# SMTP


def test_one_click_in_a_mail_opts_out(served: Served, tmp_path: Path):
    need_programs([] if find_sink() else ["smtp-sink"], "postfix")
    organisation = make_organisation(name="Acme", postal_address="1 Main Street, Toronto")
    people = make_people(organisation, 5)
    first = db.session.get_one(Person, people[0]).email
    assert first
    keep = tmp_path / "mails"
    keep.mkdir()
    with running_sink(keep=keep) as port:
        smtp = SmtpSettings(f"smtp://127.0.0.1:{port}", "News <news@example.org>")
        with served.over(smtp):
            campaign_id = send_now(organisation, people, Channel.EMAIL)
            await_states(campaign_id, ["sent"] * 5)
            mails = wait_for(lambda: read_mails(keep, 5))
            links = {address_of(mail): read_link(mail) for mail in mails}
            assert len(set(links.values())) == 5
            assert all(link.startswith(f"{served.url}/u/") for link in links.values())
            before = snapshot()
            for link in links.values():
                page = ask(link)
                assert (page.status, "Acme" in page.text) == (200, True)
            assert snapshot() == before, "a GET changes nothing"
            link = links[first]
            for _time in range(2):
                assert ask(link, {"List-Unsubscribe": "One-Click"}).status == 200
            gone = [opted_out(person_id, Channel.EMAIL) for person_id in people]
            assert gone == [True, False, False, False, False]
            assert not opted_out(people[0], Channel.SMS)
            send_now(organisation, people, Channel.EMAIL)
            addresses = [address_of(mail) for mail in wait_for(lambda: read_mails(keep, 9))]
            assert addresses.count(first) == 1
            assert ask(f"{link}0", {"List-Unsubscribe": "One-Click"}).status == 404


def read_mails(folder: Path, number: int) -> list[EmailMessage]:
    """The mails that were taken, once there are so many and each is whole."""
    mails = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.iterdir())
    ]
    return mails if len(mails) >= number and all(mail["To"] for mail in mails) else []


def read_link(mail: EmailMessage) -> str:
    """The address that a mail program posts to, after a look at both headers."""
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<(http[^>]+)>", "".join(str(mail["List-Unsubscribe"]).split()))
    assert found
    return found[1]


def address_of(mail: EmailMessage) -> str:
    return mail["To"].addresses[0].addr_spec


# A gateway that a file describes


@contextmanager
def described_running(
    served: Served, folder: Path, kind: str, *options: str
) -> Iterator[DescribedDouble]:
    """A gateway beside the served application, told where to bring what by the page itself."""
    webhooks = webhook_url(served.settings, "http", "/<secret>")
    double = DescribedDouble(folder / kind, kind, "--webhooks", webhooks, *options)
    with double, served.over(double.settings):
        settings = carried_by(served.settings, double.settings)
        provider = find_provider(settings, "http")
        entered = (inbound_address(settings, provider), reports_address(settings, provider))
        assert [address and address.url for address in entered] == [
            f"{webhooks}/inbound",
            f"{webhooks}/receipts",
        ]
        yield double


@pytest.mark.parametrize("kind", ["vonage", "sms-gate"])
def test_a_described_gateway_there_and_back(served: Served, tmp_path: Path, kind: str):
    organisation = make_organisation(name="Acme")
    people = make_people(organisation, 5)
    states_of = {"vonage": "delivered,accepted", "sms-gate": "delivered,sent"}
    options = ("--callbacks", states_of[kind])
    with described_running(served, tmp_path, kind, *options) as double:
        campaign_id = send_now(organisation, people)
        await_states(campaign_id, DELIVERED)
        wait_for(lambda: len(double.brought()) == 10)
        assert {answer for _url, answer in double.brought()} == {200}
        assert sorted(line["address"] for line in double.requests()) == phones(people)
        assert sorted(line["reference"] for line in double.requests()) == sorted(
            references(campaign_id)
        )
        wait_for(lambda: all(ids(campaign_id)))

        double.write(phones(people)[0], "Stop.", "m1")
        assert opted_out(people[0])
        before = snapshot()
        double.write(phones(people)[0], "Stop.", "m1")
        assert snapshot() == before, "the same message again is nothing new"
        assert double.brought()[-1][1] == 200
        double.write(phones(people)[0], "START", "m2")
        assert not opted_out(people[0])
        double.write(phones(people)[1], "S T O P", "m3")
        assert [opted_out(person) for person in people] == [False, True, False, False, False]
        send_now(organisation, people)
        wait_for(lambda: len(double.requests()) == 9)
        assert len(double.requests(phones(people)[1])) == 1


def test_what_does_not_prove_itself_changes_nothing(served: Served, tmp_path: Path):
    organisation = make_organisation(name="Acme")
    people = make_people(organisation, 2)
    with described_running(served, tmp_path, "vonage", "--callbacks", "accepted") as double:
        campaign_id = send_now(organisation, people)
        await_states(campaign_id, ["sent"] * 2)
        wait_for(lambda: len(double.brought()) == 2)
        # A report may come before the answer that names the gateway's own id.
        wait_for(lambda: all(ids(campaign_id)))
        before = snapshot()
        ours = references(campaign_id)[0]
        report = f"messageId=1&status=delivered&client-ref={ours}"
        foreign = report.replace(ours, write_reference(campaign_id, people[0], 5))
        stop = f"msisdn={phones(people)[0][1:]}&messageId=7&text=STOP&to=1"
        genuine = webhook_url(served.settings, "http", "/<secret>")
        for base in (f"{served.url}/webhooks/http/guessed", genuine[:-1], genuine + "x"):
            assert ask(f"{base}/receipts?{report}").status == 403
            assert ask(f"{base}/inbound?{stop}").status == 403
        assert ask(f"{genuine}/receipts?{foreign}").status == 403
        assert ask(f"{genuine}/receipts?client-ref={ours}").status == 400
        assert ask(f"{genuine}/inbound?text=STOP").status == 400
        assert snapshot() == before
        assert ask(f"{genuine}/receipts?{report}").status == 200
        assert states(campaign_id) == ["delivered", "sent"]
        # By the gateway's own id, where our reference did not come back.
        [_, named] = ids(campaign_id)
        assert ask(f"{genuine}/receipts?messageId={named}&status=delivered").status == 200
        assert states(campaign_id) == ["delivered", "delivered"]


@pytest.mark.parametrize(
    ("behaviour", "state"), [("500", "in_doubt"), ("hang", "delivered"), ("empty", "delivered")]
)
def test_doubts_of_a_described_gateway(served: Served, tmp_path: Path, behaviour: str, state: str):
    """One request each; where it was taken all the same, the receipt says so."""
    organisation = make_organisation(name="Acme")
    people = make_people(organisation, 3)
    served.settings = replace(served.settings, lease_seconds=6.0)
    with described_running(served, tmp_path, "vonage", "--behaviour", behaviour) as double:
        campaign_id = send_now(organisation, people)
        await_states(campaign_id, [state] * 3)
        assert sorted(line["address"] for line in double.requests()) == phones(people)
