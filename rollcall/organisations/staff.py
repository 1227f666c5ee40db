"""Who may log in, with which role and password."""

import secrets

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, InvalidInput, NotAllowed
from rollcall.extensions import db, write
from rollcall.models import Organisation, Role, StaffMember
from rollcall.organisations.passwords import check_password, hash_password, matches
from rollcall.organisations.reading import find_staff
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue


def create_staff(
    actor: Actor, email: str, role: str, password: str, *, name: str = ""
) -> StaffMember:
    """Add a staff member who can log in at once, and return them.

    Takes an admin, and nobody gives a role above their own. Raises InvalidInput for an e-mail
    address that can't be used or is taken, an unknown role or a weak password.
    """
    actor.require(Role.ADMIN)
    address = _read_email(email)
    given = read_role(role)
    _require_rank_for(actor, given)
    check_password(password, address)
    password_hash = hash_password(password)
    with write():
        staff = StaffMember(
            organisation_id=actor.organisation_id,
            email=address,
            name=_read_name(name),
            role=given,
            password_hash=password_hash,
            session_key=_new_session_key(),
            created_at=clock.now(),
        )
        db.session.add(staff)
        try:
            db.session.flush()
        except IntegrityError as error:
            raise InvalidInput(
                {"email": "Somebody logs in with this e-mail address already; use another."}
            ) from error
        record(actor, "staff.create", "staff", staff.id, after=_describe(staff))
    return staff


def edit_staff(actor: Actor, staff_id: int, *, name: str, role: str) -> None:
    """Change a staff member's name and role.

    Takes an admin whose role is not below the old or the new one. Raises Conflict when the
    organisation would be left without a super.
    """
    actor.require(Role.ADMIN)
    given = read_role(role)
    with write():
        staff = _find_for_change(actor, staff_id)
        _require_rank_for(actor, given)
        if given != Role.SUPER:
            _require_another_super(staff)
        before = _describe(staff)
        staff.name = _read_name(name)
        staff.role = given
        if before != _describe(staff):
            record(actor, "staff.edit", "staff", staff.id, before=before, after=_describe(staff))


def set_password(actor: Actor, staff_id: int, password: str) -> None:
    """Give a staff member a new password and end all their sessions.

    Takes an admin whose role is not below theirs; one's own password is changed by
    `change_own_password`, which asks for the present one.
    """
    actor.require(Role.ADMIN)
    check_password(password, find_staff(actor.organisation_id, staff_id).email)
    password_hash = hash_password(password)
    with write():
        staff = _find_for_change(actor, staff_id)
        _replace_password(staff, password_hash)
        record(actor, "staff.set_password", "staff", staff.id)


def change_own_password(actor: Actor, present: str, password: str) -> None:
    """Change the actor's own password and end all their sessions.

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
        _replace_password(staff, password_hash)
        record(actor, "staff.change_own_password", "staff", staff.id)


def deactivate_staff(actor: Actor, staff_id: int) -> None:
    """End a staff member's sessions and tokens, and let them log in no more.

    Doing it twice changes nothing. Raises Conflict for the organisation's last super.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = _find_for_change(actor, staff_id)
        if not staff.active:
            return
        _require_another_super(staff)
        staff.active = False
        staff.session_key = _new_session_key()
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
        staff = _find_for_change(actor, staff_id)
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


def read_role(text: str) -> Role:
    """Return the role of this name; raises InvalidInput."""
    try:
        return Role(text.strip().lower())
    except ValueError:
        names = ", ".join(Role)
        raise InvalidInput({"role": f"There is no such role; choose one of {names}."}) from None


def _find_for_change(actor: Actor, staff_id: int) -> StaffMember:
    """Return the staff member, held against two changes at once; raises NotFound, NotAllowed."""
    # Two supers who deactivate each other at the same moment must not both succeed.
    organisation = sa.select(Organisation.id).where(Organisation.id == actor.organisation_id)
    db.session.execute(organisation.with_for_update())
    staff = find_staff(actor.organisation_id, staff_id)
    _require_rank_for(actor, staff.rank)
    return staff


def _require_rank_for(actor: Actor, role: Role) -> None:
    if not actor.role.at_least(role):
        raise NotAllowed(f"Your role ({actor.role}) does not reach to somebody who is {role}.")


def _require_another_super(staff: StaffMember) -> None:
    if staff.rank != Role.SUPER or not staff.active:
        return
    others = sa.select(StaffMember.id).where(
        StaffMember.organisation_id == staff.organisation_id,
        StaffMember.role == Role.SUPER,
        StaffMember.active,
        StaffMember.id != staff.id,
    )
    if db.session.scalar(others.limit(1)) is None:
        raise Conflict(f"{staff.email} is the last super. Make somebody else a super first.")


def _replace_password(staff: StaffMember, password_hash: str) -> None:
    staff.password_hash = password_hash
    staff.session_key = _new_session_key()


def _new_session_key() -> str:
    return secrets.token_hex(16)


def _read_email(text: str) -> str:
    try:
        return normalise_email(text)
    except UnreadableValue as error:
        raise InvalidInput({"email": f"{str(error).rstrip('.')}."}) from error


def _read_name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > 200:
        raise InvalidInput({"name": "Write a name of at most 200 characters."})
    return name


def _describe(staff: StaffMember) -> dict[str, str]:
    return {"email": staff.email, "name": staff.name, "role": str(staff.rank)}
