"""Segments: created, edited into new versions, found and listed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.audience.criteria import (
    MAX_PEOPLE,
    Criteria,
    check_chooses_somebody,
    criteria_from_text,
    criteria_to_text,
)
from rollcall.audience.membership import read_shape
from rollcall.audience.named import store_version_names
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import Person, Segment, SegmentKind, SegmentListing, SegmentVersion
from rollcall.models.types import IdList, IsOneOf
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.people.picking import check_people_exist
from rollcall.sql import lock_row
from rollcall.text import check_slug, free_slug

LARGEST_ID = 2**31 - 1
LONGEST_NAME = 200
NO_SEGMENTS = (
    "A segment can't be built on other segments, so that each version says all by itself: "
    "choose events and filters, or combine segments in the campaign."
)
NO_PEOPLE = (
    "A list of people can't be narrowed by rules: give the people alone, or the rules alone."
)
# What follows a segment's place in addresses already.
RESERVED = ("new",)


@dataclass(frozen=True)
class SegmentDraft:
    """What staff decide of a segment: either criteria (dynamic) or people's ids (static).

    Without a slug one is made of the name. A segment has no anti-spam window: each campaign
    sets its own, so that the criteria's is left aside.
    """

    name: str
    criteria: Criteria | None = None
    people: tuple[int, ...] | None = None
    slug: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)  # of what could not be read

    @property
    def kind(self) -> SegmentKind:
        """Return what says who belongs to it."""
        return SegmentKind.DYNAMIC if self.people is None else SegmentKind.STATIC


def draft_from(name: str, criteria: Criteria, slug: str = "") -> SegmentDraft:
    """Return the draft that criteria mean: those that only name people are a list of them."""
    if criteria.people is not None and criteria == Criteria(
        people=criteria.people, window_hours=criteria.window_hours
    ):
        return SegmentDraft(name, people=criteria.people, slug=slug)
    return SegmentDraft(name, criteria, slug=slug)


def current_draft(segment: Segment) -> SegmentDraft:
    """Return what the segment says now, to be changed in part; edit it with its version."""
    version = find_version(segment)
    if segment.kind == SegmentKind.STATIC:
        return SegmentDraft(segment.name, people=listed_people(version))
    return SegmentDraft(segment.name, version_criteria(version))


def find_segment(organisation_id: int, key: int | str) -> Segment:
    """Return the organisation's segment by its id (a number) or its slug (a text); or NotFound."""
    if isinstance(key, int):
        matches = Segment.id == key if 0 < key <= LARGEST_ID else sa.false()
    else:
        matches = Segment.slug == key.strip().replace("\0", "")
    segment = db.session.scalar(
        sa.select(Segment).where(Segment.organisation_id == organisation_id, matches)
    )
    if segment is None:
        raise NotFound(f"There is no segment {key!r}.")
    return segment


def find_version(segment: Segment, version: int | None = None) -> SegmentVersion:
    """Return a version of the segment, by default the live one; raises NotFound."""
    wanted = segment.version if version is None else version
    found = db.session.scalar(
        sa.select(SegmentVersion).where(
            SegmentVersion.segment_id == segment.id,
            SegmentVersion.version == wanted if 0 < wanted <= LARGEST_ID else sa.false(),
        )
    )
    if found is None:
        raise NotFound(f"The segment {segment.slug!r} has no version {wanted}.")
    return found


def version_criteria(version: SegmentVersion) -> Criteria | None:
    """Return the criteria of a version, None where it is a list of people."""
    return criteria_from_text(version.definition) if version.definition else None


