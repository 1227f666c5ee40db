"""What Rollcall tells its staff by itself: on their page of notices, and by e-mail.

Everything here adds to the caller's transaction, so that nobody is told of what did not happen.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from rollcall import clock
from rollcall.actors import Actor
from rollcall.errors import NotFound
from rollcall.extensions import db, write
from rollcall.models import Campaign, Notice, Role, StaffMail, StaffMember
from rollcall.paging import PAGE_LENGTH, Page, check_page_length, read_cursor, write_cursor
from rollcall.upserts import insert_missing

LONGEST_TITLE = 300


def tell_staff(
    staff: Iterable[StaffMember], kind: str, key: str, title: str, text: str, path: str = ""
) -> int:
    """Give each of these a notice and an e-mail, once for each `key`; return how many are new.

    `path` is of the page that it is about. Whoever is deactivated is told nothing.
    """
    told = 0
    for member in staff:
        if member.active:
            told += _tell(member, kind, key, title[:LONGEST_TITLE], text, path)
    return told


def tell_author(campaign: Campaign, kind: str, key: str, title: str, text: str) -> int:
    """Tell whoever scheduled (else wrote) a campaign; return 0 where they have been, or are gone.

    The key is made the campaign's own.
    """
    author = campaign.scheduled_by or campaign.created_by
    path = f"/campaigns/{campaign.id}"
    return tell_staff([author] if author else [], kind, f"{campaign.id}.{key}", title, text, path)


def tell_admins(
    organisation_id: int, kind: str, key: str, title: str, text: str, path: str = ""
) -> int:
    """Tell every active admin and super of the organisation; return how many had not been."""
    return tell_staff(list_admins(organisation_id), kind, key, title, text, path)


def list_admins(organisation_id: int) -> list[StaffMember]:
    """Return the organisation's active admins and supers."""
    return list(
        db.session.scalars(
            sa.select(StaffMember)
            .where(
                StaffMember.organisation_id == organisation_id,
                StaffMember.role.in_([role for role in Role if role.at_least(Role.ADMIN)]),
                StaffMember.active,
            )
            .order_by(StaffMember.id)
        )
    )


def queue_mail(
    member: StaffMember, subject: str, text: str, path: str = "", *, secret: bool = False
) -> None:
    """Put an e-mail to a staff member in line.

    `path` is what its link leads to; a `secret` one is forgotten once the mail is gone.
    """
    now = clock.now()
    db.session.add(
        StaffMail(
            organisation_id=member.organisation_id,
            staff_id=member.id,
            address=member.email,
            subject=subject[:LONGEST_TITLE],
            text=text,
            path=path,
            secret=secret,
            created_at=now,
            not_before=now,
        )
    )


def list_notices(actor: Actor, cursor: str | None = None, limit: int = PAGE_LENGTH) -> Page[Notice]:
    """Return a page of the actor's notices, the newest first."""
    check_page_length(limit)
    query = sa.select(Notice).where(Notice.staff_id == actor.staff_id).order_by(Notice.id.desc())
    if cursor:
        (before,) = read_cursor(cursor, int)
        query = query.where(Notice.id < before)
    found = list(db.session.scalars(query.limit(limit + 1)))
    more = len(found) > limit
    return Page(found[:limit], write_cursor(found[limit - 1].id) if more else None)


def count_unread(staff_id: int) -> int:
    """Return how many notices the staff member has not read, at most 100."""
    unread = (
        sa.select(Notice.id)
        .where(Notice.staff_id == staff_id, Notice.read_at.is_(None))
        .limit(100)
        .subquery()
    )
    return db.session.scalar(sa.select(sa.func.count()).select_from(unread)) or 0


def read_notices(actor: Actor, notice_id: int | None = None) -> int:
    """Mark one of the actor's notices, or all, as read; return how many were not before.

    Raises NotFound for a notice of somebody else.
    """
    with write():
        mine = sa.select(Notice).where(Notice.staff_id == actor.staff_id)
        if notice_id is not None:
            mine = mine.where(Notice.id == notice_id)
            if db.session.scalar(mine) is None:
                raise NotFound(f"There is no notice {notice_id}.")
        unread = list(db.session.scalars(mine.where(Notice.read_at.is_(None))))
        for notice in unread:
            notice.read_at = clock.now()
        return len(unread)


def _tell(member: StaffMember, kind: str, key: str, title: str, text: str, path: str) -> int:
    added = db.session.execute(
        insert_missing(Notice)
        .values(
            organisation_id=member.organisation_id,
            staff_id=member.id,
            kind=kind,
            key=key,
            title=title,
            text=text,
            path=path,
            created_at=clock.now(),
        )
        .returning(Notice.id)
    ).all()
    if added:
        queue_mail(member, title, text, path)
    return len(added)
