"""Invitations and links for a new password, as verbs: what holds, what is dead, who wins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall import clock
from rollcall.accounts import resets
from rollcall.accounts.invitations import (
    Invitation,
    find_invitation,
    invite_again,
    invite_staff,
    list_invitations,
    withdraw_invitation,
)
from rollcall.accounts.links import DeadLink, UnknownLink, find_link
from rollcall.accounts.lookups import find_first_super, list_staff
from rollcall.accounts.notices import tell_admins
from rollcall.accounts.passwords import authenticate, hash_password
from rollcall.accounts.resets import make_reset_link, request_reset, set_password_by_link
from rollcall.accounts.sessions import begin_session, find_session
from rollcall.accounts.staff import deactivate_staff, edit_staff, reactivate_staff, set_password
from rollcall.accounts.tokens import create_token
from rollcall.actors import Actor, actor_for
from rollcall.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rollcall.extensions import db, write
from rollcall.models import (
    AuditEntry,
    LinkKind,
    Notice,
    Organisation,
    Role,
    StaffLink,
    StaffMail,
    StaffMember,
)
from tests.factories import make_organisation, make_staff

pytestmark = pytest.mark.usefixtures("app")
NIA = "nia@example.org"
GOOD = "long enough"


@pytest.fixture
def acme() -> Organisation:
    return make_organisation("acme", name="Acme Events")


@pytest.fixture
def boss(acme: Organisation) -> Actor:
    return actor_for(make_staff(Role.SUPER, acme, name="Bea Boss"), "browser")


def invite(actor: Actor, email: str = NIA, role: str = "staff", **values: Any) -> Invitation:
    return invite_staff(actor, email, role, **{"by_mail": False, **values})


def secret_of(path: str | None) -> str:
    assert path is not None
    return path.removeprefix("/link/")


def find_or_none(secret: str) -> StaffLink | None:
    try:
        return find_link(secret)
    except DeadLink:
        return None


def find(email: str = NIA) -> StaffMember | None:
    db.session.rollback()
    return db.session.scalar(sa.select(StaffMember).where(StaffMember.email == email))


def mails(**wanted: Any) -> list[StaffMail]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(StaffMail).filter_by(**wanted).order_by("id")))


def actions() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def test_an_invited_person_chooses_a_password_and_logs_in(boss: Actor):
    invitation = invite(boss, " Nia@Example.ORG ", "admin", name="Nia")
    assert invitation.email == NIA
    assert authenticate(NIA, "") is None
    staff = set_password_by_link(secret_of(invitation.path), GOOD, "192.0.2.7")
    assert (staff.email, staff.name, staff.rank) == (NIA, "Nia", Role.ADMIN)
    assert authenticate(NIA, GOOD) is not None
    entry = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "staff.accept_invitation")
    ).one()
    assert (entry.staff_id, entry.address) == (staff.id, "192.0.2.7")
    assert list_invitations(boss.organisation_id) == []


def test_only_a_hash_of_the_link_is_kept_and_its_secret_stands_nowhere(boss: Actor):
    secret = secret_of(invite(boss).path)
    assert len(secret) >= 43  # 256 bits in base 64
    set_password_by_link(secret, GOOD)
    stored = [
        str(row)
        for table in db.metadata.sorted_tables
        for row in db.session.execute(sa.select(table)).all()
    ]
    assert len(stored) > 3
    assert not [row for row in stored if secret in row or GOOD in row]


def test_a_link_is_used_once(boss: Actor):
    secret = secret_of(invite(boss).path)
    set_password_by_link(secret, GOOD)
    with pytest.raises(DeadLink, match="has been used"):
        set_password_by_link(secret, "another password")
    assert authenticate(NIA, GOOD) is not None


def at_once(app: APIFlask, *work: Callable[[], Any]) -> list[Any]:
    """Do all of this at the same moment, each in a thread; return what each gave or raised."""
    together = Barrier(len(work), timeout=30)

    def do(one: Callable[[], Any]) -> Any:
        with app.app_context():
            together.wait()
            try:
                return one()
            except Exception as error:
                return error
            finally:
                db.session.remove()

    db.session.rollback()
    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(do, work))


def test_of_two_who_use_a_link_at_once_one_wins(app: APIFlask, boss: Actor):
    secret = secret_of(invite(boss).path)
    words = ["the first password", "the second password", "the third password"]
    answers = at_once(
        app, *[lambda word=word: set_password_by_link(secret, word) for word in words]
    )
    lost = [answer for answer in answers if isinstance(answer, DeadLink)]
    assert len(lost) == len(words) - 1, answers
    assert len([word for word in words if authenticate(NIA, word)]) == 1
    assert actions().count("staff.accept_invitation") == 1


def test_two_admins_who_invite_at_once_leave_one_person_and_one_link(app: APIFlask, acme, boss):
    other = actor_for(make_staff(Role.ADMIN, acme), "browser")
    first, second = at_once(app, lambda: invite(boss), lambda: invite(other))
    assert first.staff_id == second.staff_id
    secrets = {secret_of(invitation.path) for invitation in (first, second)}
    holding = db.session.scalars(
        sa.select(StaffLink).where(StaffLink.withdrawn_at.is_(None), StaffLink.used_at.is_(None))
    ).all()
    [dead] = [secret for secret in secrets if find_or_none(secret) is None]
    with pytest.raises(DeadLink, match="newer one"):
        find_link(dead)
    assert len(holding) == 1
    assert actions().count("staff.invite") == 2


def test_two_organisations_that_invite_the_same_address_at_once(app: APIFlask, boss: Actor):
    other = actor_for(make_staff(Role.SUPER), "browser")
    answers = at_once(app, lambda: invite(boss), lambda: invite(other))
    [refused] = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refused, InvalidInput)
    assert "logs in with this e-mail address already" in refused.fields["email"]
    assert db.session.scalar(sa.select(sa.func.count(StaffMember.id)).filter_by(email=NIA)) == 1


@pytest.mark.parametrize(
    ("kind", "days", "words"),
    [
        (LinkKind.INVITATION, timedelta(days=7), "7 days"),
        (LinkKind.RESET, timedelta(hours=1), "1 hour"),
    ],
)
def test_a_link_holds_until_its_time(acme, boss, kind: LinkKind, days: timedelta, words: str):
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        if kind == LinkKind.INVITATION:
            secret = secret_of(invite(boss).path)
        else:
            secret = secret_of(make_reset_link(boss, make_staff(Role.STAFF, acme).id))
        travel.move_to(start + days - timedelta(seconds=1), tick=False)
        assert find_link(secret).kind == kind
        travel.move_to(start + days, tick=False)
        with pytest.raises(DeadLink, match=words):
            set_password_by_link(secret, GOOD)


def test_inviting_again_kills_the_earlier_link_and_starts_a_new_time(boss: Actor):
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        first = invite(boss)
        travel.move_to(start + timedelta(days=8), tick=False)
        [waiting] = list_invitations(boss.organisation_id)
        assert not waiting.holds
        second = invite_again(boss, first.staff_id, by_mail=False)
        with pytest.raises(DeadLink, match="newer one"):
            find_link(secret_of(first.path))
        assert find_link(secret_of(second.path)).expires_at == start + timedelta(days=15)
        assert list_invitations(boss.organisation_id)[0].holds


def test_inviting_the_same_address_again_gives_the_new_role_and_keeps_one_person(boss: Actor):
    first = invite(boss, role="admin", name="Nia")
    second = invite(boss, role="staff")
    assert first.staff_id == second.staff_id
    assert (find().name, find().rank) == ("Nia", Role.STAFF)
    entry = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.before["role"], entry.after["role"]) == ("admin", "staff")


def test_a_withdrawn_invitation_leaves_nothing_and_its_address_is_free(boss: Actor):
    invitation = invite(boss, by_mail=True)
    kept = mails()[0].path
    withdraw_invitation(boss, invitation.staff_id)
    assert find() is None
    assert mails() == []
    with pytest.raises(UnknownLink):
        set_password_by_link(secret_of(kept), GOOD)
    elsewhere = actor_for(make_staff(Role.SUPER), "browser")
    assert invite(elsewhere).email == NIA
    entry = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "staff.withdraw_invitation")
    ).one()
    assert entry.before == {"email": NIA, "name": "", "role": "staff"}


def test_what_was_accepted_can_be_neither_withdrawn_nor_sent_again(boss: Actor):
    invitation = invite(boss)
    set_password_by_link(secret_of(invitation.path), GOOD)
    with pytest.raises(Conflict, match="accepted"):
        withdraw_invitation(boss, invitation.staff_id)
    with pytest.raises(Conflict, match="accepted"):
        invite_again(boss, invitation.staff_id, by_mail=False)
    with pytest.raises(InvalidInput, match="can log in already"):
        invite(boss)
    assert authenticate(NIA, GOOD) is not None


def test_the_links_of_somebody_deactivated_are_dead_and_stay_so(boss: Actor, acme: Organisation):
    invitation = invite(boss)
    member = make_staff(Role.STAFF, acme, password_hash=hash_password(GOOD))
    reset = make_reset_link(boss, member.id)
    for staff_id in (invitation.staff_id, member.id):
        deactivate_staff(boss, staff_id)
        reactivate_staff(boss, staff_id)
    for path in (invitation.path, reset):
        with pytest.raises(DeadLink, match="withdrawn"):
            set_password_by_link(secret_of(path), "another password")
    assert authenticate(member.email, GOOD) is not None


def test_a_password_from_an_admin_accepts_the_invitation_and_kills_its_link(boss: Actor):
    invitation = invite(boss)
    set_password(boss, invitation.staff_id, GOOD)
    with pytest.raises(DeadLink):
        set_password_by_link(secret_of(invitation.path), "another password")
    assert find_invitation(find()) is None
    assert authenticate(NIA, GOOD) is not None


@pytest.mark.parametrize("password", ["short", NIA, "x" * 201])
def test_a_weak_password_leaves_the_link_as_it_was(boss: Actor, password: str):
    secret = secret_of(invite(boss).path)
    with pytest.raises(InvalidInput, match="password"):
        set_password_by_link(secret, password)
    assert set_password_by_link(secret, GOOD).email == NIA


@pytest.mark.parametrize(("own", "given"), [("admin", "super"), ("staff", "staff")])
def test_nobody_invites_above_their_own_role(acme: Organisation, own: str, given: str):
    actor = actor_for(make_staff(Role(own), acme), "browser")
    with pytest.raises(NotAllowed):
        invite(actor, role=given)
    assert find() is None
    assert actions() == []


def test_an_admin_touches_no_invitation_of_a_super(boss: Actor, acme: Organisation):
    invitation = invite(boss, role="super")
    admin = actor_for(make_staff(Role.ADMIN, acme), "browser")
    for attempt in (
        lambda: invite(admin),
        lambda: invite_again(admin, invitation.staff_id, by_mail=False),
        lambda: withdraw_invitation(admin, invitation.staff_id),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert find_link(secret_of(invitation.path)).staff.rank == Role.SUPER


def test_another_organisation_finds_no_invitation_of_ours(boss: Actor):
    invitation = invite(boss)
    stranger = actor_for(make_staff(Role.SUPER), "browser")
    for attempt in (
        lambda: invite_again(stranger, invitation.staff_id, by_mail=False),
        lambda: withdraw_invitation(stranger, invitation.staff_id),
        lambda: make_reset_link(stranger, invitation.staff_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(InvalidInput, match="email"):
        invite(stranger)
    assert find_link(secret_of(invitation.path)).staff_id == invitation.staff_id


def test_an_invited_super_counts_for_none(boss: Actor, acme: Organisation):
    """Whoever never comes must not be the one who is left."""
    invitation = invite(boss, role="super")
    assert boss.staff_id is not None
    with pytest.raises(Conflict, match="last super"):
        deactivate_staff(boss, boss.staff_id)
    with pytest.raises(Conflict, match="last super"):
        edit_staff(boss, boss.staff_id, name="", role="admin")
    set_password_by_link(secret_of(invitation.path), GOOD)
    deactivate_staff(boss, boss.staff_id)
    assert find_first_super(acme.id).email == NIA


def test_whoever_is_invited_is_no_staff_yet_and_no_program_acts_as_them(boss: Actor):
    invitation = invite(boss)
    assert NIA not in [member.email for member in list_staff(boss.organisation_id)]
    with pytest.raises(InvalidInput, match="has not accepted"):
        create_token(boss, "Importer", invitation.staff_id)


def test_whoever_is_invited_is_told_nothing_and_can_still_be_withdrawn(boss: Actor):
    invited = invite(boss, role="admin")
    with write():
        tell_admins(boss.organisation_id, "alert", "one", "A provider fails", "Look at it.")
    told = list(db.session.scalars(sa.select(Notice.staff_id)))
    assert told == [boss.staff_id]
    withdraw_invitation(boss, invited.staff_id)


def test_an_invitation_by_mail_says_who_invites_to_what_and_is_no_link_to_show(boss: Actor):
    assert invite(boss, role="admin", by_mail=True).path is None
    [mail] = mails()
    assert (mail.address, mail.secret) == (NIA, True)
    assert "Bea Boss invites you to work with Rollcall for Acme Events" in mail.text
    assert "role admin" in mail.text
    assert mail.path not in mail.text
    assert set_password_by_link(secret_of(mail.path), GOOD).email == NIA


def test_the_mail_of_a_withdrawn_link_goes_no_more(boss: Actor):
    first = invite(boss, by_mail=True)
    invite_again(boss, first.staff_id, by_mail=True)
    old, new = mails()
    assert (old.path, old.error) == ("", "withdrawn before it went out")
    assert old.ended_at is not None
    assert new.ended_at is None
    assert list_invitations(boss.organisation_id)[0].mail == "waiting"


def test_asking_for_a_new_password_sends_one_link_that_holds(acme: Organisation):
    member = make_staff(Role.STAFF, acme, email=NIA, password_hash=hash_password(GOOD))
    here = begin_session(member.id, None, "")
    request_reset(" NIA@example.org", "192.0.2.9")
    request_reset(NIA)
    [mail] = mails(ended_at=None)
    assert find_session(*here) is not None
    assert authenticate(NIA, GOOD) is not None
    set_password_by_link(secret_of(mail.path), "a fresh password")
    assert find_session(*here) is None
    assert authenticate(NIA, GOOD) is None
    assert authenticate(NIA, "a fresh password") is not None
    entries = db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "staff.request_reset")
    ).all()
    assert [(one.staff_id, one.address) for one in entries] == [(None, "192.0.2.9"), (None, None)]
    notice = mails(secret=False)[-1]
    assert (notice.address, notice.path) == (NIA, "")
    assert "password of nia@example.org" in notice.text


def test_who_is_unknown_deactivated_or_only_invited_gets_no_link(boss: Actor, acme: Organisation):
    invite(boss)
    make_staff(Role.STAFF, acme, email="gone@example.org", active=False)
    for email in ("nobody@example.org", "gone@example.org", NIA, "", "x" * 3000):
        request_reset(email)
    assert mails() == []
    assert "staff.request_reset" not in actions()


def test_the_answer_takes_the_same_time_for_whom_nobody_knows(acme, monkeypatch):
    """What is left of that time is slept through; where the work took longer, nothing is."""
    make_staff(Role.STAFF, acme, email=NIA, password_hash=hash_password(GOOD))
    monkeypatch.setattr(resets, "SAME_TIME", 1000.0)
    slept: list[float] = []
    monkeypatch.setattr(clock, "sleep", slept.append)
    request_reset(NIA)
    request_reset("nobody@example.org")
    assert len(slept) == 2
    assert all(900 < seconds < 1000 for seconds in slept)
    monkeypatch.setattr(resets, "SAME_TIME", 0.0)
    request_reset(NIA)
    assert slept[2] == 0


def test_a_link_for_a_new_password_takes_rank_and_somebody_who_may_log_in(boss, acme):
    admin = actor_for(make_staff(Role.ADMIN, acme), "cli")
    assert boss.staff_id is not None
    with pytest.raises(NotAllowed):
        make_reset_link(admin, boss.staff_id)
    with pytest.raises(Conflict, match="not accepted"):
        make_reset_link(boss, invite(boss).staff_id)
    gone = make_staff(Role.STAFF, acme, active=False)
    with pytest.raises(Conflict, match="deactivated"):
        make_reset_link(boss, gone.id)
    assert db.session.scalars(sa.select(StaffLink.kind)).all() == ["invitation"]
