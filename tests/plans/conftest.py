"""An event with people, and somebody who plans it."""

import pytest
from apiflask import APIFlask

from rollcall.actors import Actor
from rollcall.models import Event, Organisation
from tests.factories import attend, make_actor, make_event, make_organisation, make_people


@pytest.fixture
def acme(app: APIFlask) -> Organisation:
    return make_organisation("acme", name="Acme Events")


@pytest.fixture
def actor(acme: Organisation) -> Actor:
    return make_actor(acme)


@pytest.fixture
def gala(acme: Organisation) -> Event:
    """An event that three people attend."""
    event = make_event(acme, "gala", name="The Gala")
    attend(event, make_people(acme, 3))
    return event