def list_segments(
    organisation_id: int, cursor: str | None = None, limit: int = PAGE_LENGTH, text: str = ""
) -> Page[Segment]:
    """Return a page of the organisation's segments whose name holds `text`, the newest first."""
    check_page_length(limit)
    query = (
        sa.select(Segment)
        .where(Segment.organisation_id == organisation_id)
        .order_by(Segment.id.desc())
        .limit(limit + 1)
    )
    if text.strip():
        query = query.where(Segment.name.icontains(text.strip(), autoescape=True))
    if cursor:
        query = query.where(Segment.id < read_cursor(cursor, int)[0])
    found = list(db.session.scalars(query))
    return cut_page(found, limit, lambda row: row.id)


def list_versions(
    segment: Segment, before: int | None = None, limit: int | None = None
) -> list[SegmentVersion]:
    """Return the versions of a segment, the newest first: all, or `limit` of those `before`."""
    query = sa.select(SegmentVersion).where(SegmentVersion.segment_id == segment.id)
    if before is not None:
        query = query.where(SegmentVersion.version < before)
    return list(db.session.scalars(query.order_by(SegmentVersion.version.desc()).limit(limit)))


def count_listed(version: SegmentVersion) -> int:
    """Return how many people stand on a static version's list."""
    listed = sa.select(sa.func.count()).where(SegmentListing.version_id == version.id)
    return db.session.scalar(listed) or 0


def listed_people(version: SegmentVersion) -> tuple[int, ...]:
    """Return the ids of the people on a static version's list."""
    return tuple(
        db.session.scalars(
            sa.select(SegmentListing.person_id)
            .where(SegmentListing.version_id == version.id)
            .order_by(SegmentListing.person_id)
        )
    )


def create_segment(actor: Actor, draft: SegmentDraft) -> int:
    """Store a new segment as its version 1 and return its id.

    Raises InvalidInput naming every field that is wrong.
    """
    name, definition = _check(actor.organisation_id, draft)
    slug = check_slug(draft.slug.strip()) if draft.slug.strip() else ""
    try:
        with write():
            is_taken = partial(_is_taken, actor.organisation_id)
            slug = slug or free_slug(name, "segment", is_taken)
            if is_taken(slug):
                raise _slug_taken(slug)
            now = clock.now()
            segment = Segment(
                organisation_id=actor.organisation_id,
                slug=slug,
                name=name,
                kind=draft.kind,
                created_at=now,
                updated_at=now,
            )
            db.session.add(segment)
            db.session.flush()
            add_version(actor, segment, 1, definition, draft.people)
            after = {"slug": slug, "name": name, "kind": draft.kind, "version": 1}
            record(actor, "segment.create", "segment", segment.id, after=after)
            return segment.id
    except IntegrityError as error:
        # Somebody else took the slug between the look and the insert.
        raise _slug_taken(slug) from error


def edit_segment(
    actor: Actor, key: int | str, draft: SegmentDraft, version: int | None = None
) -> int:
    """Replace a segment's name and definition, and return the version that is live then.

    Another definition makes a new version, and the earlier ones stay; the same one makes none.
    Raises Conflict when `version` is given and is no longer the live one.
    """
    name, definition = _check(actor.organisation_id, draft)
    segment_id = find_segment(actor.organisation_id, key).id
    with write():
        segment = lock_row(Segment, segment_id)
        _check_edit(segment, draft, version)
        live = find_version(segment)
        before = {"name": segment.name, "version": live.version, "definition": live.definition}
        segment.name = name
        if _is_other(live, definition, draft.people):
            add_version(actor, segment, live.version + 1, definition, draft.people)
        after = {"name": name, "version": segment.version, "definition": definition}
        if after != before:
            segment.updated_at = clock.now()
            record(actor, "segment.edit", "segment", segment_id, before=before, after=after)
        return segment.version


