"""The inbox: what people sent to our numbers, and what staff make of what is unclear."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    Campaign,
    Channel,
    InboundMeaning,
    InboundMessage,
    Person,
    StaffMember,
)
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.people.consent import suppress_addresses
from rollcall.people.records import LARGEST_ID
from rollcall.text import fold

STOPPED, IGNORED = "stop", "ignored"
# As staff give them, and as they are stored.
DECISIONS: Mapping[str, str] = {"stop": STOPPED, "ignore": IGNORED}
DECIDABLE = (InboundMeaning.UNCLEAR, InboundMeaning.OTHER)
GIVEN = {stored: given for given, stored in DECISIONS.items()}
SAID = {STOPPED: "opted them out", IGNORED: "found that it is not a stop"}

# Written out, because the index holds these messages only.
_UNDECIDED = sa.text("inbound_message.meaning = 'unclear' AND inbound_message.decision IS NULL")

_DECIDED = sa.or_(
    InboundMessage.meaning != InboundMeaning.UNCLEAR, InboundMessage.decision.is_not(None)
)


@dataclass(frozen=True)
class InboxLine:
    """One message with who sent it, the campaign they last got before, and who decided."""

    message: InboundMessage
    person_name: str | None
    campaign_id: int | None
    campaign_name: str | None
    decided_by: str | None

    @property
    def may_be_decided(self) -> bool:
        """Return whether staff can still make something of it."""
        return self.message.meaning in DECIDABLE and self.message.decision is None


def list_inbox(
    organisation_id: int,
    *,
    undecided: bool | None = None,
    text: str = "",
    cursor: str | None = None,
    limit: int = PAGE_LENGTH,
) -> Page[InboxLine]:
    """Return a page of messages, the newest first.

    `undecided`: only those that wait for a decision, or only the others. `text` is searched for
    in the messages, the phones and the beginnings of names.
    """
    check_page_length(limit)
    query = _lines(organisation_id).order_by(InboundMessage.id.desc()).limit(limit + 1)
    if undecided is not None:
        query = query.where(_UNDECIDED if undecided else _DECIDED)
    if text.strip():
        query = query.where(_holds(text.strip()))
    if cursor:
        query = query.where(InboundMessage.id < read_cursor(cursor, int)[0])
    lines = [InboxLine(*row) for row in db.session.execute(query)]
    return cut_page(lines, limit, lambda line: line.message.id)


def count_undecided(organisation_id: int) -> int:
    """Return how many messages wait for somebody to say whether they mean stop."""
    query = (
        sa.select(sa.func.count())
        .select_from(InboundMessage)
        .where(InboundMessage.organisation_id == organisation_id, _UNDECIDED)
    )
    return db.session.scalar(query) or 0


def find_inbound(organisation_id: int, message_id: int) -> InboxLine:
    """Return one message; raises NotFound for one of another organisation."""
    row = None
    if 0 < message_id <= LARGEST_ID:
        query = _lines(organisation_id).where(InboundMessage.id == message_id)
        row = db.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound(f"There is no message {message_id} in the inbox.")
    return InboxLine(*row)


def decide_inbound(actor: Actor, message_id: int, decision: str) -> bool:
    """Opt the sender out ("stop") or leave them in ("ignore"); returns whether that was new.

    The same decision again changes nothing. Raises Conflict where somebody decided otherwise or
    the message said plainly what it meant, InvalidInput for another decision, NotFound.
    """
    if decision not in DECISIONS:
        raise InvalidInput({"decision": "Decide stop or ignore."})
    wanted = DECISIONS[decision]
    find_inbound(actor.organisation_id, message_id)
    with write():
        now = clock.now()
        taken = db.session.execute(
            sa.update(InboundMessage)
            .where(
                InboundMessage.id == message_id,
                InboundMessage.organisation_id == actor.organisation_id,
                InboundMessage.meaning.in_(DECIDABLE),
                InboundMessage.decision.is_(None),
            )
            .values(decision=wanted, decided_at=now, decided_by_id=actor.staff_id)
            .returning(InboundMessage.address, InboundMessage.channel)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if taken is None:
            _refuse_unless_same(find_inbound(actor.organisation_id, message_id), wanted)
            return False
        people = 0
        if wanted == STOPPED:
            source = f"reply {message_id}, read by staff"
            people = suppress_addresses(
                actor.organisation_id, Channel(taken.channel), [taken.address], source, now
            )
        after = {"decision": wanted, "people": people}
        record(actor, "inbox.decide", "inbound_message", message_id, after=after)
    return True


def _refuse_unless_same(line: InboxLine, wanted: str) -> None:
    message = line.message
    if message.decision == wanted:
        return
    if message.decision is not None:
        who = line.decided_by or "Somebody"
        raise Conflict(f"{who} decided already, and {SAID[message.decision]}.")
    raise Conflict("This message says plainly what it means, so that there is nothing to decide.")


def _lines(organisation_id: int) -> sa.Select[*tuple[Any, ...]]:
    last_campaign = (
        sa.select(Attempt.campaign_id)
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .where(
            Attempt.person_id == InboundMessage.person_id,
            Attempt.started_at <= InboundMessage.received_at,
            Campaign.channel == InboundMessage.channel,
        )
        .order_by(Attempt.started_at.desc(), Attempt.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    name = sa.func.trim(Person.first_name + " " + Person.last_name)
    return (
        sa.select(InboundMessage, name, Campaign.id, Campaign.name, StaffMember.name)
        .outerjoin(Person, Person.id == InboundMessage.person_id)
        .outerjoin(Campaign, Campaign.id == last_campaign)
        .outerjoin(StaffMember, StaffMember.id == InboundMessage.decided_by_id)
        .where(InboundMessage.organisation_id == organisation_id)
    )


def _holds(text: str) -> sa.ColumnElement[bool]:
    conditions = [
        InboundMessage.text.icontains(text, autoescape=True),
        Person.name_key.startswith(fold(text), autoescape=True),
        Person.last_name_key.startswith(fold(text), autoescape=True),
    ]
    digits = "".join(letter for letter in text if letter in "0123456789")
    if len(digits) >= 3:
        conditions.append(InboundMessage.address.contains(digits, autoescape=True))
    return sa.or_(*conditions)
