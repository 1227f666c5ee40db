"""Organisations with an event and people, and programs that may do more or less."""

import pytest
from apiflask import APIFlask

from rollcall.accounts.alerts import raise_alert
from rollcall.extensions import db, write
from rollcall.models import Event, Organisation, Person
from rollcall.providers.base import Inbound
from rollcall.sending.inbound import receive_inbound
from tests.api.client import Program, make_token
from tests.factories import attend, make_event, make_organisation, make_people


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    return make_organisation("acme", name="Acme Events")


@pytest.fixture
def party(acme: Organisation) -> Event:
    """An event of Acme with three registered people, whose ids are 1 to 3; the first one wrote.

    One alert is open, whose id is 1.
    """
    event = make_event(acme, "party")
    people = make_people(acme, 3)
    attend(event, people)
    phone = db.session.get_one(Person, people[0]).phone or ""
    receive_inbound("kannel", Inbound("m1", phone, "12345", "take me off your list"))
    with write():
        raise_alert("missed", "a test", "A campaign missed its time.", organisation_id=acme.id)
    return event


@pytest.fixture
def program(app: APIFlask, acme: Organisation) -> Program:
    """A program of Acme that may do everything."""
    return Program(app, make_token(acme))


@pytest.fixture
def reader(app: APIFlask, acme: Organisation) -> Program:
    """A program of Acme that may only read."""
    return Program(app, make_token(acme, ("read",)))


@pytest.fixture
def stranger(app: APIFlask) -> Program:
    """A program of another organisation that may do everything there."""
    return Program(app, make_token(make_organisation("other")))


@pytest.fixture
def nobody(app: APIFlask) -> Program:
    """A program without a token."""
    return Program(app, None)