def add_version(
    actor: Actor,
    segment: Segment,
    number: int,
    definition: str | None,
    people: Sequence[int] | None,
) -> SegmentVersion:
    """Make a new version the live one, inside the caller's transaction."""
    version = SegmentVersion(
        segment_id=segment.id,
        version=number,
        definition=definition,
        created_at=clock.now(),
        created_by_id=actor.staff_id,
    )
    db.session.add(version)
    segment.version = number
    db.session.flush()
    store_version_names(segment.organisation_id, version.id, definition)
    if people is not None:
        _list_people(
            version.id,
            sa.select(sa.literal(version.id), Person.id).where(
                Person.organisation_id == segment.organisation_id,
                IsOneOf(Person.id, sa.literal(list(people), IdList)),
            ),
        )
    return version


def copy_version(actor: Actor, segment: Segment, original: SegmentVersion) -> SegmentVersion:
    """Make a new version with the same definition the live one, inside the transaction."""
    version = add_version(actor, segment, segment.version + 1, original.definition, None)
    if original.definition is None:
        _list_people(
            version.id,
            sa.select(sa.literal(version.id), SegmentListing.person_id).where(
                SegmentListing.version_id == original.id
            ),
        )
    return version


def _list_people(version_id: int, people: sa.Select[*tuple[Any, ...]]) -> None:
    db.session.execute(sa.insert(SegmentListing).from_select(["version_id", "person_id"], people))


def _check(organisation_id: int, draft: SegmentDraft) -> tuple[str, str | None]:
    """Return the name and the definition to store; raises InvalidInput."""
    problems = dict(draft.problems)
    name = draft.name.strip()
    if not name or len(name) > LONGEST_NAME:
        problems["name"] = f"Give the segment a name of at most {LONGEST_NAME} characters."
    definition = None
    try:
        if draft.people is not None:
            _check_list(organisation_id, draft)
        else:
            definition = _check_criteria(organisation_id, draft.criteria or Criteria())
    except InvalidInput as error:
        problems = error.fields | problems
    if problems:
        raise InvalidInput(problems)
    return name, definition


def _check_list(organisation_id: int, draft: SegmentDraft) -> None:
    people = draft.people or ()
    if draft.criteria is not None:
        raise InvalidInput({"people": "Give either criteria or a list of people, not both."})
    if len(people) > MAX_PEOPLE:
        raise InvalidInput({"people": f"At most {MAX_PEOPLE:,} people can be listed."})
    check_people_exist(organisation_id, people)


def _check_criteria(organisation_id: int, criteria: Criteria) -> str:
    if criteria.segment or criteria.exclude_segments:
        name = "segment" if criteria.segment else "exclude_segments"
        raise InvalidInput({name: NO_SEGMENTS})
    if criteria.people is not None:
        raise InvalidInput({"people": NO_PEOPLE})
    check_chooses_somebody(criteria)
    read_shape(organisation_id, criteria)
    return criteria_to_text(replace(criteria, window_hours=0))


def _check_edit(segment: Segment, draft: SegmentDraft, version: int | None) -> None:
    if version is not None and segment.version != version:
        raise Conflict(
            f"Somebody else has edited this segment in the meantime; it is at version "
            f"{segment.version} now: load the page again and look at it first."
        )
    if draft.slug.strip() not in ("", segment.slug):
        raise InvalidInput({"slug": f"The slug can't be changed; it stays {segment.slug!r}."})
    if draft.kind != segment.kind:
        kept = "criteria" if segment.kind == SegmentKind.DYNAMIC else "a list of people"
        raise InvalidInput(
            {"kind": f"This segment is given by {kept}; make a new segment for the other way."}
        )


def _is_other(live: SegmentVersion, definition: str | None, people: Sequence[int] | None) -> bool:
    if people is not None:
        return listed_people(live) != tuple(sorted(set(people)))
    return live.definition != definition


def _slug_taken(slug: str) -> InvalidInput:
    return InvalidInput({"slug": f"There is a segment {slug!r} already; choose another slug."})


def _is_taken(organisation_id: int, slug: str) -> bool:
    if slug in RESERVED:
        return True
    here = sa.exists().where(Segment.organisation_id == organisation_id, Segment.slug == slug)
    return bool(db.session.scalar(sa.select(here)))
