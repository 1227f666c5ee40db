"""How the rights about events, people, imports, plans and segments are tried."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rollcall import clock
from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.extensions import db, write
from rollcall.models import (
    CampaignState,
    Channel,
    Event,
    ImportRun,
    Person,
    PlanState,
    Role,
)
from rollcall.people.consent import opt_out_person
from rollcall.people.import_jobs import Upload, upload_file
from rollcall.people.inbox import list_inbox
from rollcall.people.records import block_person
from rollcall.providers.base import Inbound
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.sending.inbound import receive_inbound
from tests.factories import attend, make_event, make_person
from tests.plans.stage import bring_to
from tests.roles.campaign_deeds import campaign_in
from tests.roles.deeds import DEEDS, Deed, counted, deed, simple
from tests.web.samples import World


def new_event(world: World) -> Event:
    return make_event(world.organisation, f"made-{next(counted)}")


EVENT = {
    "name": "Gala",
    "starts": "2030-12-01T19:00",
    "ends": "2030-12-01T23:00",
    "timezone": "America/Toronto",
}
simple("POST /events/new", "/events/new", EVENT)


@deed("POST /events/<slug>/edit")
def edit_event(world: World, _role: Role) -> Deed:
    return Deed(f"/events/{new_event(world).slug}/edit", EVENT)


@deed("POST /events/<slug>/cancel")
def call_off(world: World, _role: Role) -> Deed:
    return Deed(f"/events/{new_event(world).slug}/cancel")


@deed("POST /events/<slug>/reopen")
def reopen(world: World, _role: Role) -> Deed:
    event = new_event(world)
    with write():
        db.session.get_one(Event, event.id).cancelled_at = clock.now()
    return Deed(f"/events/{event.slug}/reopen")


@deed("POST /events/<slug>/attendance")
def record_attendance(world: World, _role: Role) -> Deed:
    form = {"source": "qr_scan", "person": str(world.person_id)}
    return Deed(f"/events/{new_event(world).slug}/attendance", form)


@deed("POST /events/<slug>/attendance/cancel")
def cancel_attendance(world: World, _role: Role) -> Deed:
    event, person = new_event(world), make_person(world.organisation)
    attend(event, person)
    form = {"person": str(person.id), "status": "refunded", "source": "registration"}
    return Deed(f"/events/{event.slug}/attendance/cancel", form)


@deed("POST /people/new")
def add_person(_world: World, _role: Role) -> Deed:
    return Deed("/people/new", {"email": f"roles{next(counted)}@example.org"})


def on_person(action: str, form: dict[str, Any], prepare: Callable[..., Any] | None = None) -> None:
    def make(world: World, _role: Role) -> Deed:
        person: Person = make_person(world.organisation)
        person_id = person.id
        if prepare is not None:
            prepare(world.actor, person_id)
        return Deed(f"/people/{person_id}/{action}", form)

    DEEDS[f"POST /people/<int:person_id>/{action}"] = make


on_person("edit", {"first_name": "Edith", "email": "edith.of.the.roles@example.org"})
on_person("block", {"reason": "asked for it"})
on_person("unblock", {}, lambda actor, person_id: block_person(actor, person_id, "a test"))
on_person("opt-out", {"channel": "sms"})
on_person(
    "opt-in",
    {"channel": "sms", "asked": "1"},
    lambda actor, person_id: opt_out_person(actor, person_id, Channel.SMS, "staff"),
)
simple("POST /people/scores", "/people/scores")


def file_of() -> tuple[io.BytesIO, str]:
    return io.BytesIO(f"Email\nfile{next(counted)}@example.org\n".encode()), "people.csv"


def uploaded(world: World) -> int:
    settings = world.app.extensions["rollcall"]
    what = Upload("people", world.event_slug, "registration")
    return upload_file(world.actor, settings, *file_of(), what)


@deed("POST /imports/new")
def upload(world: World, _role: Role) -> Deed:
    form = {"kind": "people", "source": "registration", "event": world.event_slug}
    return Deed("/imports/new", {**form, "file": file_of()})


@deed("POST /imports/<int:run_id>")
def start_import(world: World, _role: Role) -> Deed:
    return Deed(f"/imports/{uploaded(world)}", {"column-0": "email"})


@deed("POST /imports/<int:run_id>/discard")
def discard_import(world: World, _role: Role) -> Deed:
    return Deed(f"/imports/{uploaded(world)}/discard")


@deed("POST /imports/<int:run_id>/again")
def import_again(world: World, _role: Role) -> Deed:
    run_id = uploaded(world)
    with write():
        run = db.session.get_one(ImportRun, run_id)
        run.state, run.mapping = "running", {"columns": {"email": "Email"}, "day_first": False}
        run.touched_at = clock.now() - timedelta(minutes=5)
    return Deed(f"/imports/{run_id}/again")


@deed("POST /inbox/<int:message_id>/decide")
def decide_message(world: World, _role: Role) -> Deed:
    number, phone = next(counted), make_person(world.organisation).phone or ""
    receive_inbound("kannel", Inbound(f"roles-{number}", phone, "12345", "take me off please"))
    message_id = list_inbox(world.organisation.id).rows[0].message.id
    return Deed(f"/inbox/{message_id}/decide", {"decision": "stop"})


# Plans and segments


def on_plan(action: str, state: PlanState, form: dict[str, Any] | None = None) -> None:
    def make(world: World, _role: Role) -> Deed:
        event = new_event(world)
        slug = event.slug
        bring_to(world.actor, event, state)
        return Deed(f"/events/{slug}/plan/{action}", dict(form or {}))

    DEEDS[f"POST /events/<slug>/plan/{action}"] = make


_good = {"name": "hats", "quantity": "12", "per_person": ""}
on_plan(
    "edit", PlanState.DRAFT, {f"finished_goods-0-{name}": value for name, value in _good.items()}
)
on_plan("lock", PlanState.DRAFT)
on_plan("unlock", PlanState.LOCKED)
on_plan("start", PlanState.LOCKED)
on_plan("complete", PlanState.IN_PRODUCTION)
_fewer = {"action": "change", "kind": "finished_good", "item": "gift-boxes", "quantity": "420"}
on_plan("amend", PlanState.IN_PRODUCTION, {**_fewer, "per_person": "1", "reason": "More came"})


def form_of_segment(world: World) -> dict[str, Any]:
    return {
        "name": f"Roles {next(counted)}",
        "kind": "dynamic",
        "mode": "events",
        "events": [world.event_slug],
        "action": "save",
    }


def new_segment(world: World) -> str:
    slug = f"roles-{next(counted)}"
    create_segment(world.actor, SegmentDraft(slug, people=(world.person_id,), slug=slug))
    return slug


@deed("POST /segments/new")
def write_segment(world: World, _role: Role) -> Deed:
    return Deed("/segments/new", form_of_segment(world))


@deed("POST /segments/<segment_key>/edit")
def save_segment(world: World, _role: Role) -> Deed:
    criteria, slug = Criteria(events=(world.event_slug,)), f"roles-{next(counted)}"
    create_segment(world.actor, SegmentDraft(slug, criteria, slug=slug))
    return Deed(f"/segments/{slug}/edit", form_of_segment(world))


@deed("POST /segments/preview")
def preview_segment(world: World, _role: Role) -> Deed:
    return Deed("/segments/preview", form_of_segment(world), changes=False)


simple("POST /segments/form/exclusions", "/segments/form/exclusions", changes=False)


@deed("POST /segments/<segment_key>/snapshots")
def take_snapshot(world: World, _role: Role) -> Deed:
    return Deed(f"/segments/{new_segment(world)}/snapshots")


@deed("POST /segments/<segment_key>/decide")
def decide_version(world: World, _role: Role) -> Deed:
    slug = new_segment(world)
    criteria = Criteria(segment=SegmentChoice(slug), window_hours=0)
    campaign_id = campaign_in(world, CampaignState.SCHEDULED, criteria=criteria)
    edit_segment(world.actor, slug, SegmentDraft(slug, people=()))
    return Deed(f"/segments/{slug}/decide", {"campaign": str(campaign_id), "decision": "keep"})
