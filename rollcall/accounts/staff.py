"""Who may log in, with which role and password."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.accounts.links import withdraw_links
from rollcall.accounts.lookups import find_staff, is_invited
from rollcall.accounts.passwords import check_password, hash_password, matches
from rollcall.accounts.sessions import end_sessions
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, InvalidInput, NotAllowed
from rollcall.extensions import db, write
from rollcall.models import Organisation, Role, StaffMember
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue

TAKEN = "Somebody logs in with this e-mail address already; use another."


def create_staff(
    actor: Actor, email: str, role: str, password: str, *, name: str = ""
) -> StaffMember:
    """Add a staff member who can log in at once, and return them.

    Takes an admin, and nobody gives a role above their own. Raises InvalidInput for an e-mail
    address that can't be used or is taken, an unknown role or a weak password.
    """
    actor.require(Role.ADMIN)
    address, label = read_staff_email(email), read_name(name)
    given = read_role(role)
    require_rank_for(actor, given)
    check_password(password, address)
    password_hash = hash_password(password)
    with write():
        staff = add_staff(actor, address, label, given, password_hash)
        record(actor, "staff.create", "staff", staff.id, after=describe_staff(staff))
    return staff


def add_staff(
    actor: Actor, address: str, name: str, role: Role, password_hash: str | None
) -> StaffMember:
    """Add the row inside the caller's transaction; raises InvalidInput for a taken address."""
    staff = StaffMember(
        organisation_id=actor.organisation_id,
        email=address,
        name=name,
        role=role,
        password_hash=password_hash,
        created_at=clock.now(),
    )
    db.session.add(staff)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise InvalidInput({"email": TAKEN}) from error
    return staff


def edit_staff(actor: Actor, staff_id: int, *, name: str, role: str) -> None:
    """Change a staff member's name and role.

    Takes an admin whose role is not below the old or the new one. Raises Conflict when the
    organisation would be left without a super.
    """
    actor.require(Role.ADMIN)
    given, label = read_role(role), read_name(name)
    with write():
        staff = find_for_change(actor, staff_id)
        require_rank_for(actor, given)
        if given != Role.SUPER:
            _require_another_super(staff)
        before = describe_staff(staff)
        staff.name = label
        staff.role = given
        if before != describe_staff(staff):
            record(
                actor, "staff.edit", "staff", staff.id, before=before, after=describe_staff(staff)
            )


def set_password(actor: Actor, staff_id: int, password: str) -> None:
    """Give a staff member a new password and end all their sessions.

    Takes an admin whose role is not below theirs; one's own password is changed by
    `change_own_password`, which asks for the present one.
    """
    actor.require(Role.ADMIN)
    check_password(password, find_staff(actor.organisation_id, staff_id).email)
    password_hash = hash_password(password)
    with write():
        staff = find_for_change(actor, staff_id)
        replace_password(staff, password_hash)
        record(actor, "staff.set_password", "staff", staff.id)


def change_own_password(
    actor: Actor, present: str, password: str, *, session_id: int | None = None
) -> None:
    """Change the actor's own password and end all their sessions but the one of `session_id`.

    Raises InvalidInput when `present` is not the present password or the new one is weak.
    """
    if actor.staff_id is None:
        raise NotAllowed("Only a staff member has a password to change.")
    known = find_staff(actor.organisation_id, actor.staff_id)
    if not matches(present, known.password_hash):
        raise InvalidInput({"present_password": "This is not your present password."})
    check_password(password, known.email)
    password_hash = hash_password(password)
    with write():
        staff = find_staff(actor.organisation_id, actor.staff_id)
        replace_password(staff, password_hash, but_session=session_id)
        record(actor, "staff.change_own_password", "staff", staff.id)


def deactivate_staff(actor: Actor, staff_id: int) -> None:
    """End a staff member's sessions, tokens and links, and let them log in no more.

    Doing it twice changes nothing. Raises Conflict for the organisation's last super.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        if not staff.active:
            return
        _require_another_super(staff)
        staff.active = False
        end_sessions(staff.id)
        withdraw_links(staff.id)
        record(
            actor,
            "staff.deactivate",
            "staff",
            staff.id,
            before={"active": True},
            after={"active": False},
        )


def reactivate_staff(actor: Actor, staff_id: int) -> None:
    """Let a deactivated staff member log in again, with the password they had."""
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        if staff.active:
            return
        staff.active = True
        record(
            actor,
            "staff.reactivate",
            "staff",
            staff.id,
            before={"active": False},
            after={"active": True},
        )


def end_staff_sessions(actor: Actor, staff_id: int) -> int:
    """Log a staff member out of every browser, and return how many there were.

    Takes an admin whose role is not below theirs. Their tokens and password stay.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        ended = end_sessions(staff.id)
        if ended:
            after = {"sessions_ended": ended}
            record(actor, "staff.end_sessions", "staff", staff.id, after=after)
        return ended


def read_role(text: str) -> Role:
    """Return the role of this name; raises InvalidInput."""
    try:
        return Role(text.strip().lower())
    except ValueError:
        names = ", ".join(Role)
        raise InvalidInput({"role": f"There is no such role; choose one of {names}."}) from None


def find_for_change(actor: Actor, staff_id: int) -> StaffMember:
    """Return the staff member, held against two changes at once; raises NotFound, NotAllowed."""
    hold_organisation(actor.organisation_id)
    staff = find_staff(actor.organisation_id, staff_id)
    require_rank_for(actor, staff.rank)
    return staff


def hold_organisation(organisation_id: int) -> None:
    """Let one change of an organisation's staff be made at a time, inside the transaction.

    Two supers who deactivate each other at the same moment must not both succeed.
    """
    organisation = sa.select(Organisation.id).where(Organisation.id == organisation_id)
    db.session.execute(organisation.with_for_update())


def require_rank_for(actor: Actor, role: Role) -> None:
    """Raise NotAllowed unless the actor's role reaches to somebody of that role."""
    if not actor.role.at_least(role):
        raise NotAllowed(f"Your role ({actor.role}) does not reach to somebody who is {role}.")


def replace_password(
    staff: StaffMember, password_hash: str, *, but_session: int | None = None
) -> None:
    """Give somebody a password inside the transaction: what let them in before does so no more.

    Only the session `but_session` goes on.
    """
    staff.password_hash = password_hash
    end_sessions(staff.id, but=but_session)
    withdraw_links(staff.id)


def read_staff_email(text: str) -> str:
    """Return an e-mail address as it is kept; raises InvalidInput."""
    try:
        return normalise_email(text)
    except UnreadableValue as error:
        raise InvalidInput({"email": f"{str(error).rstrip('.')}."}) from error


def read_name(text: str) -> str:
    """Return a name with single spaces; raises InvalidInput where it is too long."""
    name = " ".join(text.split())
    if len(name) > 200:
        raise InvalidInput({"name": "Write a name of at most 200 characters."})
    return name


def describe_staff(staff: StaffMember) -> dict[str, str]:
    """Return what of a staff member the audit trail keeps."""
    return {"email": staff.email, "name": staff.name, "role": str(staff.rank)}


def _require_another_super(staff: StaffMember) -> None:
    if staff.rank != Role.SUPER or not staff.active:
        return
    others = sa.select(StaffMember.id).where(
        StaffMember.organisation_id == staff.organisation_id,
        StaffMember.role == Role.SUPER,
        StaffMember.active,
        # Whoever was invited may never come.
        ~is_invited(),
        StaffMember.id != staff.id,
    )
    if db.session.scalar(others.limit(1)) is None:
        raise Conflict(f"{staff.email} is the last super. Make somebody else a super first.")
