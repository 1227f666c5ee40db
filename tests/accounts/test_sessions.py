"""Sessions as rows: who is logged in where, until when, and what ends it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from rollcall import clock
from rollcall.accounts.sessions import (
    begin_session,
    count_sessions,
    end_other_sessions,
    end_own_session,
    find_session,
    list_sessions,
    log_out,
    note_session_use,
    remove_old_sessions,
    say_browser,
)
from rollcall.accounts.staff import deactivate_staff, end_staff_sessions, set_password
from rollcall.actors import Actor, actor_for
from rollcall.config import Settings
from rollcall.errors import NotAllowed, NotFound
from rollcall.extensions import db
from rollcall.models import AuditEntry, Role, StaffSession
from rollcall.monitoring.chores import CHORES
from tests.factories import make_organisation, make_staff

pytestmark = pytest.mark.usefixtures("app")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def row_of(session_id: int) -> StaffSession:
    db.session.rollback()
    return db.session.get_one(StaffSession, session_id)


def test_a_session_is_found_by_its_key_alone():
    staff = make_staff()
    begun = begin_session(staff.id, "192.0.2.1", "x" * 300)
    other = begin_session(staff.id, None, "")
    assert find_session(*begun).staff.id == staff.id
    assert find_session(begun.id, other.key) is None
    assert find_session(begun.id, "") is None
    assert find_session(begun.id, "\ud800") is None
    assert find_session(987_654, begun.key) is None
    kept = row_of(begun.id)
    assert begun.key not in (kept.key_hash, kept.browser)
    assert len(kept.browser) == 200


def test_the_last_look_is_kept_at_most_once_a_minute():
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        begun = begin_session(make_staff().id, "192.0.2.1", "")
        seen = []
        for seconds in (59, 60, 61, 120):
            travel.move_to(start + timedelta(seconds=seconds), tick=False)
            note_session_use(begun.id, f"192.0.2.{seconds}")
            seen.append((row_of(begun.id).last_seen_at - start, row_of(begun.id).address))
    assert seen == [
        (timedelta(0), "192.0.2.1"),
        (MINUTE, "192.0.2.60"),
        (MINUTE, "192.0.2.60"),
        (2 * MINUTE, "192.0.2.120"),
    ]


def test_a_session_that_nobody_looked_at_for_14_days_is_over():
    staff, start = make_staff(), clock.now()
    with time_machine.travel(start, tick=False) as travel:
        begun = begin_session(staff.id, None, "")
        travel.move_to(start + 14 * DAY - MINUTE, tick=False)
        assert find_session(*begun) is not None
        assert count_sessions(staff.id) == 1
        travel.move_to(start + 14 * DAY, tick=False)
        assert find_session(*begun) is None
        assert list_sessions(staff.id) == []


def test_the_list_has_what_was_seen_last_first_and_is_never_long():
    staff, start = make_staff(), clock.now()
    begun = [begin_session(staff.id, None, "").id for _ in range(25)]
    with time_machine.travel(start + DAY, tick=False):
        note_session_use(begun[3], None)
        listed = [one.id for one in list_sessions(staff.id)]
        assert listed == [begun[3], *reversed(begun[6:])]
        assert count_sessions(staff.id) == 25


def test_one_ends_ones_own_sessions_and_nobody_elses():
    staff, stranger = make_staff(), make_staff()
    actor = actor_for(staff, "browser")
    here, there, far = (begin_session(staff.id, None, "") for _ in range(3))
    theirs = begin_session(stranger.id, None, "")
    with pytest.raises(NotFound):
        end_own_session(actor, theirs.id)
    end_own_session(actor, there.id)
    end_own_session(actor, there.id)
    assert find_session(*there) is None
    assert find_session(*far) is not None
    assert end_other_sessions(actor, here.id) == 1
    assert end_other_sessions(actor, here.id) == 0
    assert find_session(*here) is not None
    assert find_session(*far) is None
    assert find_session(*theirs) is not None
    log_out(actor, here.id)
    assert find_session(*here) is None
    entries = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(one.action, one.after and one.after["sessions_ended"]) for one in entries] == [
        ("staff.end_sessions", 1),
        ("staff.end_sessions", 1),
        ("staff.log_out", None),
    ]


def test_an_admin_ends_the_sessions_of_whom_their_role_reaches():
    acme = make_organisation()
    boss, admin, peer = (make_staff(role, acme) for role in (Role.SUPER, Role.ADMIN, Role.ADMIN))
    open_ones = {who.id: begin_session(who.id, None, "") for who in (boss, admin, peer)}
    actor = actor_for(admin, "browser")
    with pytest.raises(NotAllowed):
        end_staff_sessions(actor, boss.id)
    with pytest.raises(NotAllowed):
        end_staff_sessions(actor_for(make_staff(Role.STAFF, acme), "browser"), peer.id)
    with pytest.raises(NotFound):
        end_staff_sessions(actor_for(make_staff(), "browser"), peer.id)
    assert end_staff_sessions(actor, peer.id) == 1
    ended = {staff_id for staff_id, begun in open_ones.items() if find_session(*begun) is None}
    assert ended == {peer.id}


def test_deactivation_and_a_new_password_end_every_session():
    acme = make_organisation()
    actor = actor_for(make_staff(Role.SUPER, acme), "browser")
    for change in (deactivate_staff, lambda who, key: set_password(who, key, "a fresh password")):
        staff = make_staff(Role.STAFF, acme)
        begun = begin_session(staff.id, None, "")
        change(actor, staff.id)
        assert find_session(*begun) is None
        assert row_of(begun.id).ended_at is not None


def test_old_rows_are_removed_and_all_others_stay(settings: Settings):
    staff, start = make_staff(), clock.now()
    actor = actor_for(staff, "browser")
    ended, forgotten, used = (begin_session(staff.id, None, "").id for _ in range(3))
    end_own_session(actor, ended)
    with time_machine.travel(start + 90 * DAY - MINUTE):
        assert remove_old_sessions(settings) == 0
    with time_machine.travel(start + 90 * DAY + MINUTE):
        note_session_use(used, None)
        assert remove_old_sessions(settings) == 1
    with time_machine.travel(start + 104 * DAY + MINUTE):
        assert remove_old_sessions(settings) == 1
    left = db.session.scalars(sa.select(StaffSession.id)).all()
    assert left == [used]
    assert forgotten not in left
    assert remove_old_sessions in CHORES


def test_the_command_line_is_logged_in_nowhere():
    with pytest.raises(NotAllowed):
        end_other_sessions(Actor(1, None, Role.SUPER, "cli"), 1)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Firefox on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            "Safari on a Mac",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
            "Chrome on an iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
            "SamsungBrowser/26.0 Chrome/122.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36",
            "Chrome on a Chromebook",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0",
            "Opera on Linux",
        ),
        ("Something/1.0 (Windows NT 10.0)", "A browser on Windows"),
        ("curl/8.5.0", "An unknown browser"),
        ("", "An unknown browser"),
    ],
)
def test_a_browser_is_called_by_words(user_agent: str, words: str):
    assert say_browser(user_agent) == words
