"""Events: created with wall-clock times, edited, found, listed."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rollcall.campaigns.event_holds import edit_event
from rollcall.errors import InvalidInput, NotFound
from rollcall.events.records import EventDraft, create_event, list_cities, list_events
from rollcall.extensions import db
from rollcall.lookups import find_event
from rollcall.models import AuditEntry, Event
from rollcall.paging import write_cursor
from tests.factories import NOON, attend, make_actor, make_event, make_organisation, make_people

ART = {"name": "Art Battle Toronto", "starts": "2026-11-28T19:00", "ends": "2026-11-28T23:00"}


def test_times_are_read_in_the_events_own_zone(app):
    acme = make_organisation()
    event = find_event(
        acme.id, create_event(make_actor(acme), EventDraft(**ART, timezone="Europe/Prague"))
    )
    assert event.starts_at == datetime(2026, 11, 28, 18, tzinfo=UTC)
    assert event.ends_at == datetime(2026, 11, 28, 22, tzinfo=UTC)
    assert event.timezone == "Europe/Prague"


def test_without_a_zone_it_is_the_organisations(app):
    acme = make_organisation()
    event = find_event(acme.id, create_event(make_actor(acme), EventDraft(**ART)))
    assert event.timezone == "America/Toronto"
    assert event.starts_at == datetime(2026, 11, 29, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "a name"),
        ({"name": "x" * 201}, "name", "200"),
        ({"starts": "soon"}, "starts", "2026-11-29T10:00"),
        ({"ends": "2026-11-28T19:00"}, "ends", "after it starts"),
        ({"ends": "2026-11-27T19:00"}, "ends", "after it starts"),
        ({"starts": "2026-03-08T02:30"}, "starts", "2026-03-08T03:00"),
        ({"starts": "2026-11-01T01:30"}, "starts", "comes twice"),
        ({"timezone": "Toronto"}, "timezone", "America/Toronto"),
        ({"slug": "Art Battle"}, "slug", "hyphens"),
        ({"slug": "a" * 81}, "slug", "80"),
        ({"slug": "taken"}, "slug", "already"),
    ],
)
def test_what_is_wrong_is_named_by_field(app, changes, field, words):
    acme = make_organisation()
    make_event(acme, "taken")
    with pytest.raises(InvalidInput) as refused:
        create_event(make_actor(acme), EventDraft(**{**ART, **changes}))
    assert list(refused.value.fields) == [field]
    assert words in refused.value.fields[field]
    assert db.session.scalar(sa.select(sa.func.count(Event.id))) == 1


def test_a_repeated_time_is_taken_when_it_is_said_which(app):
    acme = make_organisation()
    draft = EventDraft(**{**ART, "starts": "2026-11-01T01:30"}, starts_choice="later")
    event = find_event(acme.id, create_event(make_actor(acme), draft))
    assert event.starts_at == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_a_slug_is_made_of_the_name_and_stays_free(app):
    acme = make_organisation()
    actor = make_actor(acme)
    names = ["Fête d'été!", "Fete d ete", "???", "x" * 200, "x" * 200]
    slugs = [
        find_event(acme.id, create_event(actor, EventDraft(**{**ART, "name": name}))).slug
        for name in names
    ]
    assert slugs == ["fete-d-ete", "fete-d-ete-2", "event", "x" * 80, "x" * 78 + "-2"]


def test_the_same_slug_is_free_in_another_organisation(app):
    acme, other = make_organisation(), make_organisation()
    make_event(other, "art")
    assert create_event(make_actor(acme), EventDraft(**ART, slug="art"))


def test_editing_changes_all_but_the_slug(app):
    acme = make_organisation()
    actor, event = make_actor(acme), make_event(acme, "art")
    with pytest.raises(InvalidInput, match="stays 'art'"):
        edit_event(actor, event.id, EventDraft(**ART, slug="new"))
    edit_event(actor, event.id, EventDraft(**{**ART, "name": "Moved"}, city="Montréal"))
    edited = find_event(acme.id, "art")
    assert (edited.name, edited.city) == ("Moved", "Montréal")
    assert list_cities(acme.id) == ["Montréal"]
    audit = db.session.scalars(sa.select(AuditEntry).filter_by(action="event.edit")).one()
    assert (audit.before["name"], audit.after["name"]) == ("Art", "Moved")


def test_editing_to_the_same_changes_nothing(app):
    acme = make_organisation()
    actor = make_actor(acme)
    event_id = create_event(actor, EventDraft(**ART))
    edit_event(actor, event_id, EventDraft(**ART))
    assert db.session.scalar(sa.select(sa.func.count(AuditEntry.id))) == 1


@pytest.mark.parametrize("key", ["nothing", "", "\0", 0, -1, 2**40])
def test_no_event_is_found_by_anything_else(app, key):
    with pytest.raises(NotFound):
        find_event(make_organisation().id, key)


def test_an_event_of_another_organisation_is_neither_found_nor_changed(app):
    acme, other = make_organisation(), make_organisation()
    theirs = make_event(other, "theirs")
    for key in (theirs.id, theirs.slug):
        with pytest.raises(NotFound):
            find_event(acme.id, key)
    with pytest.raises(NotFound):
        edit_event(make_actor(acme), theirs.id, EventDraft(**ART))
    assert list_events(acme.id).rows == []


def test_the_list_has_the_latest_first_with_head_counts(app):
    acme = make_organisation()
    early = make_event(acme, "early", starts_at=NOON)
    late = make_event(acme, "late", starts_at=NOON + timedelta(days=1))
    attend(late, make_people(acme, 3))
    attend(early, make_people(acme, 1), cancelled=True)
    lines = list_events(acme.id).rows
    assert [(line.event.slug, line.heads.people) for line in lines] == [("late", 3), ("early", 0)]


def test_the_pages_hold_every_event_once(app):
    acme = make_organisation()
    # Several start at the same moment: the id tells where the page ended.
    slugs = [f"event-{n}" for n in range(7)]
    for number, slug in enumerate(slugs):
        make_event(acme, slug, starts_at=NOON + timedelta(days=number // 3))
    seen, cursor = [], None
    while True:
        page = list_events(acme.id, cursor, limit=2)
        seen += [line.event.slug for line in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == slugs[::-1]


@pytest.mark.parametrize(
    "cursor", ["x", write_cursor("yesterday", 1), write_cursor("2026-11-28T19:00:00", 1)]
)
def test_a_damaged_cursor_is_refused(app, cursor):
    with pytest.raises(InvalidInput, match="first page"):
        list_events(make_organisation().id, cursor)
