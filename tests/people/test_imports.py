"""Files go in: good rows stored, bad ones reported, and a second time nothing changes."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollcall import clock
from rollcall.actors import Actor
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    Attendance,
    AuditEntry,
    Channel,
    ConsentChange,
    Event,
    ImportRun,
    Organisation,
    Person,
    PersonFacts,
    Purchase,
    RejectedRow,
    Source,
    Suppression,
)
from rollcall.people.importing import intake
from rollcall.people.imports import import_people, import_purchases, propose_import
from tests.factories import NOON, attend, make_actor, make_event, make_organisation, make_person

FILES = Path(__file__).parent / "files"
pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def acme(app: Any) -> Organisation:
    return make_organisation("acme")


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return make_actor(acme)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    return make_event(acme, "gala", starts_at=NOON + timedelta(days=1))


def take(actor: Actor, text: str | bytes, **options: Any) -> dict[str, Any]:
    data = text if isinstance(text, bytes) else text.encode()
    return import_people(io.BytesIO(data), actor, **options)


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["added"], report["updated"], report["unchanged"], report["rejected"]


def people() -> list[Person]:
    return list(db.session.scalars(sa.select(Person).order_by(Person.id)))


def facts(person: Person) -> PersonFacts:
    return db.session.get_one(PersonFacts, person.id, populate_existing=True)


def attendance(source: Source = Source.REGISTRATION) -> dict[str, tuple[bool, str]]:
    query = (
        sa.select(Person.email, Attendance.cancelled, Attendance.status)
        .join(Attendance, Attendance.person_id == Person.id)
        .where(Attendance.source == source)
    )
    return {row.email: (row.cancelled, row.status) for row in db.session.execute(query)}


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All that an import may change, but not the record of imports itself."""
    models = (Person, PersonFacts, Attendance, Purchase, Suppression, ConsentChange)
    return {
        model.__tablename__: [
            tuple(row) for row in db.session.execute(sa.select(*model.__table__.columns)).all()
        ]
        for model in models
    }


@pytest.mark.parametrize(
    "name",
    [path.name for path in sorted(FILES.glob("*.csv")) if path.name != "purchases.csv"],
)
def test_importing_the_same_file_twice_changes_nothing(
    actor: Actor, gala: Event, name: str
) -> None:
    data = (FILES / name).read_bytes()
    first = take(actor, data, event_slug="gala")
    before = everything()
    second = take(actor, data, event_slug="gala")
    assert everything() == before
    assert counts(second) == (0, 0, first["rows"] - first["rejected"], first["rejected"])
    assert len(before["person"]) == first["added"] > 0


def test_a_person_is_stored_whole_with_facts(actor: Actor, acme: Organisation) -> None:
    take(
        actor, "Name,Phone,Email,City,Country,Time zone\nSarah Lee,416 555 0123,S@X.co,Ulm,DE,UTC\n"
    )
    (sarah,) = people()
    assert (sarah.first_name, sarah.last_name, sarah.name_key) == ("Sarah", "Lee", "sarah lee")
    assert (sarah.phone, sarah.email) == ("+14165550123", "s@x.co")
    assert (sarah.city, sarah.city_key, sarah.country, sarah.timezone) == (
        "Ulm",
        "ulm",
        "DE",
        "UTC",
    )
    assert sarah.organisation_id == acme.id
    assert (facts(sarah).has_phone, facts(sarah).has_email, facts(sarah).phone_country) == (
        True,
        True,
        "CA",
    )


def test_a_known_person_is_filled_in_and_never_emptied(actor: Actor, acme: Organisation) -> None:
    sarah = make_person(
        acme, phone="+14165550123", email=None, first_name="Sarah", last_name="", city="Toronto"
    )
    report = take(actor, "phone,email,last name,city\n4165550123,sarah@x.co,Lee,\n")
    assert counts(report) == (0, 1, 0, 0)
    db.session.refresh(sarah)
    assert (sarah.first_name, sarah.last_name, sarah.email) == ("Sarah", "Lee", "sarah@x.co")
    assert sarah.city == "Toronto"
    assert facts(sarah).has_email


