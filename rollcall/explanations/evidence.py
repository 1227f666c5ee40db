"""What is stored that shows why somebody was left out, as of the moment at which they were.

Only what was recorded by that moment counts. Where it can no longer be told, because an address
was changed since or nothing was kept, there is no evidence, and only the reason is said. For an
exclusion it names the segment or earlier campaign, as far as what is stored tells.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from rollcall.audience.criteria import CampaignChoice, Reached, either
from rollcall.audience.query import address_column
from rollcall.explanations.attendance import attendances_at, say_attendance
from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Evidence
from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    AuditEntry,
    Campaign,
    Channel,
    ConsentChange,
    LeftOut,
    Person,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.types import IdList, IsOneOf
from rollcall.wording import say_reason


def excluded_by_segment(context: Context, past: Mapping[int, bool]) -> dict[int, Evidence]:
    """Return the segments that are left out: which people they held then is not kept."""
    if context.criteria is None:
        return {}
    choices = context.criteria.exclude_segments
    names = either([context.names.segment(choice) for choice in choices])
    details = {"segments": [choice.slug for choice in choices]}
    return {
        person_id: Evidence(
            "segment",
            f"{'was' if over else 'is'} in the segment {names}, which is left out",
            None,
            details,
        )
        for person_id, over in past.items()
    }


def excluded_by_campaign(context: Context, moments: Mapping[int, datetime]) -> dict[int, Evidence]:
    """Return by person the first campaign that is left out and had reached them by then."""
    if context.criteria is None:
        return {}
    found: dict[int, Evidence] = {}
    for choice in context.criteria.exclude_campaigns:
        find = _listed if choice.who is Reached.PLANNED else _reached
        for person_id, at, text in find(context, choice, moments):
            name = context.names.campaigns.get(choice.id, str(choice.id))
            found.setdefault(
                person_id,
                Evidence(
                    "campaign",
                    f"{text} “{name}”, which is left out",
                    at,
                    {"campaign_id": choice.id, "campaign": name},
                ),
            )
    return found


def _listed(context: Context, choice: CampaignChoice, moments: Mapping[int, datetime]) -> Any:
    rows = db.session.execute(
        sa.select(
            Recipient.person_id,
            Recipient.in_estimate,
            Recipient.in_final,
            Campaign.frozen_at,
            Campaign.final_at,
        )
        .join(Campaign, Campaign.id == Recipient.campaign_id)
        .where(
            Recipient.campaign_id == choice.id,
            IsOneOf(Recipient.person_id, sa.literal(list(moments), IdList)),
        )
    )
    for row in rows:
        moment = moments[row.person_id]
        # Until it is sent a campaign's list is its estimate.
        early = row.final_at is not None and row.final_at > moment
        listed = row.in_estimate if early else row.in_final
        if listed and row.frozen_at is not None and row.frozen_at <= moment:
            yield row.person_id, row.frozen_at, "on the list of"


def _reached(context: Context, choice: CampaignChoice, moments: Mapping[int, datetime]) -> Any:
    attempts = db.session.scalars(
        sa.select(Attempt)
        .where(
            Attempt.campaign_id == choice.id,
            IsOneOf(Attempt.person_id, sa.literal(list(moments), IdList)),
        )
        .order_by(Attempt.id)
    )
    for attempt in attempts:
        moment = moments[attempt.person_id]
        if choice.who is Reached.DELIVERED:
            at = attempt.receipt_at or attempt.finished_at
            if attempt.outcome == RecipientState.DELIVERED and at is not None and at <= moment:
                yield attempt.person_id, at, f"got, on {context.say(at)},"
        elif attempt.started_at <= moment and attempt.outcome not in (
            RecipientState.FAILED,
            RecipientState.QUEUED,
        ):
            at = attempt.started_at
            yield attempt.person_id, at, f"was sent, on {context.say(at)},"


@dataclass(frozen=True)
class Question:
    """Why somebody was left out: the reason, when that was found, and for which sending.

    `at` is None where nobody knows when it was found; `past` says that it is over.
    """

    reason: Reason
    at: datetime | None
    due: datetime | None = None
    past: bool = True
    held: bool = False  # found while sending


Questions = Mapping[int, Question]
Found = dict[int, Evidence]


def find_evidence(context: Context, questions: Questions) -> Found:
    """Return by person what shows the reason, where something stored does; some queries in all."""
    by_reason: defaultdict[Reason, dict[int, Question]] = defaultdict(dict)
    for person_id, question in questions.items():
        if question.at is not None:
            by_reason[question.reason][person_id] = question
    found: Found = {}
    for reason, asked in by_reason.items():
        find = _FINDERS.get(reason)
        found |= find(context, asked) if find else {}
    return found


def say_left_out(context: Context, question: Question, evidence: Evidence | None) -> str:
    """Return why, as a clause about one person without a subject."""
    if evidence is not None:
        return evidence.text
    said = _OWN_WORDS.get(question.reason) or say_reason(
        question.reason.key, 1, context.channel, context.hours
    )
    if not question.past:
        return said
    if question.reason is Reason.RECENTLY_MESSAGED:
        return f"had a message within the window of {context.hours} h"
    for now, then in (("has ", "had "), ("is ", "was "), ("shares ", "shared ")):
        if said.startswith(now):
            return then + said.removeprefix(now)
    return said


_OWN_WORDS = {
    Reason.DRY_RUN: "this is a dry run, which messages nobody of its list",
    Reason.CRITERIA_NO_LONGER_MET: "no longer matches the criteria",
}


def find_consents(context: Context, people: Sequence[int]) -> Sequence[ConsentChange]:
    """Return the opt-outs and opt-ins of these people for the channel, the earliest first."""
    if not people:
        return []
    return db.session.scalars(
        sa.select(ConsentChange)
        .where(
            IsOneOf(ConsentChange.person_id, sa.literal(list(people), IdList)),
            ConsentChange.channel == context.channel,
        )
        .order_by(ConsentChange.at, ConsentChange.id)
    ).all()


def _consents(context: Context, asked: Questions) -> Found:
    last: dict[int, ConsentChange] = {}
    for row in find_consents(context, list(asked)):
        if row.at <= (asked[row.person_id].at or row.at):
            last[row.person_id] = row
    since = {person_id: row.at for person_id, row in last.items() if row.opted_out}
    moved = _address_changes(context, since)
    what = "texts" if context.channel == Channel.SMS else "e-mails"
    return {
        person_id: Evidence(
            "consent",
            f"opted out of {what} on {context.say(last[person_id].at)} ({last[person_id].source})",
            last[person_id].at,
            {"channel": str(context.channel), "source": last[person_id].source},
        )
        for person_id, at in since.items()
        # The address that opted out is then no longer the one that was asked about.
        if not any(at < moment <= (asked[person_id].at or moment) for moment in moved[person_id])
    }


def _address_changes(context: Context, people: Iterable[int]) -> defaultdict[int, list[datetime]]:
    """Return when the address of each person was changed by staff or by a program."""
    field = "phone" if context.channel == Channel.SMS else "email"
    changes: defaultdict[int, list[datetime]] = defaultdict(list)
    for row in find_audited(context, people, ("person.edit",)):
        if field in (row.after or {}):
            changes[int(row.object_id)].append(row.at)
    return changes


def find_audited(context: Context, people: Iterable[int], actions: Sequence[str]) -> Sequence[Any]:
    """Return what the audit trail has of these people and actions, the earliest first."""
    wanted = [str(person_id) for person_id in people]
    if not wanted:
        return []
    return db.session.execute(
        sa.select(AuditEntry.object_id, AuditEntry.action, AuditEntry.at, AuditEntry.after)
        .where(
            AuditEntry.organisation_id == context.organisation_id,
            AuditEntry.object_type == "person",
            AuditEntry.object_id.in_(wanted),
            AuditEntry.action.in_(actions),
        )
        .order_by(AuditEntry.id)
    ).all()


def _blocks(context: Context, asked: Questions) -> Found:
    """Return each block as it stood then: by the audit trail, else by the person's record."""
    standing: dict[int, tuple[datetime, str] | None] = {}
    for row in find_audited(context, asked, ("person.block", "person.unblock")):
        person_id = int(row.object_id)
        if row.at > (asked[person_id].at or row.at):
            continue
        since = standing.get(person_id)
        reason = (row.after or {}).get("reason", "")
        blocked = row.action == "person.block"
        standing[person_id] = (since[0] if since else row.at, reason) if blocked else None
    rest = [person_id for person_id in asked if person_id not in standing]
    for person in _people(rest):
        if person.blocked_at and person.blocked_at <= (asked[person.id].at or person.blocked_at):
            standing[person.id] = (person.blocked_at, person.blocked_reason)
    return {
        person_id: Evidence(
            "block",
            f"blocked since {context.say(block[0])}" + (f": “{block[1]}”" if block[1] else ""),
            block[0],
            {"reason": block[1]},
        )
        for person_id, block in standing.items()
        if block is not None
    }


