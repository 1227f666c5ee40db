"""Loads the demo organisation: its people, earlier events, the event, and its campaigns."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.settings import create_organisation
from rollcall.accounts.staff import create_staff
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria import Criteria
from rollcall.audience.rfm import compute_rfm
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.demo.extras import add_plan, add_segments
from rollcall.demo.people import invent_people
from rollcall.events.records import EventDraft, create_event
from rollcall.extensions import db, write
from rollcall.lookups import find_event
from rollcall.models import (
    Attendance,
    AudienceMode,
    Channel,
    Organisation,
    Person,
    Purchase,
    Role,
    Source,
    StaffMember,
)
from rollcall.people.consent import opt_out_person
from rollcall.people.facts import refresh_facts
from rollcall.people.identity import insert_people, person_values
from rollcall.people.records import block_person

SLUG = "art-battle"
EMAIL = "demo@rollcall.example"
COLLEAGUE = "robin@rollcall.example"
PASSWORD = "friday-to-sunday"
TIMEZONE = "America/Toronto"
EVENT = "art-battle-toronto"
PEOPLE = 820
REGISTERED = 78
SCANNED_UNTIL = 506
EARLIER = (
    ("Art Battle Winter Open", 200, 140),
    ("Art Battle Spring Heat", 160, 190),
    ("Art Battle Summer Final", 90, 260),
    ("Art Battle Nuit Blanche", 45, 320),
    ("Art Battle Harvest Heat", 20, 210),
)

DOORS = (
    "Hi %%FIRST_NAME%%,\n\nyou are on the list for Art Battle Toronto. Doors open at 7, the "
    "first brush touches the canvas at 8.\n\nSee you there,\nthe Art Battle team"
)
WINNER = "Congrats to our WINNER Sarah! %%FIRST_NAME%%, next month's ticket is 50% off: %%LINK%%"


@dataclass(frozen=True)
class Story:
    """The demo as it is stored: who acts, the event, and its two campaigns by mode."""

    actor: Actor
    event_id: int
    people: list[int]


def find_story() -> Story | None:
    """Return the demo that is loaded already, or None."""
    staff = db.session.scalar(sa.select(StaffMember).where(StaffMember.email == EMAIL))
    if staff is None:
        return None
    event = find_event(staff.organisation_id, EVENT)
    people = db.session.scalars(
        sa.select(Person.id)
        .where(Person.organisation_id == staff.organisation_id)
        .order_by(Person.id)
        .limit(PEOPLE)
    )
    return Story(actor_for(staff, "demo"), event.id, list(people))


def load_story(seconds: float) -> Story:
    """Load the demo; its campaigns are scheduled so many seconds from now."""
    organisation = create_organisation(
        "Art Battle", slug=SLUG, country="CA", timezone=TIMEZONE, quiet_hours="off"
    )
    organisation_id = organisation.id
    founder = Actor(organisation_id, None, Role.SUPER, "demo")
    with write():
        db.session.execute(
            sa.update(Organisation).where(Organisation.id == organisation_id).values(is_demo=True)
        )
    create_staff(founder, EMAIL, Role.SUPER, PASSWORD, name="Demo")
    people = _add_people(organisation_id)
    _add_earlier_events(founder, people)
    _add_event(founder, people)
    _leave_some_out(founder, people)
    compute_rfm(founder)
    add_segments(founder, EVENT, people[-8:])
    add_plan(founder, EVENT)
    story = find_story()
    assert story is not None
    schedule_story(story, seconds)
    return story


def schedule_story(story: Story, seconds: float) -> None:
    """Schedule the frozen and the re-processing campaign so many seconds from now, and two more."""
    at = clock.now() + timedelta(seconds=seconds)
    for draft in (_frozen_draft(at), _reprocessed_draft(at + timedelta(seconds=3))):
        schedule_campaign(story.actor, create_campaign(story.actor, draft))
    _schedule_others(story.actor, at)


def _schedule_others(actor: Actor, at: datetime) -> None:
    """A colleague's campaign that outgrows what their role may send to, and one for tomorrow."""
    colleague = create_staff(actor, COLLEAGUE, Role.STAFF, PASSWORD, name="Robin")
    for who, draft in (
        (actor_for(colleague, "demo"), _outgrown_draft(at + timedelta(seconds=10))),
        (actor, _tomorrows_draft(at + timedelta(days=1))),
    ):
        schedule_campaign(who, create_campaign(who, draft))


def _frozen_draft(at: datetime) -> CampaignDraft:
    return CampaignDraft(
        name="Doors open at 7",
        channel=Channel.EMAIL,
        subject="%%FIRST_NAME%%, doors open at 7",
        message=DOORS,
        criteria=Criteria(events=(EVENT,)),
        local_time=_wall_time(at),
        timezone=TIMEZONE,
    )


