"""The audience as staff see it while they choose: who, why not, what it says, what it costs."""

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria, check_chooses_somebody
from rollcall.audience.funnel import Funnel, count_groups, funnel_of
from rollcall.audience.query import audience_select
from rollcall.audience.quiet import QuietCount, count_quiet, read_sending_window
from rollcall.audience.resolved import Resolved, resolve
from rollcall.extensions import db
from rollcall.messages.parts import MessageParts, count_parts
from rollcall.messages.placeholders import PersonFields, compile_template
from rollcall.messages.pricing import DEFAULT_PRICES, price_of_emails, price_of_parts
from rollcall.models import AudienceSource, Channel, Organisation, Person, Reason
from rollcall.models.types import IdList, IsOneOf

SAMPLES = 6


@dataclass(frozen=True)
class SamplePerson:
    """Somebody who would get the message, and the message as they would read it."""

    person_id: int
    name: str
    source: AudienceSource
    address: str
    subject: str
    text: str
    parts: MessageParts


@dataclass(frozen=True)
class Preview:
    """An exact funnel as of sending at `moment`, some of its people, and the cost.

    `quiet` is None where quiet hours play no part: for e-mail, and where they are off.
    """

    funnel: Funnel
    moment: datetime
    for_later: bool
    samples: list[SamplePerson]
    parts_each: int
    cost: Decimal
    currency: str
    duration_ms: float
    quiet: QuietCount | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the preview as the API gives it."""
        return {
            "computed_for": "scheduled" if self.for_later else "now",
            "moment": self.moment.isoformat(),
            "funnel": self.funnel.to_json(),
            "by_source": self.funnel.by_source_json(),
            "sms_parts_each": self.parts_each,
            "cost": str(self.cost.quantize(Decimal("0.01"))),
            "currency": self.currency,
            "duration_ms": round(self.duration_ms, 1),
            "quiet_hours": self.quiet.to_json() if self.quiet else None,
        }


@dataclass(frozen=True)
class MessageText:
    """What would be sent; an empty message is a form that is not written yet."""

    subject: str = ""
    message: str = ""
    link: str = ""


def preview_audience(
    organisation_id: int,
    criteria: Criteria,
    channel: Channel,
    at: datetime | None = None,
    text: MessageText | None = None,
    known: Resolved | None = None,
) -> Preview:
    """Return the exact audience of sending at `at` (now where it is None), from one statement.

    `known` is what the criteria name, where that has been looked up already. The cost assumes
    the parts of the longest sampled message for everybody. Raises InvalidInput where the
    criteria choose nobody in particular or name an unknown event, or where the text has an
    unknown placeholder.
    """
    started = time.perf_counter()
    check_chooses_somebody(criteria)
    moment = at or clock.now()
    known = known or resolve(organisation_id, criteria)
    funnel, sample_ids, quiet = _count_and_sample(known, criteria, channel, moment)
    samples = _sample_people(sample_ids, channel, text or MessageText())
    parts_each = max((sample.parts.parts for sample in samples), default=1)
    return Preview(
        funnel=funnel,
        moment=moment,
        for_later=at is not None,
        samples=samples,
        parts_each=parts_each,
        cost=cost_of(funnel.by_country, channel, parts_each),
        currency=DEFAULT_PRICES.currency,
        duration_ms=(time.perf_counter() - started) * 1000,
        quiet=quiet,
    )


def cost_of(by_country: dict[str, int], channel: Channel, parts_each: int) -> Decimal:
    """Return what the messages cost, with the same number of SMS parts for each person."""
    if channel == Channel.EMAIL:
        return price_of_emails(sum(by_country.values()))
    prices = [
        price_of_parts(country, parts_each * people) for country, people in by_country.items()
    ]
    return sum(prices, Decimal(0))


def _count_and_sample(
    known: Resolved, criteria: Criteria, channel: Channel, moment: datetime
) -> tuple[Funnel, dict[int, AudienceSource], QuietCount | None]:
    # Each group's lowest and highest id come with its count, so that samples cost no second
    # evaluation, and are spread over sources and countries by themselves. With quiet hours the
    # groups are divided by zone too: some hundred, each judged once.
    organisation = db.session.get_one(Organisation, known.organisation_id)
    window = read_sending_window(organisation, channel, criteria, known)
    query = audience_select(
        known.organisation_id, criteria, channel, moment, window is not None, known
    )
    groups = count_groups(query.statement, query.values)
    samples: dict[int, AudienceSource] = {}
    for group in groups:
        if group.reason is Reason.REACHABLE and len(samples) < SAMPLES:
            samples |= {group.first: group.source, group.last: group.source}
    quiet = count_quiet(groups, window, moment) if window else None
    return funnel_of(groups, query.exclusions), samples, quiet


def _sample_people(
    people: dict[int, AudienceSource], channel: Channel, text: MessageText
) -> list[SamplePerson]:
    subject = compile_template(text.subject, "subject")
    message = compile_template(text.message)
    rows = db.session.scalars(
        sa.select(Person)
        .where(IsOneOf(Person.id, sa.literal(list(people), IdList)))
        .order_by(Person.id)
    )
    found = []
    for person in rows:
        fields = PersonFields(person.first_name, person.last_name, person.hash)
        body = message.render(fields, text.link)
        found.append(
            SamplePerson(
                person_id=person.id,
                name=person.full_name,
                source=people[person.id],
                address=(person.phone if channel == Channel.SMS else person.email) or "",
                subject=subject.render(fields, text.link),
                text=body,
                parts=count_parts(body),
            )
        )
    return found


@dataclass(frozen=True)
class AudienceMember:
    """One person of a funnel's piece."""

    person_id: int
    name: str
    phone: str | None
    email: str | None


def list_audience(
    organisation_id: int,
    criteria: Criteria,
    channel: Channel,
    at: datetime | None,
    reason: Reason,
    after: int = 0,
    limit: int = 50,
    source: AudienceSource | None = None,
) -> list[AudienceMember]:
    """Return the people behind one piece of the funnel, beyond person id `after`.

    `source` narrows them to those who came in that way.
    """
    check_chooses_somebody(criteria)
    query = audience_select(organisation_id, criteria, channel, at or clock.now())
    audience = query.statement.subquery("audience")
    rows = db.session.execute(
        sa.select(Person.id, Person.first_name, Person.last_name, Person.phone, Person.email)
        .join(audience, audience.c.person_id == Person.id)
        .where(
            audience.c.reason == reason,
            audience.c.person_id > after,
            *([] if source is None else [audience.c.source == source]),
        )
        .order_by(audience.c.person_id)
        .limit(limit),
        query.values,
    )
    return [
        AudienceMember(row.id, f"{row.first_name} {row.last_name}".strip(), row.phone, row.email)
        for row in rows
    ]