def test_the_first_row_about_a_person_decides_and_later_ones_only_fill_in(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollcall.people.imports.BATCH_ROWS", 1)
    file = (
        "phone,email,name,city\n"
        "4165550123,s@x.co,Sarah Lee,\n"
        "4165550123,s@x.co,Tom Lee,Ulm\n"
        "4165550123,s@x.co,Ann Lee,Bonn\n"
    )
    take(actor, file)
    assert [(person.full_name, person.city) for person in people()] == [("Sarah Lee", "Ulm")]
    assert counts(take(actor, file)) == (0, 0, 3, 0)
    corrected = take(actor, file.replace("Sarah", "Sara"))
    assert counts(corrected) == (0, 1, 2, 0)
    assert people()[0].full_name == "Sara Lee"


def test_people_who_share_a_phone_stay_apart_and_are_marked(actor: Actor) -> None:
    take(actor, "phone,email,name\n4165550123,ann@x.co,Ann Lee\n4165550123,bo@x.co,Bo Lee\n")
    ann, bo = people()
    assert facts(ann).phone_shared
    assert facts(bo).phone_shared
    assert not facts(ann).email_shared


def test_a_row_whose_addresses_belong_to_two_people_is_rejected(
    actor: Actor, acme: Organisation
) -> None:
    ann = make_person(acme, phone="+14165550123", email="ann@x.co", first_name="Ann", last_name="")
    bo = make_person(acme, phone="+14165550199", email="bo@x.co", first_name="Bo", last_name="")
    assert counts(take(actor, "phone,email,name\n4165550123,bo@x.co,Bo\n")) == (0, 0, 0, 1)
    third = take(actor, "phone,email,name\n4165550123,bo@x.co,Cy\n")
    assert counts(third) == (1, 0, 0, 0)  # a third name is a third person who shares both
    (rejected,) = db.session.scalars(sa.select(RejectedRow))
    assert rejected.line == 2
    assert f"the phone +14165550123 belongs to person {ann.id}" in rejected.reason.casefold()
    assert f"the e-mail bo@x.co to person {bo.id}" in rejected.reason
    assert rejected.raw == ["4165550123", "bo@x.co", "Bo"]


def test_two_records_that_could_both_be_meant_are_not_mixed(
    actor: Actor, acme: Organisation
) -> None:
    make_person(acme, phone="+14165550123", email=None, first_name="Ann", last_name="")
    make_person(acme, phone=None, email="ann@x.co", first_name="Ann", last_name="")
    assert counts(take(actor, "phone,email,name\n4165550123,ann@x.co,Ann\n")) == (0, 0, 0, 1)


def test_nothing_of_another_organisation_is_touched(actor: Actor) -> None:
    other = make_organisation("other")
    theirs = make_person(other, phone="+14165550123", email=None, first_name="", last_name="")
    assert counts(take(actor, "phone,name\n4165550123,Sarah\n")) == (1, 0, 0, 0)
    db.session.refresh(theirs)
    assert theirs.first_name == ""
    assert not facts(theirs).phone_shared


def test_an_opt_out_or_a_block_survives_every_import(actor: Actor, acme: Organisation) -> None:
    gone = make_person(acme, phone="+14165550123", email="s@x.co", opted_out=Channel.SMS)
    blocked = make_person(acme, phone="+14165550199", email="b@x.co", blocked=True)
    take(actor, "phone,email,sms opt-out\n4165550123,s@x.co,no\n4165550199,b@x.co,no\n")
    assert facts(gone).opted_out_sms
    assert facts(blocked).blocked
    # Somebody new under an address that opted out is opted out too.
    take(actor, "phone,email,name\n4165550123,new@x.co,New Person\n")
    assert facts(people()[-1]).opted_out_sms


def test_mailchimps_unsubscribed_and_cleaned_are_left_alone_from_then_on(
    actor: Actor, acme: Organisation
) -> None:
    sharing = make_person(acme, phone=None, email="left@example.com", first_name="Other")
    take(actor, (FILES / "mailchimp_unsubscribed.csv").read_bytes())
    take(actor, (FILES / "mailchimp_cleaned.csv").read_bytes())
    by_email = {person.email: person for person in people() if person.id != sharing.id}
    left, bounced = by_email["left@example.com"], by_email["bounced@example.com"]
    assert facts(left).opted_out_email
    assert not facts(left).opted_out_sms
    assert facts(sharing).opted_out_email
    assert facts(bounced).email_invalid
    change = db.session.scalars(sa.select(ConsentChange).filter_by(person_id=left.id)).one()
    assert (change.channel, change.opted_out, change.source) == ("email", True, "import")


def test_registrations_and_scans_of_an_event(actor: Actor, gala: Event) -> None:
    report = take(actor, (FILES / "luma_guests.csv").read_bytes(), event_slug="gala")
    assert counts(report) == (6, 0, 0, 0)
    assert attendance() == {
        "sarah@example.com": (False, "attending"),
        "kofi@example.com": (False, "attending"),
        "ben@example.com": (True, "cancelled"),
    }
    assert attendance(Source.QR_SCAN) == {"sarah@example.com": (False, "attending")}
    scan = db.session.scalars(sa.select(Attendance).filter_by(source=Source.QR_SCAN)).one()
    assert scan.occurred_at == datetime(2026, 11, 28, 23, 41, 7, tzinfo=UTC)


def test_a_file_of_scans(actor: Actor, gala: Event) -> None:
    take(actor, "email\na@x.co\nb@x.co\n", event_slug="gala", source="qr_scan")
    assert set(attendance(Source.QR_SCAN)) == {"a@x.co", "b@x.co"}
    assert attendance() == {}
    take(actor, "email,checked in\nc@x.co,yes\nd@x.co,no\n", event_slug="gala", source="qr_scan")
    assert set(attendance(Source.QR_SCAN)) == {"a@x.co", "b@x.co", "c@x.co"}


def test_cancelled_refunded_withdrawn_and_back_again(actor: Actor, gala: Event) -> None:
    def status(*words: str) -> dict[str, Any]:
        rows = "".join(f"p{n}@x.co,{word}\n" for n, word in enumerate(words))
        return take(actor, f"email,status\n{rows}", event_slug="gala")

    assert counts(status("attending", "attending", "approved")) == (3, 0, 0, 0)
    assert counts(status("cancelled", "refunded", "waitlist")) == (0, 3, 0, 0)
    assert attendance() == {
        "p0@x.co": (True, "cancelled"),
        "p1@x.co": (True, "refunded"),
        "p2@x.co": (True, "cancelled"),
    }
    assert counts(status("cancelled", "refunded", "waitlist")) == (0, 0, 3, 0)
    assert counts(status("attending", "refunded", "approved")) == (0, 2, 1, 0)
    assert attendance()["p0@x.co"] == (False, "attending")


@pytest.mark.parametrize("words", [("cancelled", "attending"), ("attending", "cancelled")])
def test_two_tickets_of_which_one_is_given_back_still_attend(
    actor: Actor, gala: Event, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.setattr("rollcall.people.imports.BATCH_ROWS", 1)
    file = "email,status\n" + "".join(f"a@x.co,{word}\n" for word in words)
    take(actor, file, event_slug="gala")
    assert attendance() == {"a@x.co": (False, "attending")}
    assert counts(take(actor, file, event_slug="gala")) == (0, 0, 2, 0)


def test_a_cancellation_does_not_undo_a_scan(actor: Actor, acme: Organisation, gala: Event) -> None:
    attend(gala, make_person(acme, phone=None, email="a@x.co"), Source.QR_SCAN)
    take(actor, "email,status\na@x.co,cancelled\n", event_slug="gala")
    assert attendance(Source.QR_SCAN) == {"a@x.co": (False, "attending")}


def test_rejected_rows_are_kept_in_the_order_of_the_file(actor: Actor) -> None:
    file = "phone,email\n12,\n4165550123,\nx,a@x.co\n,\n"
    assert counts(take(actor, file)) == (1, 0, 0, 2)
    rows = db.session.scalars(sa.select(RejectedRow).order_by(RejectedRow.id)).all()
    assert [(row.line, row.raw) for row in rows] == [(2, ["12", ""]), (4, ["x", "a@x.co"])]
    assert rows[0].reason == "“12” is too short for a phone number."


def test_the_run_and_the_audit_trail_say_what_happened(actor: Actor, gala: Event) -> None:
    seen: list[int] = []
    data = b"phone\n4165550123\n12\n"
    report = take(
        actor,
        data,
        event_slug="gala",
        file_name="list.csv",
        bytes_total=len(data),
        on_progress=seen.append,
    )
    run = db.session.get_one(ImportRun, report["id"])
    assert (run.state, run.rows, run.added, run.rejected) == ("completed", 2, 1, 1)
    assert (run.event_id, run.source, run.file_name) == (gala.id, "registration", "list.csv")
    assert run.bytes_done == run.bytes_total == seen[-1] == len(data)
    entry = db.session.scalars(sa.select(AuditEntry).filter_by(action="people.import")).one()
    assert (entry.staff_id, entry.after["rows"]) == (actor.staff_id, 2)


def test_a_corrected_mapping_is_remembered_for_the_same_header(actor: Actor) -> None:
    file = "Main,Second,Email\n4165550123,4165550199,a@x.co\n"
    assert not propose_import(io.BytesIO(file.encode()), actor).remembered
    take(actor, file, corrections={"phone": "Second"})
    assert people()[0].phone == "+14165550199"
    proposal = propose_import(io.BytesIO(file.encode()), actor)
    assert proposal.remembered
    assert proposal.mapping.columns["phone"] == "Second"
    foreign = make_actor(make_organisation("other"))
    assert not propose_import(io.BytesIO(file.encode()), foreign).remembered


@pytest.mark.parametrize(
    ("data", "options", "field", "reason"),
    [
        (b"", {}, "file", "The file is empty."),
        (b"shoe,size\nred,12\n", {}, "phone", "phone or the e-mail address"),
        (b"email\na@x.co\n", {"corrections": {"phone": "Cell"}}, "phone", "no column “Cell”"),
        (b"email\na@x.co\n", {"source": "telepathy"}, "source", "registration or qr_scan"),
    ],
)
def test_what_cannot_be_imported_says_why_and_stores_nothing(
    actor: Actor, data: bytes, options: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        take(actor, data, **options)
    assert reason in refused.value.fields[field]
    assert people() == []
    assert db.session.scalars(sa.select(ImportRun)).all() == []


def test_an_event_of_another_organisation_is_not_found(actor: Actor) -> None:
    make_event(make_organisation("other"), "theirs")
    with pytest.raises(NotFound):
        take(actor, "email\na@x.co\n", event_slug="theirs")


def test_a_stop_half_way_keeps_what_was_counted_and_says_failed(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollcall.people.imports.BATCH_ROWS", 2)
    file = "email\n" + "".join(f"p{n}@x.co\n" for n in range(6))

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(actor, file, on_progress=stop)
    run = db.session.scalars(sa.select(ImportRun)).one()
    assert (run.state, run.added, len(people())) == ("failed", 2, 2)
    assert "Import it again" in run.error
    assert counts(take(actor, file)) == (4, 0, 2, 0)


def test_a_batch_that_fails_leaves_nothing_of_itself(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(intake, "refresh_facts", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        take(actor, "email\na@x.co\n")
    assert people() == []
    assert db.session.scalars(sa.select(ImportRun)).one().rows == 0


CONTACTS = (
    ("4165550123", "ann@x.co", "Ann Lee"),
    ("4165550123", "bo@x.co", "Bo Lee"),  # shares a phone
    ("4165550124", "ann@x.co", "Cy Lee"),  # shares an e-mail address
    ("4165550125", "", "Di Lee"),
    ("4165550125", "", "Ed Lee"),  # shares a phone and has nothing else
    ("", "flo@x.co", "Flo"),
    ("4165550126", "", ""),
    ("4165550126", "gus@", "Gus"),
    ("", "", "Nobody"),
)
STATUSES = ("", "attending", "checked in", "cancelled", "refunded", "waitlist", "?")
TICKETS = st.lists(
    st.tuples(st.sampled_from(CONTACTS), st.sampled_from(STATUSES)), min_size=1, max_size=12
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TICKETS, st.sampled_from([1, 3, 100]))
def test_any_tickets_of_some_people_twice_change_nothing(
    app: Any, tickets: list[tuple[tuple[str, ...], str]], batch: int
) -> None:
    actor = make_actor(make_organisation())
    make_event(db.session.get_one(Organisation, actor.organisation_id), "gala")
    rows = [",".join((*contact, status)) for contact, status in tickets]
    file = "phone,email,name,status\n" + "\n".join(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rollcall.people.imports.BATCH_ROWS", batch)
        first = take(actor, file, event_slug="gala")
        before = everything()
        second = take(actor, file, event_slug="gala")
    assert sum(counts(first)) == first["rows"] == len(tickets)
    assert everything() == before
    assert counts(second) == (0, 0, len(tickets) - first["rejected"], first["rejected"])


def take_purchases(actor: Actor, text: str | bytes, **options: Any) -> dict[str, Any]:
    data = text if isinstance(text, bytes) else text.encode()
    return import_purchases(io.BytesIO(data), actor, **options)


def purchases() -> list[Purchase]:
    return list(db.session.scalars(sa.select(Purchase).order_by(Purchase.reference)))


def test_purchases_of_known_people(actor: Actor, acme: Organisation) -> None:
    spring = make_event(acme, "spring")
    sarah = make_person(acme, phone="+14165550123", email="sarah@example.com")
    report = take_purchases(actor, (FILES / "purchases.csv").read_bytes())
    assert counts(report) == (2, 0, 1, 3)
    first, second = purchases()
    assert (first.reference, first.amount, first.currency) == ("P-1", Decimal("1234.50"), "CAD")
    assert (first.person_id, first.event_id) == (sarah.id, spring.id)
    assert second.person_id == sarah.id
    again = take_purchases(actor, (FILES / "purchases.csv").read_bytes())
    assert counts(again) == (0, 0, 3, 3)


def test_a_purchase_of_somebody_unknown_is_rejected(actor: Actor) -> None:
    report = take_purchases(actor, "email,amount,date\nnobody@x.co,5,2026-01-01\n")
    assert counts(report) == (0, 0, 0, 1)
    (rejected,) = db.session.scalars(sa.select(RejectedRow))
    assert rejected.reason == "Nobody here has nobody@x.co; import this person first."


def test_a_changed_purchase_is_corrected_and_a_refunded_one_taken_back(
    actor: Actor, acme: Organisation
) -> None:
    make_person(acme, email="a@x.co")
    file = "order id,email,amount,date,status\nA-1,a@x.co,{},2026-01-01,{}\n"
    take_purchases(actor, file.format(5, "paid"))
    assert counts(take_purchases(actor, file.format(6, "paid"))) == (0, 1, 0, 0)
    assert purchases()[0].amount == 6
    assert counts(take_purchases(actor, file.format(6, "refunded"))) == (0, 1, 0, 0)
    assert purchases() == []


def test_purchases_without_a_reference_are_told_apart(actor: Actor, acme: Organisation) -> None:
    make_person(acme, email="a@x.co")
    file = "email,amount,date\n" + "a@x.co,5,2026-01-01\n" * 2 + "a@x.co,7,2026-01-01\n"
    assert counts(take_purchases(actor, file)) == (3, 0, 0, 0)
    assert counts(take_purchases(actor, file)) == (0, 0, 3, 0)
    assert sum(purchase.amount for purchase in purchases()) == 17


def test_a_payment_under_another_name_goes_to_who_has_the_address(
    actor: Actor, acme: Organisation
) -> None:
    ann = make_person(acme, email="a@x.co", first_name="Ann", last_name="Lee")
    take_purchases(actor, "email,name,amount,date\na@x.co,Bo Roy,5,2026-01-01\n")
    assert purchases()[0].person_id == ann.id


def test_two_people_of_the_same_file_can_be_blocked_between_imports(
    actor: Actor, acme: Organisation
) -> None:
    take(actor, "email\na@x.co\n")
    with write():
        db.session.execute(sa.update(PersonFacts).values(blocked=True))
        db.session.execute(sa.update(Person).values(blocked_at=clock.now()))
    take(actor, "email,name\na@x.co,Ann Lee\n")
    assert facts(people()[0]).blocked
    assert people()[0].blocked_at is not None


@pytest.mark.parametrize(
    "rows",
    [
        # The third row says two people, until the fourth tells one of them apart from it.
        "+14165550101,x30@example.org,Ada,\n+14165550110,x0@example.org,,Li\n"
        "+14165550110,x30@example.org,Bo,\n+14165550110,,Di,Li\n",
        ",x41@example.org,,\n+14165550152,,Ed,Li\n"
        "+14165550152,x41@example.org,Ed,Li\n,x41@example.org,,Mo\n",
    ],
)
def test_rows_that_later_rows_tell_apart_go_in_at_once_and_not_the_second_time(actor, rows: str):
    text = f"Phone,Email,First Name,Last Name\n{rows}"
    first, again = take(actor, text), take(actor, text)
    assert (first["rows"], first["rejected"]) == (4, 0)
    assert (again["added"], again["updated"], again["unchanged"]) == (0, 0, 4)
