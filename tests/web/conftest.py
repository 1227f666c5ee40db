"""Staff members with passwords, and browsers for them."""

from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask

from rollcall.accounts.passwords import hash_password
from rollcall.models import Organisation, Role, StaffMember
from tests.factories import make_organisation, make_staff
from tests.web.browser import PASSWORD, Browser
from tests.web.campaigns import Desk


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    return make_organisation("acme", name="Acme Events")


@pytest.fixture
def member(acme: Organisation) -> Callable[..., StaffMember]:
    """Makes a staff member with the password PASSWORD, of Acme Events unless said otherwise."""

    def make(role: Role = Role.SUPER, organisation: Organisation = acme, **values: Any) -> Any:
        values = {"password_hash": hash_password(PASSWORD), **values}
        return make_staff(role, organisation, **values)

    return make


@pytest.fixture
def browser(app: APIFlask) -> Browser:
    """A browser in which nobody is logged in."""
    return Browser(app)


@pytest.fixture
def log_in(app: APIFlask, member: Callable[..., StaffMember]) -> Callable[..., Browser]:
    """Returns a browser in which this staff member, or a new one of this role, is logged in."""

    def begin(who: StaffMember | Role = Role.SUPER) -> Browser:
        browser = Browser(app)
        response = browser.log_in(member(who) if isinstance(who, Role) else who)
        assert response.status_code == 302, response.text
        return browser

    return begin


@pytest.fixture
def desk(app: APIFlask, member: Callable[..., StaffMember]) -> Desk:
    """A staff member of Acme Events, logged in, with an event and its people."""
    staff = member(Role.STAFF)
    browser = Browser(app)
    browser.log_in(staff)
    return Desk(app, staff, browser)
