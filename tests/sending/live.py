"""The stage of the campaigns' tests on a clock that runs, with a gateway process on the wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Attempt, Campaign, Person
from rollcall.people.facts import refresh_facts
from tests.campaigns.stage import Stage
from tests.providers.chosen import carried_by
from tests.providers.gateways import Double


@contextmanager
def kannel(stage: Stage, folder: Path, **changes: object) -> Iterator[Double]:
    """Let the stage send text messages to a gateway that logs every request."""
    with Double(folder, "kannel") as double:
        stage.settings = carried_by(stage.settings, double.kannel, **changes)
        yield double


@contextmanager
def twilio(stage: Stage, folder: Path, **changes: object) -> Iterator[Double]:
    """Let the stage send text messages to a double of Twilio."""
    with Double(folder, "twilio") as double:
        stage.settings = carried_by(stage.settings, double.twilio, **changes)
        yield double


def impatient(settings: Settings) -> Settings:
    """Settings under which an answer is waited for one second."""
    return replace(settings, lease_seconds=3.0)


def addresses(double: Double) -> list[str]:
    """The address of every request that the gateway was given."""
    return [line["address"] for line in double.requests()]


def give_phone(stage: Stage, person_id: int, phone: str) -> None:
    """Let a person have this phone."""
    person = db.session.get_one(Person, person_id)
    person.phone = phone
    refresh_facts(stage.organisation_id, [person_id])
    db.session.commit()


def state_of(campaign_id: int) -> str:
    """The campaign's state as it stands in the database now."""
    db.session.rollback()
    return db.session.scalars(sa.select(Campaign.state).where(Campaign.id == campaign_id)).one()


def attempts_of(campaign_id: int, person_id: int) -> list[Attempt]:
    """Every attempt to reach this person with the campaign."""
    db.session.expire_all()
    return list(
        db.session.scalars(
            sa.select(Attempt)
            .where(Attempt.campaign_id == campaign_id, Attempt.person_id == person_id)
            .order_by(Attempt.id)
        )
    )
