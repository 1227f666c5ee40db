"""Creating organisations and changing what is set for them: quiet hours, rehearsals, the rest."""

from datetime import datetime, time
from typing import Any, Protocol

import phonenumbers
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.models import (
    Campaign,
    CampaignState,
    Organisation,
    Reason,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.text import check_slug, make_slug
from rollcall.walltime import check_timezone


def wake_quiet_waiters(organisation_id: int, now: datetime) -> None:
    """Let everybody who waits for quiet hours be looked at anew, in the caller's transaction.

    Whoever is still in their quiet hours, by the new ones, then waits again.
    """
    campaigns = sa.select(Campaign.id).where(
        Campaign.organisation_id == organisation_id,
        Campaign.state.in_([CampaignState.SENDING, CampaignState.PAUSED]),
    )
    db.session.execute(
        sa.update(Recipient)
        .where(
            Recipient.campaign_id.in_(campaigns),
            Recipient.state == RecipientState.QUEUED,
            Recipient.held_reason == Reason.QUIET_HOURS,
        )
        .values(not_before=None, held_reason=None)
        .execution_options(synchronize_session=False)
    )
    # Given back until somebody's morning: any process may take them now.
    db.session.execute(
        sa.update(Campaign)
        .where(
            Campaign.organisation_id == organisation_id,
            Campaign.state == CampaignState.SENDING,
            Campaign.owner.is_(None),
            Campaign.lease_until > now,
        )
        .values(lease_until=now)
        .execution_options(synchronize_session=False)
    )


DEFAULT_HOURS = (24, 1)
MOST_REHEARSALS = 5
LONGEST_HOURS = 336  # two weeks
NEVER = "off"


class HasRehearsalHours(Protocol):
    """An organisation, or a row that has its column; None is the default, [] never."""

    rehearsal_hours: Any


def rehearsal_hours(organisation: HasRehearsalHours) -> tuple[int, ...]:
    """Return how many hours before its time a campaign is rehearsed, the earliest first."""
    stored = organisation.rehearsal_hours
    return DEFAULT_HOURS if stored is None else tuple(stored)


def format_rehearsals(organisation: HasRehearsalHours) -> str:
    """Return the hours as they are typed: "24,1", or "off"."""
    return ",".join(str(hours) for hours in rehearsal_hours(organisation)) or NEVER


def read_rehearsals(text: str) -> dict[str, Any]:
    """Return the column to set for hours as typed; raises InvalidInput naming `rehearsals`."""
    if text.strip().lower() == NEVER:
        return {"rehearsal_hours": []}
    words = [word.strip() for word in text.split(",")]
    usable = all(word.isascii() and word.isdecimal() and len(word) < 5 for word in words)
    hours = sorted({int(word) for word in words}, reverse=True) if usable else []
    if not 1 <= len(hours) <= MOST_REHEARSALS or not 1 <= hours[-1] <= hours[0] <= LONGEST_HOURS:
        raise InvalidInput(
            {
                "rehearsals": f"Write up to {MOST_REHEARSALS} whole hours from 1 to "
                f"{LONGEST_HOURS}, as 24,1, or {NEVER}."
            }
        )
    return {"rehearsal_hours": hours}


SENDING_HOURS = "08:00-21:00"  # 47 CFR 64.1200(c)(1): no marketing texts before 8:00, after 21:00
OFF = "off"
LONGEST_ADDRESS = 300


def create_organisation(
    name: str,
    *,
    slug: str | None = None,
    country: str = "CA",
    timezone: str = "America/Toronto",
    quiet_hours: str = SENDING_HOURS,
    address: str = "",
    origin: str = "cli",
) -> Organisation:
    """Add an organisation and return it; nobody can log in to it yet.

    `quiet_hours` are the hours in which text messages may reach people by their own clocks,
    "08:00-21:00", or "off"; `address` is the postal address that stands below each e-mail.
    Raises InvalidInput naming each field that can't be used.
    """
    values = _read_settings(
        {
            "name": name,
            "country": country,
            "timezone": timezone,
            "quiet_hours": quiet_hours,
            "postal_address": address,
        }
    )
    values["slug"] = check_slug(slug or make_slug(values["name"]))
    with write():
        organisation = Organisation(created_at=clock.now(), **values)
        db.session.add(organisation)
        try:
            db.session.flush()
        except IntegrityError as error:
            raise InvalidInput(
                {"slug": f"The slug {values['slug']} is taken; choose another."}
            ) from error
        founder = Actor(organisation.id, None, Role.SUPER, origin)
        after = {"slug": organisation.slug, **describe_settings(organisation)}
        record(founder, "organisation.create", "organisation", organisation.id, after=after)
    return organisation


def set_organisation(
    actor: Actor,
    *,
    name: str | None = None,
    country: str | None = None,
    timezone: str | None = None,
    quiet_hours: str | None = None,
    address: str | None = None,
    rehearsals: str | None = None,
) -> Organisation:
    """Change what is given and return the organisation.

    `rehearsals` are how many hours before its time a campaign is rehearsed, "24,1", or "off".
    Takes an admin; the quiet hours, which the law is about, take a super. Raises NotAllowed,
    or InvalidInput naming each field that can't be used.
    """
    actor.require(Role.ADMIN)
    given = {
        "name": name,
        "country": country,
        "timezone": timezone,
        "quiet_hours": quiet_hours,
        "postal_address": address,
        "rehearsals": rehearsals,
    }
    values = _read_settings({key: text for key, text in given.items() if text is not None})
    with write():
        organisation = db.session.get_one(Organisation, actor.organisation_id)
        before = describe_settings(organisation)
        for column, value in values.items():
            setattr(organisation, column, value)
        after = describe_settings(organisation)
        if after["quiet_hours"] != before["quiet_hours"]:
            actor.require(Role.SUPER)
            wake_quiet_waiters(organisation.id, clock.now())
        if after != before:
            record(
                actor,
                "organisation.edit",
                "organisation",
                organisation.id,
                before=before,
                after=after,
            )
    return organisation


def describe_settings(organisation: Organisation) -> dict[str, Any]:
    """Return what is set, as commands print it and the audit trail keeps it."""
    return {
        "name": organisation.name,
        "country": organisation.country,
        "timezone": organisation.timezone,
        "quiet_hours": format_quiet_hours(organisation),
        "postal_address": organisation.postal_address,
        "rehearsals": format_rehearsals(organisation),
    }


def format_quiet_hours(organisation: Organisation) -> str:
    """Return the hours in which text messages may reach people, "08:00-21:00", or "off"."""
    if organisation.quiet_from is None or organisation.quiet_until is None:
        return OFF
    return f"{organisation.quiet_until:%H:%M}-{organisation.quiet_from:%H:%M}"


def _read_settings(given: dict[str, str]) -> dict[str, Any]:
    """Return the columns to set; raises one InvalidInput for everything that is wrong."""
    readers = {
        "name": _read_name,
        "country": _read_country,
        "timezone": _read_timezone,
        "quiet_hours": _read_quiet_hours,
        "postal_address": _read_address,
        "rehearsals": read_rehearsals,
    }
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field, text in given.items():
        try:
            values.update(readers[field](text))
        except InvalidInput as error:
            problems.update(error.fields)
    if problems:
        raise InvalidInput(problems)
    return values


def _read_name(text: str) -> dict[str, Any]:
    name = " ".join(text.split())
    if not 1 <= len(name) <= 200:
        raise InvalidInput({"name": "Give the organisation a name of at most 200 characters."})
    return {"name": name}


def _read_country(text: str) -> dict[str, Any]:
    country = text.strip().upper()
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInput(
            {"country": "Write the country as its two letters, such as CA, US or DE."}
        )
    return {"country": country}


def _read_timezone(text: str) -> dict[str, Any]:
    timezone = text.strip()
    check_timezone(timezone)
    return {"timezone": timezone}


def _read_address(text: str) -> dict[str, Any]:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    address = "\n".join(line for line in lines if line)
    if len(address) > LONGEST_ADDRESS or "\0" in address:
        raise InvalidInput(
            {"postal_address": f"Use at most {LONGEST_ADDRESS} characters, over several lines."}
        )
    return {"postal_address": address}


def _read_quiet_hours(text: str) -> dict[str, Any]:
    if text.strip().lower() == OFF:
        return {"quiet_from": None, "quiet_until": None}
    try:
        first, last = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        first = last = time(0)
    # Whole minutes: the zones' clocks differ by them, and nobody means seconds.
    whole = all(moment == moment.replace(second=0, microsecond=0) for moment in (first, last))
    if not first < last or not whole or first.tzinfo or last.tzinfo:
        raise InvalidInput(
            {
                "quiet_hours": "Write the hours in which text messages may reach people, the "
                f"earlier first, as {SENDING_HOURS}, or {OFF}."
            }
        )
    return {"quiet_until": first, "quiet_from": last}