def _people(people: Sequence[int]) -> Sequence[Person]:
    if not people:
        return []
    return db.session.scalars(
        sa.select(Person).where(IsOneOf(Person.id, sa.literal(list(people), IdList)))
    ).all()


def _messages(context: Context, asked: Questions) -> Found:
    window = timedelta(hours=context.hours)
    moments = [(question.due or question.at, question.at) for question in asked.values()]
    rows = db.session.execute(
        sa.select(Attempt, Campaign.name)
        .join(Campaign, Campaign.id == Attempt.campaign_id)
        .where(
            IsOneOf(Attempt.person_id, sa.literal(list(asked), IdList)),
            Attempt.started_at > min(due for due, _ in moments if due) - window,
            Attempt.started_at <= max(at for _, at in moments if at),
        )
        .order_by(Attempt.started_at, Attempt.id)
    ).all()
    found: Found = {}
    for attempt, name in rows:
        question = asked[attempt.person_id]
        due = question.due or question.at
        if due is None or question.at is None:
            continue
        if due - window < attempt.started_at <= question.at and _counted(attempt, question.at):
            found[attempt.person_id] = _message(context, attempt, name, due)
    return found


def _counted(attempt: Attempt, moment: datetime) -> bool:
    """Return whether the message stood in the way then: one that failed no longer does."""
    if attempt.outcome not in (RecipientState.FAILED, RecipientState.QUEUED):
        return True
    return attempt.finished_at is not None and attempt.finished_at > moment


