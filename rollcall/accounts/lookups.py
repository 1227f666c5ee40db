"""Finding organisations and staff members; nothing here changes anything."""

import sqlalchemy as sa

from rollcall.errors import NotFound
from rollcall.extensions import db
from rollcall.models import LinkKind, Organisation, Role, StaffLink, StaffMember


def list_organisations() -> list[Organisation]:
    """Return every organisation of this installation, by slug: for the command line only."""
    return list(db.session.scalars(sa.select(Organisation).order_by(Organisation.slug)))


def find_organisation(slug: str) -> Organisation:
    """Return the organisation with this slug; raises NotFound."""
    found = db.session.scalar(sa.select(Organisation).where(Organisation.slug == slug))
    if found is None:
        raise NotFound(f"There is no organisation with the slug {slug!r}.")
    return found


def find_own_organisation(organisation_id: int) -> Organisation:
    """Return the organisation of whoever acts."""
    return db.session.get_one(Organisation, organisation_id)


def is_invited() -> sa.ColumnElement[bool]:
    """Return the condition that a staff member was invited and has not accepted yet."""
    invitation = sa.exists().where(
        StaffLink.staff_id == StaffMember.id, StaffLink.kind == LinkKind.INVITATION
    )
    return sa.and_(StaffMember.password_hash.is_(None), invitation)


def list_staff(organisation_id: int) -> list[StaffMember]:
    """Return an organisation's staff members, the active ones first, by e-mail address.

    Whoever was invited and has not accepted is none yet.
    """
    return list(
        db.session.scalars(
            sa.select(StaffMember)
            .where(StaffMember.organisation_id == organisation_id, ~is_invited())
            .order_by(StaffMember.active.desc(), StaffMember.email)
        )
    )


def find_staff(organisation_id: int, staff_id: int) -> StaffMember:
    """Return a staff member of this organisation; raises NotFound for any other id."""
    found = db.session.get(StaffMember, staff_id)
    if found is None or found.organisation_id != organisation_id:
        raise NotFound("There is no such staff member.")
    return found


def find_staff_by_email(email: str) -> StaffMember | None:
    """Return the staff member who logs in with this e-mail address, in any letter case."""
    address = email.strip().lower()
    return db.session.scalar(sa.select(StaffMember).where(StaffMember.email == address))


def find_first_super(organisation_id: int) -> StaffMember | None:
    """Return the organisation's first active super, or None when it has none (yet)."""
    return db.session.scalar(
        sa.select(StaffMember)
        .where(
            StaffMember.organisation_id == organisation_id,
            StaffMember.role == Role.SUPER,
            StaffMember.active,
            ~is_invited(),
        )
        .order_by(StaffMember.id)
        .limit(1)
    )
