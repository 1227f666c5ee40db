"""The people behind every number: a campaign's recipients, filtered, searched, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.errors import InvalidInput
from rollcall.explanations.causes import CauseQuery, cause_query, every_cause
from rollcall.explanations.explain import explain_people
from rollcall.extensions import db
from rollcall.models import (
    Attempt,
    AudienceSource,
    Campaign,
    Person,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.people.search import matches_person
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line

PAGE = 50


@dataclass(frozen=True)
class RecipientFilter:
    """Which recipients to show; every part that is given narrows the list."""

    change: str | None = None  # kept, joined, left
    state: RecipientState | None = None
    reason: Reason | None = None  # why held back, or why left
    source: AudienceSource | None = None  # how they came in: into the estimate where that is shown
    estimate_only: bool = False
    final_only: bool = False
    cause: str | None = None  # of those who joined or left
    text: str = ""


@dataclass(frozen=True)
class RecipientRow:
    """One recipient as staff read it."""

    person_id: int
    name: str
    phone: str | None
    email: str | None
    change: str
    state: RecipientState
    source: AudienceSource | None
    reason: Reason | None
    error: str | None
    cause: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the recipient as the API gives it."""
        return {
            "person_id": self.person_id,
            "name": self.name,
            "phone": self.phone,
            "email": self.email,
            "change": self.change,
            "status": self.state.key,
            "source": self.source.key if self.source is not None else None,
            "reason": self.reason.key if self.reason is not None else None,
            "cause": self.cause,
            "error": self.error,
        }


def read_recipient_filter(values: dict[str, str]) -> RecipientFilter:
    """Return the filter for words from a query; raises InvalidInput naming an unknown one."""
    problems: dict[str, str] = {}
    change = values.get("change") or None
    if change not in (None, "kept", "joined", "left"):
        problems["change"] = "Use kept, joined or left."
    found: dict[str, Any] = {}
    for name, codes in (("status", RecipientState), ("reason", Reason), ("source", AudienceSource)):
        word = values.get(name)
        if not word:
            continue
        try:
            found[name] = codes[word.upper()]
        except KeyError:
            problems[name] = f"Use one of {', '.join(code.key for code in codes)}."
    cause = values.get("cause") or None
    if cause not in (None, *every_cause()):
        problems["cause"] = f"Use one of {', '.join(every_cause())}."
    if problems:
        raise InvalidInput(problems)
    return RecipientFilter(
        change=change,
        state=found.get("status"),
        reason=found.get("reason"),
        source=found.get("source"),
        estimate_only=values.get("list") == "estimate",
        final_only=values.get("list") == "final",
        cause=cause,
        text=(values.get("q") or "").strip(),
    )


def list_recipients(
    campaign_id: int, wanted: RecipientFilter, after: int = 0, limit: int = PAGE
) -> list[RecipientRow]:
    """Return the recipients beyond person id `after`, in the order of their ids."""
    error = (
        sa.select(Attempt.error_text)
        .where(Attempt.campaign_id == campaign_id, Attempt.person_id == Recipient.person_id)
        .order_by(Attempt.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    causes = cause_query(db.session.get_one(Campaign, campaign_id))
    # The cause is read of the page's people only, unless it is what they are looked for by.
    rows = db.session.execute(
        sa.select(
            Recipient.person_id,
            Recipient.in_estimate,
            Recipient.in_final,
            Recipient.final_source,
            Recipient.estimate_source,
            Recipient.state,
            Recipient.held_reason,
            Recipient.left_reason,
            Person.first_name,
            Person.last_name,
            Person.phone,
            Person.email,
            error.label("error"),
            causes.column.label("cause"),
        )
        .select_from(causes.tables)
        .join(Person, Person.id == Recipient.person_id)
        .where(
            Recipient.campaign_id == campaign_id,
            Recipient.person_id > after,
            *_conditions(wanted),
            *_of_cause(wanted, causes),
        )
        .order_by(Recipient.person_id)
        .limit(limit),
        causes.values,
    )
    return [_row(row) for row in rows]


def _of_cause(wanted: RecipientFilter, causes: CauseQuery) -> list[sa.ColumnElement[bool]]:
    if wanted.cause is None:
        return []
    moved = Recipient.in_estimate.is_distinct_from(Recipient.in_final)
    return [moved, causes.column == wanted.cause]


def _conditions(wanted: RecipientFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.change:
        joined, left = Recipient.in_estimate.is_(False), Recipient.in_final.is_(False)
        conditions.append(
            {"joined": joined, "left": left, "kept": sa.not_(sa.or_(joined, left))}[wanted.change]
        )
    if wanted.state is not None:
        conditions.append(Recipient.state == wanted.state)
    if wanted.reason is not None:
        conditions.append(
            sa.or_(Recipient.held_reason == wanted.reason, Recipient.left_reason == wanted.reason)
        )
    if wanted.source is not None:
        column = Recipient.estimate_source if wanted.estimate_only else Recipient.final_source
        conditions.append(column == wanted.source)
    if wanted.estimate_only:
        conditions.append(Recipient.in_estimate.is_(True))
    if wanted.final_only:
        conditions.append(Recipient.in_final.is_(True))
    if wanted.text:
        conditions.append(matches_person(wanted.text))
    return conditions


def _row(row: Any) -> RecipientRow:
    if not row.in_final:
        change = "left"
    else:
        change = "kept" if row.in_estimate else "joined"
    return RecipientRow(
        person_id=row.person_id,
        name=f"{row.first_name} {row.last_name}".strip(),
        phone=row.phone,
        email=row.email,
        change=change,
        state=row.state,
        source=row.final_source if row.in_final else row.estimate_source,
        reason=row.held_reason if row.held_reason is not None else row.left_reason,
        error=row.error,
        cause=row.cause,
    )


CSV_COLUMNS = (
    *("person", "name", "phone", "email", "change", "source", "status", "reason", "error"),
    *("cause", "explanation"),
)


def export_recipients(campaign_id: int, wanted: RecipientFilter) -> Iterator[str]:
    """Yield the recipients as CSV, a page at a time, safe to open in a spreadsheet.

    Each line ends with the cause and the sentence that explains the person. It begins with a
    byte order mark, by which spreadsheets know UTF-8.
    """
    yield BYTE_ORDER_MARK + csv_line(CSV_COLUMNS)
    after = 0
    while rows := list_recipients(campaign_id, wanted, after, limit=1000):
        campaign = db.session.get_one(Campaign, campaign_id)
        said = explain_people(campaign, [row.person_id for row in rows])
        yield "".join(_csv_row(row, said[row.person_id].sentence) for row in rows)
        after = rows[-1].person_id


def _csv_row(row: RecipientRow, explanation: str) -> str:
    return csv_line(
        (
            str(row.person_id),
            row.name,
            row.phone or "",
            row.email or "",
            row.change,
            row.source.key if row.source is not None else "",
            row.state.key,
            row.reason.key if row.reason is not None else "",
            row.error or "",
            row.cause or "",
            explanation,
        )
    )
