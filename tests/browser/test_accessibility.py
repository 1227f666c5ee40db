"""axe-core finds nothing on any page, on a laptop and on a phone, in light and in dark."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe

from blueprints.access import access_of
from rollcall import clock
from rollcall.actors import actor_for
from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import cancel_campaign, schedule_campaign, send_campaign_now
from rollcall.extensions import db, write
from rollcall.models import (
    Attempt,
    AudienceMode,
    Campaign,
    CampaignState,
    Channel,
    Installation,
    PlanState,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.plans.amendments import amend_plan
from rollcall.plans.changes import NumbersChange
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.installation import find_installation
from tests.browser.conftest import LAPTOP, PHONE, Site, Window
from tests.factories import make_event
from tests.plans.stage import bring_to
from tests.web.samples import World


def every_page(world: World) -> list[str]:
    """The address of every page for staff that is a whole document, for this world's rows."""
    browser = world.browser(Role.SUPER)
    found = []
    for rule in world.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or access_of(world.app, rule.endpoint).role is None:
            continue
        path = world.path_of(rule)
        response = browser.get(path)
        whole = response.status_code == 200 and "<!doctype html" in response.text.lower()
        if whole and response.mimetype == "text/html":
            found.append(path)
    return found


def campaigns_in_every_state(world: World) -> list[str]:
    """The pages of campaigns that are scheduled, wait for a decision, go out, or are over."""
    actor = actor_for(world.staff[Role.SUPER], "browser")
    later = (clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    made: dict[str, int] = {}
    for state in ("completed", "cancelled", "scheduled", "needs_review", "failed", "paused"):
        draft = CampaignDraft(
            name=state,
            channel=Channel.SMS if state != "completed" else Channel.EMAIL,
            message="Hello %%NAME%%",
            subject="Hello",
            criteria=Criteria(events=(world.event_slug,), window_hours=0),
            audience_mode=AudienceMode.REPROCESS,
            local_time=later,
            timezone="America/Toronto",
        )
        made[state] = create_campaign(actor, draft)
        schedule_campaign(actor, made[state])
    send_campaign_now(actor, made["completed"])
    run_due_campaigns(world.app.extensions["rollcall"])
    cancel_campaign(actor, made["cancelled"])
    for state in ("needs_review", "failed", "paused"):
        force_state(made[state], CampaignState(state))
    with write():
        db.session.execute(
            sa.update(Recipient)
            .where(Recipient.campaign_id == made["completed"])
            .values(state=RecipientState.IN_DOUBT)
        )
        db.session.execute(
            sa.update(Attempt)
            .where(Attempt.campaign_id == made["completed"])
            .values(outcome=RecipientState.IN_DOUBT)
        )
    pages = [f"/campaigns/{campaign_id}" for campaign_id in made.values()]
    return [*pages, f"/campaigns/{made['completed']}/doubts"]


def plans_in_every_state(world: World) -> list[str]:
    """The pages of plans as they are written, locked, amended, completed; and their forms."""
    actor = actor_for(world.staff[Role.SUPER], "browser")
    for state in PlanState:
        event = make_event(world.organisation, state.value.replace("_", "-"))
        bring_to(actor, event, state)
    change = NumbersChange("finished_good", "boxes", {"quantity": 3})
    amend_plan(actor, world.event_slug, change, "More came")
    pages = [f"/events/{state.value.replace('_', '-')}/plan" for state in PlanState]
    return [*pages, f"{pages[0]}/edit", f"{pages[2]}/amend?kind=batch_decision"]


def segment_in_use(world: World) -> str:
    """The page of a segment whose newer version a scheduled campaign has to keep or adopt."""
    actor, later = world.actor, (clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    create_segment(actor, SegmentDraft("Friends", people=(world.person_id,), slug="friends"))
    for name in ("One", "Two"):
        draft = CampaignDraft(
            name=name,
            channel=Channel.SMS,
            message="Hello",
            criteria=Criteria(segment=SegmentChoice("friends"), window_hours=0),
            local_time=later,
            timezone="America/Toronto",
        )
        schedule_campaign(actor, create_campaign(actor, draft))
    edit_segment(actor, "friends", SegmentDraft("Friends", people=()))
    return "/segments/friends"


def hold_sending() -> None:
    """Leave the installation as a restored backup does: a banner on every page."""
    find_installation()
    with write():
        row = db.session.get_one(Installation, 1)
        row.held_at, row.held_reason = clock.now(), "This database is older than what was sent."


def force_state(campaign_id: int, state: CampaignState) -> None:
    with write():
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.state, campaign.state_note = state, "A reason to look at it."


def violations(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']][:3]}" for rule in found]


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"]
)
def test_axe_finds_nothing_on_any_page(
    site: Site, window: Callable[..., Window], viewport: dict[str, int], scheme: str
):
    world = World(site.app, "ours", "Zanzibar")
    paths = every_page(world) + campaigns_in_every_state(world) + plans_in_every_state(world)
    hold_sending()
    page = window(world.staff[Role.SUPER], viewport=viewport, color_scheme=scheme).page
    failures = []
    for path in paths:
        page.goto(site.url + path)
        failures += [f"{path}: {text}" for text in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            failures.append(f"{path}: wider than the screen")
    assert not failures, "\n".join(failures)
    assert any(path.endswith("/edit") for path in paths)