def _reprocessed_draft(at: datetime) -> CampaignDraft:
    return CampaignDraft(
        name="Winner announcement",
        channel=Channel.SMS,
        message=WINNER,
        link="https://example.org/next/%%HASH%%",
        # The e-mail of the same hour must not keep people from hearing who won.
        criteria=Criteria(events=(EVENT,), window_hours=0),
        audience_mode=AudienceMode.REPROCESS,
        local_time=_wall_time(at),
        timezone=TIMEZONE,
    )


def _outgrown_draft(at: datetime) -> CampaignDraft:
    return CampaignDraft(
        name="Programme of next month",
        channel=Channel.EMAIL,
        subject="What is on next month",
        message="Hi %%FIRST_NAME%%,\n\nnext month: two heats and the final. See you there?",
        criteria=Criteria(events=(EVENT,), window_hours=0),
        audience_mode=AudienceMode.REPROCESS,
        local_time=_wall_time(at),
        timezone=TIMEZONE,
    )


def _tomorrows_draft(at: datetime) -> CampaignDraft:
    return CampaignDraft(
        name="Thank you for coming",
        channel=Channel.SMS,
        message="Thank you for coming, %%FIRST_NAME%%! Tell us how it was: %%LINK%%",
        link="https://example.org/how/%%HASH%%",
        criteria=Criteria(events=(EVENT,), window_hours=12),
        audience_mode=AudienceMode.REPROCESS,
        local_time=_wall_time(at),
        timezone=TIMEZONE,
    )


def _wall_time(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(TIMEZONE)).strftime("%Y-%m-%dT%H:%M:%S")


def _add_people(organisation_id: int) -> list[int]:
    now = clock.now()
    rows = [
        person_values(organisation_id, now - timedelta(days=200), **person)
        for person in invent_people(PEOPLE)
    ]
    with write():
        ids = insert_people(rows)
        refresh_facts(organisation_id, ids)
    return ids


def _add_earlier_events(actor: Actor, people: Sequence[int]) -> None:
    chance = random.Random(7)
    now = clock.now()
    for name, days_ago, heads in EARLIER:
        day = now - timedelta(days=days_ago)
        event_id = _create_evening(actor, name, day)
        came = sorted(chance.sample(list(people[REGISTERED:]), heads))
        with write():
            _attend(event_id, came[: heads // 3], Source.REGISTRATION, day - timedelta(days=9), 8)
            _attend(event_id, came[heads // 4 :], Source.QR_SCAN, day, 0.2)
            _buy(actor.organisation_id, event_id, came[::2], day, chance)


def _add_event(actor: Actor, people: Sequence[int]) -> None:
    now = clock.now()
    event_id = _create_evening(actor, "Art Battle Toronto", now, EVENT)
    with write():
        # A minute of the demo stands for a day: so the curve can be seen to grow.
        minutes = 4
        first = now - timedelta(minutes=minutes)
        _attend(event_id, people[:REGISTERED], Source.REGISTRATION, first, minutes / (24 * 60))


def _create_evening(actor: Actor, name: str, day: datetime, slug: str = "") -> int:
    local = day.astimezone(ZoneInfo(TIMEZONE))
    if not slug:
        local = local.replace(hour=19, minute=0)
    return create_event(
        actor,
        EventDraft(
            name=name,
            slug=slug,
            starts=local.strftime("%Y-%m-%dT%H:%M"),
            ends=(local + timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M"),
            timezone=TIMEZONE,
            venue="The Great Hall",
            city="Toronto",
        ),
    )


def _attend(
    event_id: int, people: Sequence[int], source: Source, first: datetime, days: float
) -> None:
    """Add attendances spread over so many days, most of them late, as people really sign up."""
    if not people:
        return
    last = len(people)
    db.session.execute(
        sa.insert(Attendance),
        [
            {
                "event_id": event_id,
                "person_id": person_id,
                "source": source,
                "cancelled": False,
                "status": "attending",
                "occurred_at": first + timedelta(days=days * (place / last) ** 0.6),
                "recorded_at": first + timedelta(days=days * (place / last) ** 0.6),
            }
            for place, person_id in enumerate(people)
        ],
    )


def _buy(
    organisation_id: int,
    event_id: int,
    people: Sequence[int],
    day: datetime,
    chance: random.Random,
) -> None:
    db.session.execute(
        sa.insert(Purchase),
        [
            {
                "organisation_id": organisation_id,
                "person_id": person_id,
                "event_id": event_id,
                "reference": f"demo-{event_id}-{person_id}",
                "amount": Decimal(chance.choice((20, 25, 25, 40, 60, 120))),
                "currency": "CAD",
                "purchased_at": day - timedelta(days=chance.random() * 10),
            }
            for person_id in people
        ],
    )


def _leave_some_out(actor: Actor, people: Sequence[int]) -> None:
    """Some of those who will come to the door can't be messaged, so that the funnel has steps."""
    for person_id in people[300:306]:
        opt_out_person(actor, person_id, Channel.SMS, "staff")
    for person_id in people[400:403]:
        block_person(actor, person_id, "asked not to be contacted")
