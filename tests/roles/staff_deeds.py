"""How the rights about oneself, colleagues and the organisation are tried."""

from collections.abc import Callable
from typing import Any

from rollcall import clock
from rollcall.accounts.alerts import list_open_alerts, raise_alert
from rollcall.accounts.invitations import invite_staff
from rollcall.accounts.notices import list_notices, tell_staff
from rollcall.accounts.passwords import hash_password
from rollcall.accounts.sessions import begin_session
from rollcall.accounts.staff import deactivate_staff
from rollcall.accounts.tokens import create_token
from rollcall.extensions import write
from rollcall.models import Role
from rollcall.sending.installation import find_installation
from tests.factories import make_staff
from tests.roles.deeds import DEEDS, Deed, counted, deed, own_actor, simple
from tests.web.browser import PASSWORD
from tests.web.samples import World

GOOD = "long enough for anybody"
BOTH = {"password": GOOD, "repeated": GOOD}


@deed("POST /profile/password")
def change_own_password(_world: World, _role: Role) -> Deed:
    return Deed("/profile/password", {**BOTH, "present_password": PASSWORD})


@deed("POST /profile/sessions/<int:session_id>/end")
def end_own_session(world: World, role: Role) -> Deed:
    begun = begin_session(world.staff[role].id, None, "")
    return Deed(f"/profile/sessions/{begun.id}/end")


@deed("POST /profile/sessions/end")
def end_other_sessions(world: World, role: Role) -> Deed:
    begin_session(world.staff[role].id, None, "")
    return Deed("/profile/sessions/end")


simple("POST /logout", "/logout")


def notice(world: World, role: Role) -> int:
    key = f"roles.{next(counted)}"
    with write():
        tell_staff([world.staff[role]], "alert", key, "Something happened", "It did.", "/campaigns")
    return list_notices(own_actor(world, role)).rows[0].id


@deed("POST /notices/read")
def read_all_notices(world: World, role: Role) -> Deed:
    notice(world, role)
    return Deed("/notices/read")


@deed("POST /notices/<int:notice_id>/read")
def read_notice(world: World, role: Role) -> Deed:
    return Deed(f"/notices/{notice(world, role)}/read")


@deed("POST /notices/<int:notice_id>/open")
def open_notice(world: World, role: Role) -> Deed:
    return Deed(f"/notices/{notice(world, role)}/open")


# Without its tick the form asks for no e-mails.
simple("POST /notices/mail", "/notices/mail")


# Colleagues


def colleague(world: World, role: Role, **values: Any) -> int:
    values = {"password_hash": hash_password(PASSWORD), **values}
    return make_staff(role, world.organisation, **values).id


def of_rank(key: str, make: Callable[[World, Role], Deed]) -> None:
    """The same deed on a colleague of each role."""
    for rank in Role:

        def tried(world: World, _role: Role, rank: Role = rank) -> Deed:
            return make(world, rank)

        DEEDS[f"{key} ({rank})"] = tried


def new_address() -> str:
    return f"colleague{next(counted)}@example.org"


def invited(world: World, rank: Role) -> int:
    return invite_staff(world.actor, new_address(), rank.value, by_mail=False).staff_id


def gone(world: World, rank: Role) -> int:
    staff_id = colleague(world, rank)
    deactivate_staff(world.actor, staff_id)
    return staff_id


def with_session(world: World, rank: Role) -> int:
    staff_id = colleague(world, rank)
    begin_session(staff_id, None, "")
    return staff_id


_one = "POST /staff/<int:staff_id>"
of_rank("POST /staff/new", lambda _, rank: Deed("/staff/new", _person(rank, password=GOOD)))
of_rank("POST /staff/invite", lambda _, rank: Deed("/staff/invite", _person(rank)))
of_rank(f"{_one}/invite", lambda world, rank: Deed(f"/staff/{invited(world, rank)}/invite"))
of_rank(f"{_one}/withdraw", lambda world, rank: Deed(f"/staff/{invited(world, rank)}/withdraw"))
of_rank(
    _one,
    lambda world, rank: Deed(f"/staff/{colleague(world, rank)}", {"name": "X", "role": rank.value}),
)
of_rank(
    f"{_one}/password",
    lambda world, rank: Deed(f"/staff/{colleague(world, rank)}/password", {"password": GOOD}),
)
of_rank(
    f"{_one}/sessions/end",
    lambda world, rank: Deed(f"/staff/{with_session(world, rank)}/sessions/end"),
)
of_rank(
    f"{_one}/deactivate", lambda world, rank: Deed(f"/staff/{colleague(world, rank)}/deactivate")
)
of_rank(f"{_one}/reactivate", lambda world, rank: Deed(f"/staff/{gone(world, rank)}/reactivate"))
of_rank(
    "POST /tokens/new",
    lambda world, rank: Deed(
        "/tokens/new",
        {"name": "A program", "staff": str(colleague(world, rank)), "scopes": ["read"]},
    ),
)


def _person(rank: Role, **more: str) -> dict[str, str]:
    return {"email": new_address(), "name": "Nia", "role": rank.value, **more}


@deed(f"{_one} (staff made a super)")
def make_a_super(world: World, _role: Role) -> Deed:
    form = {"name": "X", "role": "super"}
    return Deed(f"/staff/{colleague(world, Role.STAFF)}", form)


@deed("POST /tokens/<int:token_id>/revoke")
def revoke_token(world: World, _role: Role) -> Deed:
    token = create_token(world.actor, "A program", world.colleague.id)
    return Deed(f"/tokens/{token.id}/revoke")


# The organisation and the installation


@deed("POST /settings")
def change_settings(_world: World, _role: Role) -> Deed:
    form = {"name": f"Organisation {next(counted)}", "country": "DE", "timezone": "Europe/Berlin"}
    return Deed("/settings", form)


@deed("POST /settings (quiet hours)")
def change_quiet_hours(_world: World, _role: Role) -> Deed:
    return Deed("/settings", {"quiet_hours": f"09:00-20:{next(counted) % 60:02d}"})


@deed("POST /settings/limits")
def change_limits(_world: World, _role: Role) -> Deed:
    given = {"growth_people": str(next(counted)), "fall_percent": "90", "ceiling": "100000"}
    return Deed(
        "/settings/limits",
        {f"{role}.{name}": value for role in Role for name, value in given.items()},
    )


def alert(world: World, organisation_id: int | None) -> int:
    with write():
        text, key = "Something was missed.", f"roles.{next(counted)}"
        raise_alert("missed", key, text, organisation_id=organisation_id)
    return max(one.id for one in list_open_alerts(world.organisation.id))


@deed("POST /alerts/<int:alert_id>/close")
def close_alert(world: World, _role: Role) -> Deed:
    return Deed(f"/alerts/{alert(world, world.organisation.id)}/close")


@deed("POST /alerts/<int:alert_id>/close (of the installation)")
def close_shared_alert(world: World, _role: Role) -> Deed:
    return Deed(f"/alerts/{alert(world, None)}/close")


simple("POST /providers/check", "/providers/check", {"channel": "sms"}, changes=False)
simple("POST /providers/test", "/providers/test", {"channel": "email"})


@deed("POST /restored")
def confirm_restored(_world: World, _role: Role) -> Deed:
    installation = find_installation()
    with write():
        installation.held_at, installation.held_reason = clock.now(), "a test"
    return Deed("/restored")
