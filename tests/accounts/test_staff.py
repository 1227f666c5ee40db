"""Staff members, passwords, log-in and tokens, as verbs."""

import pytest
import sqlalchemy as sa
import time_machine
from argon2 import PasswordHasher

from rollcall.accounts import passwords
from rollcall.accounts.passwords import authenticate
from rollcall.accounts.sessions import begin_session, find_session
from rollcall.accounts.staff import (
    change_own_password,
    create_staff,
    deactivate_staff,
    edit_staff,
    set_password,
)
from rollcall.accounts.tokens import create_token, find_token, note_token_use, revoke_token
from rollcall.actors import Actor, actor_for
from rollcall.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rollcall.extensions import db
from rollcall.models import ApiToken, AuditEntry, Role, StaffMember
from tests.factories import make_actor, make_organisation, make_staff

pytestmark = pytest.mark.usefixtures("app")


def test_a_staff_member_is_kept_with_a_hash_and_audited_without_the_password():
    actor = make_actor()
    staff = create_staff(actor, " Sue@Example.ORG ", "admin", "long enough", name="Sue")
    assert (staff.email, staff.rank) == ("sue@example.org", Role.ADMIN)
    assert staff.password_hash.startswith("$argon2id$")
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert entry.after == {"email": "sue@example.org", "name": "Sue", "role": "admin"}


def test_an_e_mail_address_logs_in_to_one_organisation_only():
    create_staff(make_actor(), "sue@example.org", "staff", "long enough")
    with pytest.raises(InvalidInput, match="email"):
        create_staff(make_actor(), "SUE@example.org", "staff", "long enough")


@pytest.mark.parametrize(("own", "given"), [("admin", "super"), ("staff", "staff")])
def test_who_may_not_give_a_role_gives_none(own, given):
    with pytest.raises(NotAllowed):
        create_staff(make_actor(role=Role(own)), "sue@example.org", given, "long enough")


def test_staff_of_another_organisation_are_not_found():
    actor, stranger = make_actor(), make_staff()
    for attempt in (
        lambda: edit_staff(actor, stranger.id, name="", role="staff"),
        lambda: set_password(actor, stranger.id, "long enough"),
        lambda: deactivate_staff(actor, stranger.id),
        lambda: create_token(actor, "x", stranger.id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert db.session.get_one(StaffMember, stranger.id).active


def test_the_last_active_super_can_be_neither_deactivated_nor_made_less():
    organisation = make_organisation()
    boss = make_staff(Role.SUPER, organisation)
    make_staff(Role.SUPER, organisation, active=False)
    make_staff(Role.SUPER)
    actor = actor_for(boss, "browser")
    with pytest.raises(Conflict, match="last super"):
        deactivate_staff(actor, boss.id)
    with pytest.raises(Conflict, match="last super"):
        edit_staff(actor, boss.id, name="", role="admin")


def test_deactivating_twice_is_recorded_once():
    actor = make_actor()
    staff = create_staff(actor, "sue@example.org", "staff", "long enough")
    deactivate_staff(actor, staff.id)
    deactivate_staff(actor, staff.id)
    query = sa.select(sa.func.count(AuditEntry.id)).where(AuditEntry.action == "staff.deactivate")
    assert db.session.scalar(query) == 1


def test_changing_ones_own_password_needs_the_present_one():
    staff = create_staff(make_actor(), "sue@example.org", "staff", "long enough")
    with pytest.raises(InvalidInput, match="present_password"):
        change_own_password(actor_for(staff, "browser"), "not it", "another one")
    here, elsewhere = (begin_session(staff.id, None, "") for _ in range(2))
    change_own_password(
        actor_for(staff, "browser"), "long enough", "another one", session_id=here.id
    )
    assert authenticate("sue@example.org", "another one") is not None
    assert authenticate("sue@example.org", "long enough") is None
    assert find_session(*here) is not None
    assert find_session(*elsewhere) is None


def test_the_command_line_has_no_password_of_its_own():
    with pytest.raises(NotAllowed):
        change_own_password(Actor(1, None, Role.SUPER, "cli"), "", "long enough")


def test_a_hash_of_other_parameters_is_renewed_at_log_in(monkeypatch):
    staff = create_staff(make_actor(), "sue@example.org", "staff", "long enough")
    old = staff.password_hash
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(2, 16, 1))
    assert authenticate("sue@example.org", "long enough") is not None
    renewed = db.session.get_one(StaffMember, staff.id).password_hash
    assert renewed != old
    assert "m=16,t=2,p=1" in renewed
    assert authenticate("sue@example.org", "long enough") is not None


def test_a_hash_that_is_none_lets_nobody_in():
    make_staff(email="sue@example.org", password_hash="not a hash")
    assert authenticate("sue@example.org", "not a hash") is None


def test_an_unknown_address_costs_a_comparison_too(monkeypatch):
    """Else the time taken would tell which addresses are known."""
    compared = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            compared.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "hasher", Counting(1, 8, 1))
    make_staff(email="sue@example.org", password_hash=passwords.hash_password("long enough"))
    authenticate("sue@example.org", "wrong")
    authenticate("nobody@example.org", "wrong")
    assert len(compared) == 2


def test_a_token_is_kept_as_a_hash_and_found_by_what_was_shown():
    actor = make_actor()
    token = create_token(actor, "Importer", actor.staff_id, ["send", "read"])
    kept = db.session.get_one(ApiToken, token.id)
    assert token.plain.startswith("rc_")
    assert token.plain not in (kept.token_hash, kept.name)
    assert kept.scopes == ["read", "send"]
    assert find_token(token.plain).id == token.id
    assert find_token(token.plain + "x") is None
    assert find_token("\ud800") is None


def test_a_revoked_token_is_found_no_more():
    actor = make_actor()
    token = create_token(actor, "Importer", actor.staff_id)
    with pytest.raises(NotFound):
        revoke_token(make_actor(), token.id)
    assert find_token(token.plain) is not None
    revoke_token(actor, token.id)
    assert find_token(token.plain) is None


def test_the_use_of_a_token_is_kept_to_the_hour():
    actor = make_actor()
    token = create_token(actor, "Importer", actor.staff_id)
    kept = []
    for moment in ("2026-11-27T12:00Z", "2026-11-27T12:59Z", "2026-11-27T13:01Z"):
        with time_machine.travel(moment, tick=False):
            note_token_use(token.id)
        kept.append(f"{db.session.get_one(ApiToken, token.id).last_used_at:%H:%M}")
    assert kept == ["12:00", "12:00", "13:01"]
