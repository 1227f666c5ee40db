"""People: found, added, edited, blocked, opted out and in again."""

from typing import Annotated, Any, Literal

from flask import Response, url_for
from pydantic import BaseModel, Field

from blueprints.access import api_scope, current_actor, require_scope
from blueprints.api import documents
from blueprints.api.answering import answer, answer_page, moment_text
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Body, PageQuery
from rollcall.accounts.lookups import find_own_organisation
from rollcall.audience.criteria import MAX_PEOPLE
from rollcall.models import Channel, Person
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import PERSON_FIELDS, PersonDraft
from rollcall.people.picking import create_missing_people, pick_people
from rollcall.people.records import (
    add_person,
    block_person,
    edit_person,
    find_person,
    unblock_person,
)
from rollcall.people.search import search_people

api = api_blueprint("people", "People")


class PersonValues(Body):
    """What is known of a person; phones in any way of writing, countries by name or letters."""

    phone: str | None = Field(None, max_length=100, examples=["+14165550123"])
    email: str | None = Field(None, max_length=300)
    first_name: str | None = Field(None, max_length=200)
    last_name: str | None = Field(None, max_length=200)
    city: str | None = Field(None, max_length=200)
    country: str | None = Field(None, max_length=100, examples=["CA"])
    timezone: str | None = Field(None, max_length=64, examples=["America/Toronto"])


class Search(PageQuery):
    """Whose name, last name, e-mail or phone begins with `q`; everybody when left out."""

    q: str = Field("", max_length=200)


class Consent(Body):
    """Over which channel, and what asked for it."""

    channel: Literal["sms", "email"]
    source: str = Field("api", min_length=1, max_length=40)


class Pick(Body):
    """People as a list names them: phones, e-mail addresses, numbers, or Sarah <s@example.org>."""

    addresses: list[Annotated[str, Field(max_length=500)]] = Field(max_length=MAX_PEOPLE)
    create: bool = Field(
        False, description="Add those whose address is valid but unknown (needs the scope write)."
    )


class Unmatched(BaseModel):
    """What of a list stands for nobody, and why."""

    value: str
    reason: str


class PickedDocument(BaseModel):
    """The people of a list, each once; `created` are those of them who were just added."""

    people: list[int]
    created: list[int]
    unknown: list[Unmatched]


class Block(Body):
    """Why somebody is blocked."""

    reason: str = Field(min_length=1, max_length=200)


@api.get("/people")
@api_scope("read")
@api.input(Search, location="query")
@api.output(documents.PersonPage)
def index(query_data: Search) -> Response:
    """Find people"""
    found = search_people(
        current_actor().organisation_id, query_data.q, query_data.cursor, query_data.limit
    )
    return answer_page(map(_document, found.rows), found.next_cursor)


@api.post("/people")
@api_scope("write")
@api.input(PersonValues)
@api.output(documents.PersonDocument, status_code=201)
def create(json_data: PersonValues) -> Response:
    """Add a person

    Takes a phone or an e-mail address at least. Somebody who is known already is a conflict.
    """
    draft = PersonDraft(**json_data.model_dump(exclude_none=True))
    return _answer_person(add_person(current_actor(), draft), made=True)


@api.post("/people/pick")
@api_scope("read")
@api.input(Pick)
@api.output(PickedDocument)
def pick(json_data: Pick) -> Response:
    """Find the people of a list

    For a hand-picked audience. What can't be matched is answered with its reason.
    """
    if json_data.create:
        require_scope("write")
    actor = current_actor()
    picked = pick_people(find_own_organisation(actor.organisation_id), json_data.addresses)
    if json_data.create:
        picked = create_missing_people(actor, picked)
    return answer(
        {
            "people": picked.person_ids,
            "created": picked.created,
            "unknown": [{"value": value, "reason": reason} for value, reason in picked.unknown],
        }
    )


@api.get("/people/<int:person_id>")
@api_scope("read")
@api.output(documents.PersonDocument)
def show(person_id: int) -> Response:
    """Show a person"""
    return _answer_person(person_id)


@api.patch("/people/<int:person_id>")
@api_scope("write")
@api.input(PersonValues)
@api.output(documents.PersonDocument)
def edit(person_id: int, json_data: PersonValues) -> Response:
    """Change what is known of a person

    What is left out stays; null takes a value away.
    """
    person = find_person(current_actor().organisation_id, person_id)
    known = {name: getattr(person, name) for name in PERSON_FIELDS}
    merged = {**known, **json_data.model_dump(exclude_unset=True)}
    edit_person(
        current_actor(),
        person_id,
        PersonDraft(**{name: value or "" for name, value in merged.items()}),
    )
    return _answer_person(person_id)


@api.post("/people/<int:person_id>/opt-out")
@api_scope("write")
@api.input(Consent)
@api.output(documents.PersonDocument)
def opt_out(person_id: int, json_data: Consent) -> Response:
    """Opt a person out of a channel

    Everybody with the same address is opted out with them.
    """
    opt_out_person(current_actor(), person_id, Channel(json_data.channel), json_data.source)
    return _answer_person(person_id)


@api.post("/people/<int:person_id>/opt-in")
@api_scope("write")
@api.input(Consent)
@api.output(documents.PersonDocument)
def opt_in(person_id: int, json_data: Consent) -> Response:
    """Opt a person in to a channel again"""
    opt_in_person(current_actor(), person_id, Channel(json_data.channel), json_data.source)
    return _answer_person(person_id)


@api.post("/people/<int:person_id>/block")
@api_scope("write")
@api.input(Block)
@api.output(documents.PersonDocument)
def block(person_id: int, json_data: Block) -> Response:
    """Let nothing be sent to a person any more"""
    block_person(current_actor(), person_id, json_data.reason)
    return _answer_person(person_id)


@api.post("/people/<int:person_id>/unblock")
@api_scope("write")
@api.output(documents.PersonDocument)
def unblock(person_id: int) -> Response:
    """Let messages go to a person again; opt-outs stay"""
    unblock_person(current_actor(), person_id)
    return _answer_person(person_id)


def _answer_person(person_id: int, made: bool = False) -> Response:
    person = find_person(current_actor().organisation_id, person_id)
    location = url_for("api_people.show", person_id=person_id) if made else None
    return answer(_document(person), 201 if made else 200, location)


def _document(person: Person) -> dict[str, Any]:
    facts = person.facts
    return {
        "id": person.id,
        "hash": person.hash,
        **{name: getattr(person, name) or None for name in PERSON_FIELDS},
        "blocked": person.blocked_at is not None,
        "blocked_reason": person.blocked_reason or None,
        "opted_out": {"sms": facts.opted_out_sms, "email": facts.opted_out_email},
        "scores": {
            "recency": facts.recency,
            "frequency": facts.frequency,
            "monetary": facts.monetary,
        },
        "last_message_at": moment_text(facts.last_message_at),
        "created_at": moment_text(person.created_at),
        "updated_at": moment_text(person.updated_at),
    }
