"""Single people: found, added, edited, blocked."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from rollcall import clock
from rollcall.actors import Actor, record
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db, write
from rollcall.models import Organisation, Person, PersonFacts
from rollcall.people.details import CheckedPerson, PersonDraft, check_person
from rollcall.people.facts import refresh_facts
from rollcall.people.identity import (
    city_values,
    insert_people,
    lock_people,
    match_people,
    name_values,
    new_hash,
    person_values,
)
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import possible_phones

LONGEST_REASON = 200
LARGEST_ID = 2**31 - 1


def find_person(organisation_id: int, key: int | str) -> Person:
    """Return the organisation's person by id, public hash, phone or e-mail; raises NotFound.

    Of several who share an address, the one with the lowest id. The facts are loaded with it.
    """
    person = db.session.scalar(
        sa.select(Person)
        .where(Person.organisation_id == organisation_id, _has_key(organisation_id, key))
        .options(joinedload(Person.facts))
        .order_by(Person.id)
        .limit(1)
    )
    if person is None:
        raise NotFound(f"There is nobody known as {key!r}.")
    return person


def add_person(actor: Actor, draft: PersonDraft) -> int:
    """Store a new person and return the id.

    Raises InvalidInput naming every field that is wrong, Conflict when this person is known.
    """
    checked = check_person(draft, default_country(actor.organisation_id))
    with write():
        lock_people(actor.organisation_id)
        known = match_people(actor.organisation_id, [checked])[0]
        if known is not None:
            raise Conflict(f"This person is known already, under the number {known}.")
        values = person_values(actor.organisation_id, clock.now(), **asdict(checked))
        values["hash"] = _unused_hash()
        person_id = insert_people([values])[0]
        refresh_facts(actor.organisation_id, [person_id])
        record(actor, "person.add", "person", person_id, after=asdict(checked))
    return person_id


def edit_person(actor: Actor, person_id: int, draft: PersonDraft) -> None:
    """Replace what is known of a person; whoever shared an old address is told apart again.

    Raises InvalidInput naming every field that is wrong, NotFound for an unknown id.
    """
    checked = check_person(draft, default_country(actor.organisation_id))
    with write():
        # Two people given the same address at the same moment must be seen to share it.
        lock_people(actor.organisation_id)
        person = find_person(actor.organisation_id, person_id)
        before = {name: getattr(person, name) for name in asdict(checked)}
        changes = {name: value for name, value in asdict(checked).items() if value != before[name]}
        if not changes:
            return
        _store(person, checked)
        _forget_bounces(person, changes)
        old_addresses = [before[name] for name in ("phone", "email") if before[name]]
        refresh_facts(actor.organisation_id, [person_id], old_addresses)
        record(
            actor,
            "person.edit",
            "person",
            person_id,
            before={name: before[name] for name in changes},
            after=changes,
        )


def block_person(actor: Actor, person_id: int, reason: str) -> None:
    """Let nothing be sent to this person any more; blocking again only changes the reason.

    Raises InvalidInput without a reason, NotFound for an unknown id.
    """
    cleaned = " ".join(reason.split())
    if not cleaned or len(cleaned) > LONGEST_REASON or "\0" in cleaned:
        raise InvalidInput({"reason": f"Say why, in at most {LONGEST_REASON} characters."})
    _set_block(actor, person_id, "person.block", cleaned)


def unblock_person(actor: Actor, person_id: int) -> None:
    """Let messages go to this person again; opt-outs stay. Raises NotFound for an unknown id."""
    _set_block(actor, person_id, "person.unblock", None)


def default_country(organisation_id: int) -> str:
    """Return the country (two letters) of phones that are written without a country code."""
    country = db.session.scalar(
        sa.select(Organisation.country).where(Organisation.id == organisation_id)
    )
    if country is None:
        raise NotFound("There is no such organisation.")
    return country


def _has_key(organisation_id: int, key: int | str) -> sa.ColumnElement[bool]:
    text = str(key).strip()
    if isinstance(key, int) or (text.isascii() and text.isdigit() and len(text) < 10):
        return Person.id == int(key) if 0 < int(key) <= LARGEST_ID else sa.false()
    try:
        if "@" in text:
            return Person.email == normalise_email(text)
        if text.startswith("+") or (text.isascii() and text.isdigit()):
            return Person.phone.in_(possible_phones(text, default_country(organisation_id)))
    except UnreadableValue:
        return sa.false()
    return Person.hash == text if text.isascii() and "\0" not in text else sa.false()


def _store(person: Person, checked: CheckedPerson) -> None:
    for name, value in {
        **asdict(checked),
        **name_values(checked.first_name, checked.last_name),
        **city_values(checked.city),
        "updated_at": clock.now(),
    }.items():
        setattr(person, name, value)


def _forget_bounces(person: Person, changes: Mapping[str, Any]) -> None:
    """A new address has not been found invalid yet."""
    if "phone" in changes:
        person.facts.phone_invalid = False
    if "email" in changes:
        person.facts.email_invalid = False


def _set_block(actor: Actor, person_id: int, action: str, reason: str | None) -> None:
    with write():
        person = find_person(actor.organisation_id, person_id)
        before = {"blocked": person.blocked_at is not None, "reason": person.blocked_reason}
        after = {"blocked": reason is not None, "reason": reason or ""}
        if before == after:
            return
        if reason is None:
            person.blocked_at = None
        else:
            person.blocked_at = person.blocked_at or clock.now()
        person.blocked_reason = reason or ""
        db.session.execute(
            sa.update(PersonFacts)
            .where(PersonFacts.person_id == person_id)
            .values(blocked=reason is not None)
        )
        record(actor, action, "person", person_id, before=before, after=after)


def _unused_hash() -> str:
    while True:
        found = new_hash()
        if not db.session.scalar(sa.select(sa.exists().where(Person.hash == found))):
            return found
