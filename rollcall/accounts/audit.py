"""Reading the audit trail: newest first, page by page, filtered, searched, or whole as a file.

Nothing here can change it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import AuditEntry, StaffMember
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line


def holds_text(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Return whether the JSON of a column holds the text, in any letter case.

    SQLite keeps JSON with every letter beyond ASCII written as \\u00e9, PostgreSQL as it is. On
    SQLite the case counts in those letters.
    """
    on_sqlite = db.session.connection().dialect.name == "sqlite"
    written = json.dumps(text, ensure_ascii=on_sqlite)[1:-1]
    return sa.cast(column, sa.Text).icontains(written, autoescape=True)


PAGE_LENGTH = 50
EXPORT_BATCH = 1_000
LONGEST_TEXT = 200
ORIGINS = {
    "browser": "browser",
    "api": "API",
    "cli": "command line",
    "scheduler": "scheduler",
    "recipient": "their own message or link",
    "visitor": "browser, not logged in",
}


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; None is any. `action` is a whole one or its first word.

    `since` and `until` are the moments between which it was done, the first one included.
    """

    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    staff_id: int | None = None
    origin: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


@dataclass(frozen=True)
class AuditPage:
    """Entries, the newest first, and the ids to turn the page by (None at the ends)."""

    entries: list[AuditEntry]
    newer_than: int | None
    older_than: int | None


class Change(NamedTuple):
    """One field of a change; None where it was not there."""

    field: str
    before: Any
    after: Any


def read_audit_filter(
    zone: str,
    *,
    staff_id: int | None = None,
    first_day: str = "",
    last_day: str = "",
    **words: str,
) -> AuditFilter:
    """Return the filter that was typed: days of the zone, as 2026-11-29, both included.

    `words` are `action`, `object_type`, `object_id`, `origin` and `text`. Raises InvalidInput
    naming `from`, `to`, `origin` or `q`.
    """
    given = {name: " ".join(word.split()) for name, word in words.items() if word.strip()}
    problems: dict[str, str] = {}
    if given.get("origin", "cli") not in ORIGINS:
        problems["origin"] = f"Choose one of {', '.join(ORIGINS)}."
    if len(given.get("text", "")) > LONGEST_TEXT:
        problems["q"] = f"Use at most {LONGEST_TEXT} characters."
    first, last = _read_day(first_day, "from", problems), _read_day(last_day, "to", problems)
    if first and last and last < first:
        problems["to"] = "The last day is before the first one."
    if problems:
        raise InvalidInput(problems)
    return AuditFilter(
        staff_id=staff_id,
        since=_start_of(first, zone) if first else None,
        until=_start_of(last + timedelta(days=1), zone) if last else None,
        **given,
    )


def _read_day(typed: str, field: str, problems: dict[str, str]) -> date | None:
    text = typed.strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problems[field] = f"{text[:40]!r} is not a day; write it as 2026-11-29."
        return None
    if not 1970 <= day.year <= 2200:
        problems[field] = f"The year {day.year} can't be right; check the date."
        return None
    return day


def _start_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def list_audit_entries(
    organisation_id: int,
    wanted: AuditFilter,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
    limit: int = PAGE_LENGTH,
) -> AuditPage:
    """Return the page of entries before the id `older_than`, or after `newer_than`, or the newest.

    One more entry than shown is read, to know whether there is a further page.
    """
    query = sa.select(AuditEntry).where(*_conditions(organisation_id, wanted))
    if newer_than is not None:
        query = query.where(AuditEntry.id > newer_than).order_by(AuditEntry.id)
    else:
        if older_than is not None:
            query = query.where(AuditEntry.id < older_than)
        query = query.order_by(AuditEntry.id.desc())
    found = list(db.session.scalars(query.limit(limit + 1)))
    more = len(found) > limit
    entries = found[:limit]
    if newer_than is not None:
        entries.reverse()
    has_newer = more if newer_than is not None else older_than is not None
    has_older = True if newer_than is not None else more
    return AuditPage(
        entries,
        newer_than=entries[0].id if entries and has_newer else None,
        older_than=entries[-1].id if entries and has_older else None,
    )


def export_entries(organisation_id: int, wanted: AuditFilter) -> Iterator[dict[str, Any]]:
    """Yield all entries of the filter as documents, the oldest first, a batch in memory at once."""
    last = 0
    while True:
        query = (
            sa.select(AuditEntry)
            .where(*_conditions(organisation_id, wanted), AuditEntry.id > last)
            .order_by(AuditEntry.id)
            .limit(EXPORT_BATCH)
        )
        entries = list(db.session.scalars(query))
        if not entries:
            return
        documents = [entry_document(entry) for entry in entries]
        last = entries[-1].id
        for entry in entries:
            db.session.expunge(entry)
        yield from documents


def entry_document(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as the API, the exports and the command line give it.

    Its seal covers all of it but `staff`; see `rollcall.sealing`.
    """
    return {
        "id": entry.id,
        "number": entry.number,
        "organisation_id": entry.organisation_id,
        "at": entry.at.isoformat(timespec="microseconds"),
        "staff_id": entry.staff_id,
        "staff": entry.staff.email if entry.staff else None,
        "origin": entry.origin,
        "address": entry.address,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "before": entry.before,
        "after": entry.after,
        "seal": entry.seal,
    }


def changed_fields(entry: AuditEntry) -> list[Change]:
    """Return what an entry says was changed, field by field; equal fields are left out."""
    before = entry.before or {}
    after = entry.after or {}
    fields = [*before, *(field for field in after if field not in before)]
    return [
        Change(field, before.get(field), after.get(field))
        for field in fields
        if before.get(field) != after.get(field)
    ]


def _conditions(organisation_id: int, wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [AuditEntry.organisation_id == organisation_id]
    for column in (AuditEntry.object_type, AuditEntry.object_id, AuditEntry.staff_id):
        value = getattr(wanted, column.key)
        if value is not None:
            conditions.append(column == value)
    if wanted.action is not None:
        within = AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True)
        conditions.append(sa.or_(AuditEntry.action == wanted.action, within))
    if wanted.origin is not None:
        conditions.append(AuditEntry.origin == wanted.origin)
    if wanted.since is not None:
        conditions.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEntry.at < wanted.until)
    if wanted.text is not None:
        conditions.append(_mentions(organisation_id, wanted.text))
    return conditions


def _mentions(organisation_id: int, text: str) -> sa.ColumnElement[bool]:
    by_name = sa.select(StaffMember.id).where(
        StaffMember.organisation_id == organisation_id,
        sa.or_(
            StaffMember.email.icontains(text, autoescape=True),
            StaffMember.name.icontains(text, autoescape=True),
        ),
    )
    return sa.or_(
        AuditEntry.action.icontains(text, autoescape=True),
        AuditEntry.object_id == text,
        AuditEntry.address == text,
        AuditEntry.staff_id.in_(by_name),
        holds_text(AuditEntry.before, text),
        holds_text(AuditEntry.after, text),
    )


FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
COLUMNS = (
    *("number", "at", "staff", "origin", "address", "action", "object_type", "object_id"),
    *("before", "after", "seal"),
)


def write_file(format: str, entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a file of these entries; in a CSV no cell can act as a formula."""
    if format == "jsonl":
        for entry in entries:
            yield json.dumps(entry, ensure_ascii=False) + "\n"
        return
    yield BYTE_ORDER_MARK + csv_line(COLUMNS)
    for entry in entries:
        yield csv_line([_cell(entry[column]) for column in COLUMNS])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
