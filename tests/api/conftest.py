"""Organisations with an event and people, and programs that may do more or less."""

import pytest
from apiflask import APIFlask

from rollcall.models import Event, Organisation
from tests.api.client import Program, make_token
from tests.factories import attend, make_event, make_organisation, make_people


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    return make_organisation("acme", name="Acme Events")


@pytest.fixture
def party(acme: Organisation) -> Event:
    """An event of Acme with three registered people, whose ids are 1 to 3."""
    event = make_event(acme, "party")
    attend(event, make_people(acme, 3))
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
