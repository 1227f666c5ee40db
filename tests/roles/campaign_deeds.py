"""How the rights about campaigns are tried."""

import re
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import schedule_campaign, send_campaign_now
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Event,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.sending.due import run_due_campaigns
from tests.factories import attend, make_event, make_people, make_person
from tests.roles.deeds import DEEDS, Deed, counted, deed, simple
from tests.web.samples import World


def form_of_campaign(world: World, **changes: Any) -> dict[str, Any]:
    later = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT12:00")
    return {
        "name": "Thank you",
        "channel": "sms",
        "message": "Thanks %%FIRST_NAME%%",
        "mode": "events",
        "events": [world.event_slug],
        "recent_message_hours": "72",
        "when": "later",
        "scheduled_local_time": later,
        "scheduled_timezone": "UTC",
        "action": "continue",
        **changes,
    }


def campaign_in(world: World, state: CampaignState, **changes: Any) -> int:
    """A campaign of the world's event in this state, which is forced where sending leads to it."""
    values: dict[str, Any] = {
        "name": "Tried by the roles",
        "channel": Channel.SMS,
        "message": "Thanks",
        "criteria": Criteria(events=(world.event_slug,), window_hours=0),
        "local_time": (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT12:00"),
        "timezone": "UTC",
        **changes,
    }
    campaign_id = create_campaign(world.actor, CampaignDraft(**values))
    if state == CampaignState.DRAFT:
        return campaign_id
    schedule_campaign(world.actor, campaign_id)
    if state == CampaignState.COMPLETED:
        send_campaign_now(world.actor, campaign_id)
        run_due(world)
    elif state != CampaignState.SCHEDULED:
        with write():
            db.session.get_one(Campaign, campaign_id).state = state
    return campaign_id


def run_due(world: World) -> None:
    db.session.rollback()
    run_due_campaigns(world.app.extensions["rollcall"])
    db.session.rollback()


def in_doubt(world: World) -> int:
    """A completed campaign whose people are in doubt."""
    campaign_id = campaign_in(world, CampaignState.COMPLETED)
    for table, column in ((Recipient, "state"), (Attempt, "outcome")):
        with write():
            db.session.execute(
                sa.update(table)
                .where(table.campaign_id == campaign_id)
                .values({column: RecipientState.IN_DOUBT})
            )
    return campaign_id


def on_campaign(key: str, state: CampaignState, form: dict[str, Any] | None = None) -> None:
    """A deed on a campaign in that state."""
    path = re.sub(r"<int:campaign_id>", "{}", key.partition(" (")[0].removeprefix("POST "))
    DEEDS[key] = lambda world, _role: Deed(path.format(campaign_in(world, state)), dict(form or {}))


@deed("POST /campaigns/new")
def write_campaign(world: World, _role: Role) -> Deed:
    return Deed("/campaigns/new", form_of_campaign(world))


@deed("POST /campaigns/new (whatever the hour)")
def write_loud_campaign(world: World, _role: Role) -> Deed:
    # The form comes back with the reason beside its field.
    form = form_of_campaign(world, quiet_hours="override")
    return Deed("/campaigns/new", form, refused=422)


@deed("POST /campaigns/<int:campaign_id>/edit")
def edit_campaign(world: World, _role: Role) -> Deed:
    campaign_id = campaign_in(world, CampaignState.SCHEDULED)
    return Deed(f"/campaigns/{campaign_id}/edit", form_of_campaign(world, name="Edited"))


@deed("POST /campaigns/preview")
def preview_campaign(world: World, _role: Role) -> Deed:
    return Deed("/campaigns/preview", form_of_campaign(world), changes=False)


for _name in ("events", "exclusions", "people", "segments"):
    simple(f"POST /campaigns/form/{_name}", f"/campaigns/form/{_name}", changes=False)


@deed("POST /campaigns/form/people/add")
def add_people(world: World, _role: Role) -> Deed:
    number = next(counted)
    form = form_of_campaign(world, mode="people", people_text=f"roles{number}@example.org")
    return Deed("/campaigns/form/people/add", form, changes=False)


_on = "POST /campaigns/<int:campaign_id>"
on_campaign(f"{_on}/schedule", CampaignState.DRAFT)
on_campaign(f"{_on}/send", CampaignState.SCHEDULED)
on_campaign(f"{_on}/cancel", CampaignState.SCHEDULED)
on_campaign(f"{_on}/pause", CampaignState.SENDING)
on_campaign(f"{_on}/resume", CampaignState.PAUSED)
on_campaign(f"{_on}/duplicate", CampaignState.COMPLETED)
on_campaign(f"{_on}/rehearse", CampaignState.SCHEDULED)
on_campaign(f"{_on}/test", CampaignState.DRAFT, {"address": "+14165550123"})
on_campaign(f"{_on}/review (cancel)", CampaignState.NEEDS_REVIEW, {"decision": "cancel"})
on_campaign(f"{_on}/review (estimate)", CampaignState.NEEDS_REVIEW, {"decision": "estimate"})


@deed("POST /campaigns/form/test")
def try_what_is_typed(world: World, _role: Role) -> Deed:
    form = form_of_campaign(world, test_address="+14165550123", address="+14165550123")
    return Deed("/campaigns/form/test", form, changes=False)


@deed("POST /campaigns/<int:campaign_id>/for-real")
def make_a_dry_run_real(world: World, _role: Role) -> Deed:
    dry = campaign_in(world, CampaignState.DRAFT, dry_run_address="+14165550123")
    return Deed(f"/campaigns/{dry}/for-real")


@deed("POST /campaigns/<int:campaign_id>/top-up")
def top_up(world: World, _role: Role) -> Deed:
    campaign_id = campaign_in(world, CampaignState.COMPLETED)
    join(world, 1)
    return Deed(f"/campaigns/{campaign_id}/top-up")


@deed("POST /campaigns/<int:campaign_id>/doubts (sent)")
def count_as_sent(world: World, _role: Role) -> Deed:
    return Deed(f"/campaigns/{in_doubt(world)}/doubts", {"decision": "sent"})


@deed("POST /campaigns/<int:campaign_id>/doubts (again)")
def send_again(world: World, _role: Role) -> Deed:
    return Deed(f"/campaigns/{in_doubt(world)}/doubts", {"decision": "again"})


@deed("POST /campaigns/<int:campaign_id>/doubts/ask")
def ask_provider(world: World, _role: Role) -> Deed:
    # The simulator can't be asked: whoever may is told so.
    return Deed(f"/campaigns/{in_doubt(world)}/doubts/ask", changes=False)


def grown(world: World, percent: int) -> int:
    """A campaign for one person that a guard of its own stopped, as so much more have come."""
    # An event of its own, so that the estimate is one person each time.
    event = make_event(world.organisation, f"grown-{next(counted)}")
    attend(event, make_person(world.organisation))
    campaign_id = campaign_in(
        world,
        CampaignState.SCHEDULED,
        criteria=Criteria(events=(event.slug,), window_hours=0),
        audience_mode=AudienceMode.REPROCESS,
        guard_limits={"growth_percent": 0},
    )
    attend(event, make_people(world.organisation, percent // 100))
    send_campaign_now(world.actor, campaign_id)
    run_due(world)
    campaign = db.session.get_one(Campaign, campaign_id)
    assert campaign.state == CampaignState.NEEDS_REVIEW, campaign.state_note
    return campaign_id


def approve(key: str, percent: int) -> None:
    def make(world: World, _role: Role) -> Deed:
        return Deed(f"/campaigns/{grown(world, percent)}/review", {"decision": "final"})

    DEEDS[f"{_on}/review ({key})"] = make


approve("grown by 100 %", 100)
approve("grown by 500 %", 500)
approve("grown by 600 %", 600)


def join(world: World, number: int) -> None:
    event = db.session.scalars(
        sa.select(Event).where(Event.organisation_id == world.organisation.id).limit(1)
    ).one()
    attend(event, make_people(world.organisation, number))
