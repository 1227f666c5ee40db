"""What Rollcall tells its staff by itself: on their page of notices, and by e-mail.

Everything here adds to the caller's transaction, so that nobody is told of what did not happen.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.lookups import is_invited
from rollcall.actors import Actor, record
from rollcall.errors import NotFound
from rollcall.extensions import db, write
from rollcall.models import Campaign, Notice, Role, StaffMail, StaffMember
from rollcall.paging import (
    PAGE_LENGTH,
    Page,
    check_page_length,
    cut_page,
    read_cursor,
)
from rollcall.sql import insert_missing

LONGEST_TITLE = 300


def tell_staff(
    staff: Iterable[StaffMember], kind: str, key: str, title: str, text: str, path: str = ""
) -> int:
    """Give each of these a notice, once for each `key`; return how many are new.

    An e-mail goes with it to whoever wants one. `path` is of the page that it is about. Whoever
    is deactivated is told nothing.
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
    """Return the organisation's active admins and supers; whoever is only invited is none yet."""
    return list(
        db.session.scalars(
            sa.select(StaffMember)
            .where(
                StaffMember.organisation_id == organisation_id,
                StaffMember.role.in_([role for role in Role if role.at_least(Role.ADMIN)]),
                StaffMember.active,
                sa.not_(is_invited()),
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


def list_notices(
    actor: Actor,
    cursor: str | None = None,
    limit: int = PAGE_LENGTH,
    *,
    unread: bool | None = None,
) -> Page[Notice]:
    """Return a page of the actor's notices, the newest first: the unread, the read, or all."""
    check_page_length(limit)
    query = sa.select(Notice).where(Notice.staff_id == actor.staff_id).order_by(Notice.id.desc())
    if unread is not None:
        query = query.where(Notice.read_at.is_(None) == unread)
    if cursor:
        (before,) = read_cursor(cursor, int)
        query = query.where(Notice.id < before)
    found = list(db.session.scalars(query.limit(limit + 1)))
    return cut_page(found, limit, lambda notice: notice.id)


def count_unread(staff_id: int) -> int:
    """Return how many notices the staff member has not read, at most 100."""
    unread = (
        sa.select(Notice.id)
        .where(Notice.staff_id == staff_id, Notice.read_at.is_(None))
        .limit(100)
        .subquery()
    )
    return db.session.scalar(sa.select(sa.func.count()).select_from(unread)) or 0


def find_notice(actor: Actor, notice_id: int) -> Notice:
    """Return one of the actor's notices; raises NotFound for anybody else's."""
    notice = db.session.scalar(
        sa.select(Notice).where(Notice.staff_id == actor.staff_id, Notice.id == notice_id)
    )
    if notice is None:
        raise NotFound(f"There is no notice {notice_id}.")
    return notice


def choose_mail_notices(actor: Actor, wanted: bool) -> None:
    """Let what the actor is told come by e-mail too, or stand on their page of notices only."""
    with write():
        member = db.session.get_one(StaffMember, actor.staff_id, populate_existing=True)
        if member.mail_notices == wanted:
            return
        record(
            actor,
            "staff.mail_notices",
            "staff",
            member.id,
            before={"mail_notices": member.mail_notices},
            after={"mail_notices": wanted},
        )
        member.mail_notices = wanted


def read_notices(actor: Actor, notice_id: int | None = None) -> int:
    """Mark one of the actor's notices, or all, as read; return how many were not before.

    Raises NotFound for a notice of somebody else.
    """
    with write():
        mine = sa.and_(Notice.staff_id == actor.staff_id, Notice.read_at.is_(None))
        if notice_id is not None:
            mine = sa.and_(mine, Notice.id == find_notice(actor, notice_id).id)
        read = db.session.execute(
            sa.update(Notice)
            .where(mine)
            .values(read_at=clock.now())
            .returning(Notice.id)
            .execution_options(synchronize_session=False)
        ).all()
        return len(read)


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
    if added and member.mail_notices:
        queue_mail(member, title, text, path)
    return len(added)
