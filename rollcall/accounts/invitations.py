"""Invitations: somebody joins the staff by a link with which they choose their own password."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.links import SAID_LIVES, make_link
from rollcall.accounts.lookups import find_staff_by_email, is_invited
from rollcall.accounts.notices import queue_mail
from rollcall.accounts.staff import (
    add_staff,
    describe_staff,
    find_for_change,
    hold_organisation,
    read_name,
    read_role,
    read_staff_email,
    require_rank_for,
)
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import LinkKind, Notice, Role, StaffLink, StaffMail, StaffMember


class Invitation(NamedTuple):
    """An invitation just made; `path` is the link's, or None where it goes by mail."""

    staff_id: int
    email: str
    path: str | None


@dataclass(frozen=True)
class OpenInvitation:
    """Somebody who was invited and has not accepted, and what became of it."""

    member: StaffMember
    invited_at: datetime
    invited_by: StaffMember | None
    expires_at: datetime
    holds: bool
    mail: str  # waiting, sent, failed, or nothing where it went by no mail
    mail_error: str | None


def invite_staff(
    actor: Actor, email: str, role: str, *, name: str = "", by_mail: bool
) -> Invitation:
    """Invite somebody by e-mail address; whoever was and has not accepted is invited again.

    Takes an admin, and nobody gives a role above their own. The link goes `by_mail` to the
    address, or is returned for the actor to pass on. Raises InvalidInput for an address that
    can't be used or that logs in already.
    """
    actor.require(Role.ADMIN)
    address, given, label = read_staff_email(email), read_role(role), read_name(name)
    require_rank_for(actor, given)
    with write():
        hold_organisation(actor.organisation_id)
        staff = find_staff_by_email(address)
        before = describe_staff(staff) if staff else None
        if staff is None:
            staff = add_staff(actor, address, label, given, None)
        else:
            _check_invited(actor, staff)
            staff.name, staff.role = label or staff.name, given
        return _send(actor, staff, by_mail, before)


def invite_again(actor: Actor, staff_id: int, *, by_mail: bool) -> Invitation:
    """Make a new link for somebody who has not accepted; the earlier one is dead.

    Raises Conflict where they have accepted, or are deactivated.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        _require_invited(staff)
        if not staff.active:
            raise Conflict(f"{staff.email} is deactivated. Let them in again first.")
        return _send(actor, staff, by_mail, describe_staff(staff))


def withdraw_invitation(actor: Actor, staff_id: int) -> str:
    """Take an invitation back as though it had never been, and return the e-mail address.

    The address is free again. Raises Conflict where it has been accepted.
    """
    actor.require(Role.ADMIN)
    with write():
        staff = find_for_change(actor, staff_id)
        _require_invited(staff)
        address, before = staff.email, describe_staff(staff)
        # Whoever never logged in has done nothing that would have to keep their name.
        for table in (StaffLink, StaffMail, Notice):
            db.session.execute(sa.delete(table).where(table.staff_id == staff.id))
        db.session.delete(staff)
        record(actor, "staff.withdraw_invitation", "staff", staff_id, before=before)
    return address


def list_invitations(organisation_id: int) -> list[OpenInvitation]:
    """Return who was invited and has not accepted, by e-mail address."""
    members = db.session.scalars(
        sa.select(StaffMember)
        .where(StaffMember.organisation_id == organisation_id, is_invited())
        .order_by(StaffMember.email)
    )
    return [_describe(member) for member in members]


def find_invitation(member: StaffMember) -> OpenInvitation | None:
    """Return somebody's invitation, or None where they have accepted it or never had one."""
    invited = sa.select(StaffMember.id).where(StaffMember.id == member.id, is_invited())
    return _describe(member) if db.session.scalar(invited) is not None else None


def _send(
    actor: Actor, staff: StaffMember, by_mail: bool, before: dict[str, str] | None
) -> Invitation:
    path = make_link(staff, LinkKind.INVITATION, actor.staff_id)
    after = {**describe_staff(staff), "link": "sent by mail" if by_mail else "shown to pass on"}
    record(actor, "staff.invite", "staff", staff.id, before=before, after=after)
    if by_mail:
        queue_mail(staff, *_write_mail(actor, staff), path, secret=True)
    return Invitation(staff.id, staff.email, None if by_mail else path)


def _write_mail(actor: Actor, staff: StaffMember) -> tuple[str, str]:
    inviter = db.session.get(StaffMember, actor.staff_id) if actor.staff_id else None
    organisation = staff.organisation.name
    who = (inviter.name or inviter.email) if inviter else organisation
    return (
        f"You are invited to {organisation} on Rollcall",
        f"{who} invites you to work with Rollcall for {organisation}, with the role {staff.rank}. "
        "Choose your password with the link below. It can be used once, within "
        f"{SAID_LIVES[LinkKind.INVITATION]}.\n\n"
        "If you don't know what this is about, do nothing: without a password nobody can log in.",
    )


def _check_invited(actor: Actor, staff: StaffMember) -> None:
    """Raise InvalidInput unless the address stands for somebody here who has not accepted."""
    if staff.organisation_id != actor.organisation_id:
        raise InvalidInput(
            {"email": "Somebody logs in with this e-mail address already; use another."}
        )
    require_rank_for(actor, staff.rank)
    if not staff.active:
        raise InvalidInput({"email": "They are deactivated: let them in again on their page."})
    if find_invitation(staff) is None:
        raise InvalidInput(
            {"email": "They can log in already; their role is changed on their page."}
        )


def _require_invited(staff: StaffMember) -> None:
    if find_invitation(staff) is None:
        raise Conflict(f"{staff.email} has accepted the invitation already, or never had one.")


def _describe(member: StaffMember) -> OpenInvitation:
    link = db.session.scalars(
        sa.select(StaffLink)
        .where(StaffLink.staff_id == member.id, StaffLink.kind == LinkKind.INVITATION)
        .order_by(StaffLink.id.desc())
        .limit(1)
    ).one()
    mail = db.session.scalar(
        sa.select(StaffMail)
        .where(StaffMail.staff_id == member.id, StaffMail.secret)
        .where(StaffMail.created_at >= link.created_at)
        .order_by(StaffMail.id.desc())
        .limit(1)
    )
    made_by = link.created_by_id
    return OpenInvitation(
        member=member,
        invited_at=link.created_at,
        invited_by=db.session.get(StaffMember, made_by) if made_by else None,
        expires_at=link.expires_at,
        holds=link.withdrawn_at is None and member.active and link.expires_at > clock.now(),
        mail=_mail_state(mail),
        mail_error=mail.error if mail else None,
    )


def _mail_state(mail: StaffMail | None) -> str:
    if mail is None:
        return ""
    if mail.ended_at is None:
        return "waiting"
    return "failed" if mail.error else "sent"