def _message(context: Context, attempt: Attempt, name: str, due: datetime) -> Evidence:
    before = due - attempt.started_at
    return Evidence(
        "message",
        f"had “{name}” on {context.say(attempt.started_at)}, {_say_length(before)} before "
        f"this one (window {context.hours} h)",
        attempt.started_at,
        {
            "campaign_id": attempt.campaign_id,
            "campaign": name,
            "window_hours": context.hours,
            "hours_before": round(before / timedelta(hours=1), 2),
        },
    )


def _say_length(length: timedelta) -> str:
    """Return a length of time as "16 h", "40 min" or "seconds"."""
    minutes = round(length / timedelta(minutes=1))
    if minutes < 1:
        return "seconds"
    return f"{minutes} min" if minutes < 120 else f"{round(length / timedelta(hours=1)):,} h"


def _duplicates(context: Context, asked: Questions) -> Found:
    """Return whoever comes first of those who share the address, where it is still the same."""
    rows = [row for row in _find_sharing(context, list(asked)) if _fits(context, asked, row)]
    changes = _address_changes(context, {one for row in rows for one in (row.id, row.other)})
    first: dict[int, Any] = {}
    for row in rows:
        moments = (*changes[row.id], *changes[row.other])
        # Whoever was given the address since had another one then.
        if not any(moment > (asked[row.id].at or moment) for moment in moments):
            first.setdefault(row.id, row)
    return {person_id: _sharing(row, asked[person_id]) for person_id, row in first.items()}


def _find_sharing(context: Context, people: Sequence[int]) -> Sequence[Any]:
    """Return the others who share an address with these people, and how the campaign has them."""
    mine, other = aliased(Person), aliased(Person)
    key = address_column(context.channel).key
    address = getattr(mine, key)
    tables = sa.join(mine, other, sa.and_(getattr(other, key) == address, other.id != mine.id))
    for table in (Recipient, LeftOut):
        here = sa.and_(table.campaign_id == context.campaign_id, table.person_id == other.id)
        tables = sa.join(tables, table, here, isouter=True)
    return db.session.execute(
        sa.select(mine.id, other.id.label("other"), other.first_name, other.last_name)
        .add_columns(
            address.label("address"),
            Recipient.address.label("messaged"),
            Recipient.in_estimate,
            Recipient.in_final,
            LeftOut.at_send,
        )
        .select_from(tables)
        .where(
            IsOneOf(mine.id, sa.literal(list(people), IdList)),
            other.organisation_id == context.organisation_id,
        )
        .order_by(mine.id, other.id)
    ).all()


def _fits(context: Context, asked: Questions, row: Any) -> bool:
    """Return whether the other one is why the person was left out as a duplicate.

    Of those who share an address the lowest id stays; while sending, whoever was messaged first.
    """
    question = asked[row.id]
    if question.held:
        return row.messaged == row.address
    if row.other > row.id:
        return False
    if not question.past or question.at == context.campaign.frozen_at:
        return bool(row.in_estimate)
    return bool(row.in_final) or row.at_send == Reason.REACHABLE


def _sharing(row: Any, question: Question) -> Evidence:
    name = f"{row.first_name} {row.last_name}".strip() or "somebody without a name"
    verb = "shared" if question.past else "shares"
    return Evidence(
        "shared_address",
        f"{verb} {row.address} with {name} (person {row.other}), who comes first",
        None,
        {"person_id": row.other, "address": row.address},
    )


def _excluded_events(context: Context, asked: Questions) -> Found:
    if context.criteria is None:
        return {}
    slugs = context.criteria.exclude_events
    found: Found = {}
    for person_id, rows in attendances_at(context, list(asked), slugs).items():
        question = asked[person_id]
        standing = [row for row in rows if question.at and row.counted_at(question.at)]
        if standing:
            text = f"{say_attendance(context, standing[0])}, which is left out"
            found[person_id] = standing[0].arrival(text)
    return found


def _excluded_segments(context: Context, asked: Questions) -> Found:
    return excluded_by_segment(
        context, {person_id: question.past for person_id, question in asked.items()}
    )


def _excluded_campaigns(context: Context, asked: Questions) -> Found:
    moments = {person_id: question.at for person_id, question in asked.items() if question.at}
    return excluded_by_campaign(context, moments)


_FINDERS: dict[Reason, Callable[[Context, Questions], Found]] = {
    Reason.OPTED_OUT: _consents,
    Reason.BLOCKED: _blocks,
    Reason.RECENTLY_MESSAGED: _messages,
    Reason.DUPLICATE_ADDRESS: _duplicates,
    Reason.EXCLUDED_EVENT: _excluded_events,
    Reason.EXCLUDED_SEGMENT: _excluded_segments,
    Reason.EXCLUDED_CAMPAIGN: _excluded_campaigns,
}
