"""The people of a segment: of a snapshot, or of a version as it stands now."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, check_chooses_somebody
from rollcall.audience.criteria.criterion import Values
from rollcall.audience.membership import SetShape, people_of, read_shape, read_version
from rollcall.audience.resolved import Resolved, resolve
from rollcall.errors import NotFound
from rollcall.extensions import db
from rollcall.models import Person, Segment, SegmentSnapshot, SegmentVersion
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.segments.records import find_version, version_criteria
from rollcall.segments.snapshots import find_snapshot
from rollcall.spreadsheets import BYTE_ORDER_MARK, csv_line

CSV_COLUMNS = ("person", "name", "phone", "email")
EXPORTED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Members:
    """Which people of a segment are meant: those of a snapshot, or of a version as it is now."""

    segment: Segment
    version: SegmentVersion
    snapshot: SegmentSnapshot | None = None


@dataclass(frozen=True)
class Member:
    """One person of a segment as staff read it."""

    person_id: int
    name: str
    phone: str | None
    email: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the member as the API gives it."""
        return {
            "person_id": self.person_id,
            "name": self.name,
            "phone": self.phone,
            "email": self.email,
        }


def choose_members(
    segment: Segment, version: int | None = None, snapshot: int | None = None
) -> Members:
    """Return the members that are meant, by default those of the live version as it is now.

    `snapshot` is a snapshot's id, and says the version too. Raises NotFound for what there is
    not, also for a snapshot of another version than the one that is named.
    """
    if snapshot is None:
        return Members(segment, find_version(segment, version))
    found = find_snapshot(segment, snapshot)
    if version not in (None, found.version):
        raise NotFound(
            f"Snapshot {snapshot} of the segment {segment.slug!r} is of version {found.version}, "
            f"not of version {version}."
        )
    return Members(segment, found.of_version, found)


def count_members(members: Members) -> int:
    """Return how many people they are; a snapshot knows its number already."""
    if members.snapshot is not None:
        return members.snapshot.people
    people, values = _people(members)
    return db.session.scalar(sa.select(sa.func.count()).select_from(people), values) or 0


def count_people(organisation_id: int, criteria: Criteria, known: Resolved | None = None) -> int:
    """Return how many people a segment by these criteria would hold now.

    `known` is what they name, where that has been looked up already. Raises InvalidInput where
    nothing is chosen, and naming what there is not.
    """
    check_chooses_somebody(criteria)
    shape, values = read_shape(organisation_id, criteria, known=known)
    values["organisation_id"] = organisation_id
    people = people_of(shape, "").subquery("members")
    return db.session.scalar(sa.select(sa.func.count()).select_from(people), values) or 0


def list_members(
    members: Members, cursor: str | None = None, limit: int = PAGE_LENGTH, text: str = ""
) -> Page[Member]:
    """Return a page of the people in the order of their ids, those who hold `text` if given."""
    check_page_length(limit)
    after = read_cursor(cursor, int)[0] if cursor else 0
    found = _read(members, after, limit + 1, text)
    return cut_page(found, limit, lambda member: member.person_id)


def export_members(members: Members) -> Iterator[str]:
    """Yield the people as CSV, a thousand at a time, safe to open in a spreadsheet."""
    yield BYTE_ORDER_MARK + csv_line(CSV_COLUMNS)
    after = 0
    while found := _read(members, after, EXPORTED_AT_ONCE):
        yield "".join(
            csv_line((str(row.person_id), row.name, row.phone or "", row.email or ""))
            for row in found
        )
        after = found[-1].person_id


def _read(members: Members, after: int, limit: int, text: str = "") -> list[Member]:
    people, values = _people(members)
    query = (
        sa.select(Person)
        .where(Person.id.in_(sa.select(people.c.person_id)), Person.id > after)
        .order_by(Person.id)
        .limit(limit)
    )
    if text.strip():
        query = query.where(_holds(text.strip()))
    return [
        Member(person.id, person.full_name, person.phone, person.email)
        for person in db.session.scalars(query, values)
    ]


def _holds(text: str) -> sa.ColumnElement[bool]:
    key = text.casefold()
    return sa.or_(
        Person.name_key.contains(key, autoescape=True),
        Person.phone.contains(text.replace(" ", ""), autoescape=True),
        Person.email.contains(key, autoescape=True),
    )


def _people(members: Members) -> tuple[sa.Subquery, Values]:
    shape: SetShape
    if members.snapshot is not None:
        shape, values = "snapshot", {"snapshot_id": members.snapshot.id}
    else:
        criteria = version_criteria(members.version)
        known = resolve(members.segment.organisation_id, criteria)
        shape, values = read_version(known, members.version.id, criteria)
    values["organisation_id"] = members.segment.organisation_id
    return people_of(shape, "").subquery("members"), values
