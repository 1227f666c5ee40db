"""Reading the audit trail: newest first, page by page, filtered. Nothing here can change it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from rollcall.extensions import db
from rollcall.models import AuditEntry

PAGE_LENGTH = 50


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; None is any. `action` is a whole one or its first word."""

    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    staff_id: int | None = None


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
    if wanted.action is not None:
        conditions.append(
            sa.or_(
                AuditEntry.action == wanted.action,
                AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True),
            )
        )
    if wanted.object_type is not None:
        conditions.append(AuditEntry.object_type == wanted.object_type)
    if wanted.object_id is not None:
        conditions.append(AuditEntry.object_id == wanted.object_id)
    if wanted.staff_id is not None:
        conditions.append(AuditEntry.staff_id == wanted.staff_id)
    return conditions
