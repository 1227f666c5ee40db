"""The same campaign through browser, command line and API leaves the same rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from apiflask import APIFlask

from rollcall import clock as real_clock
from rollcall.accounts.passwords import hash_password
from rollcall.actors import Actor, actor_for
from rollcall.audience.criteria import Criteria
from rollcall.campaigns.drafts import CampaignDraft, create_campaign
from rollcall.campaigns.scheduling import send_campaign_now
from rollcall.extensions import db
from rollcall.models import (
    AuditEntry,
    Campaign,
    Channel,
    Organisation,
    Recipient,
    Role,
    Segment,
    SegmentMember,
    SegmentSnapshot,
)
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from rollcall.sending.due import run_due_campaigns
from tests.api.client import Program, make_token
from tests.campaigns.stage import FRIDAY, SUNDAY
from tests.factories import attend, make_event, make_organisation, make_people, make_staff
from tests.web.browser import PASSWORD, Browser

CASES: dict[str, dict[str, Any]] = {
    "reuses the snapshot that is there": {"snapshot_there": True},
    "takes the one that is missing": {},
    "refreshes": {"snapshot_there": True, "snapshot_mode": "refresh"},
    "stands on an earlier version": {"snapshot_there": True, "version": 1},
    "re-processes": {"snapshot_there": True, "reprocess": True},
}


class House:
    """One organisation: two events, the segments VIP and Crew, a campaign that went out."""

    def __init__(self, app: APIFlask, slug: str) -> None:
        self.app = app
        self.organisation: Organisation = make_organisation(slug, timezone="America/Toronto")
        staff = make_staff(Role.SUPER, self.organisation, password_hash=hash_password(PASSWORD))
        self.staff_email = staff.email
        self.actor: Actor = actor_for(staff, "browser")
        show = make_event(self.organisation, f"{slug}-show")
        other = make_event(self.organisation, f"{slug}-other")
        self.people = make_people(self.organisation, 8)
        attend(show, self.people[:7])
        attend(other, self.people[6:])
        self._segments(slug)
        self.earlier = self._earlier(self.people[2:4])

    def _segments(self, slug: str) -> None:
        of_show = Criteria(events=(f"{slug}-show",))
        create_segment(self.actor, SegmentDraft("VIP", of_show, slug=f"{slug}-vip"))
        create_segment(
            self.actor,
            SegmentDraft("Crew", people=tuple(self.people[:1]), slug=f"{slug}-crew"),
        )

    def _earlier(self, people: list[int]) -> int:
        draft = CampaignDraft("Earlier", Channel.SMS, "Hello", Criteria(people=tuple(people)))
        campaign_id = create_campaign(self.actor, draft)
        send_campaign_now(self.actor, campaign_id)
        run_due_campaigns(self.app.extensions["rollcall"])
        return campaign_id

    def prepare(self, case: dict[str, Any]) -> None:
        """Take a snapshot where the case wants one, and let the segment go on from there."""
        slug = self.organisation.slug
        if case.get("snapshot_there"):
            ensure_segment_snapshot(self.actor, f"{slug}-vip")
        if case.get("version"):
            everybody = Criteria(events=(f"{slug}-show", f"{slug}-other"))
            edit_segment(self.actor, f"{slug}-vip", SegmentDraft("VIP", everybody))
        new = make_people(self.organisation, 1)
        attend(make_event(self.organisation, f"{slug}-late"), new)
        self.people += new


Door = Callable[[House, dict[str, Any]], None]


def by_browser(house: House, case: dict[str, Any]) -> None:
    slug = house.organisation.slug
    browser = Browser(house.app)
    browser.log_in(house.staff_email)
    form = {
        "name": "To VIPs",
        "channel": "sms",
        "message": "Hello %%FIRST_NAME%%",
        "mode": "segment",
        "segment": f"{slug}-vip",
        "segment_version": str(case.get("version", "")),
        "snapshot_mode": case.get("snapshot_mode", "reuse"),
        "exclude_events": [f"{slug}-other"],
        "exclude_segments": [f"{slug}-crew"],
        "exclude_campaigns": [str(house.earlier)],
        f"reached_{house.earlier}": "sent",
        "recent_message_hours": "0",
        "when": "later",
        "scheduled_local_time": SUNDAY,
        "scheduled_timezone": "America/Toronto",
        "action": "continue",
    }
    stored = browser.post(
        "/campaigns/new", {**form, **({"reprocess": "1"} if case.get("reprocess") else {})}
    )
    assert stored.status_code == 302, stored.text
    confirm = stored.location
    page = browser.get(confirm)
    assert "People of the segment VIP" in page.text
    scheduled = browser.post(confirm.replace("/confirm", "/schedule"), {"version": "1"})
    assert scheduled.status_code == 302, scheduled.text


def by_command_line(house: House, case: dict[str, Any]) -> None:
    slug = house.organisation.slug
    version = f"@{case['version']}" if case.get("version") else ""
    words = ["campaign", "create", "--org", slug, "--name", "To VIPs", "--channel", "sms"]
    words += ["--message", "Hello %%FIRST_NAME%%", "--segment", f"{slug}-vip{version}"]
    if case.get("snapshot_mode"):
        words += ["--snapshot-mode", case["snapshot_mode"]]
    words += ["--exclude-event", f"{slug}-other", "--exclude-segment", f"{slug}-crew"]
    words += ["--exclude-campaign", f"{house.earlier}:sent", "--window", "0"]
    words += ["--at", SUNDAY, "--timezone", "America/Toronto"]
    words += ["--reprocess"] if case.get("reprocess") else []
    result = house.app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output


def by_api(house: House, case: dict[str, Any]) -> None:
    slug = house.organisation.slug
    program = Program(house.app, make_token(house.organisation))
    response = program.post(
        "/campaigns",
        {
            "name": "To VIPs",
            "channel": "sms",
            "message": "Hello %%FIRST_NAME%%",
            "targeting_criteria": {
                "segment": {"slug": f"{slug}-vip", "version": case.get("version")},
                "exclude_events": [f"{slug}-other"],
                "exclude_segments": [f"{slug}-crew"],
                "exclude_campaigns": [{"id": house.earlier, "who": "sent"}],
                "recent_message_hours": 0,
            },
            "snapshot_mode": case.get("snapshot_mode"),
            "scheduled_local_time": SUNDAY,
            "scheduled_timezone": "America/Toronto",
            "reprocess_audience_at_send": case.get("reprocess", False),
            "schedule": True,
        },
    )
    assert response.status_code == 201, response.text


DOORS: dict[str, Door] = {"browser": by_browser, "cli": by_command_line, "api": by_api}

# What differs because three organisations stand beside each other.
OF_THE_ORGANISATION = {"id", "organisation_id", "created_by_id", "scheduled_by_id"}


def stored_rows(house: House) -> dict[str, Any]:
    """What the campaign left behind, with ids and slugs in the terms of its house."""
    db.session.rollback()
    campaign = db.session.scalars(
        sa.select(Campaign).where(
            Campaign.organisation_id == house.organisation.id, Campaign.name == "To VIPs"
        )
    ).one()
    place = {person_id: number for number, person_id in enumerate(house.people)}
    columns = {
        column.key: getattr(campaign, column.key)
        for column in sa.inspect(Campaign).columns
        if column.key not in OF_THE_ORGANISATION
    }
    slug = house.organisation.slug
    columns["targeting_criteria"] = (
        str(campaign.targeting_criteria)
        .replace(f"{slug}-", "our-")
        .replace(f'"id":{house.earlier}', '"id":earlier')
    )
    segment = db.session.get_one(Segment, columns.pop("segment_id"))
    snapshot = db.session.get_one(SegmentSnapshot, columns.pop("segment_snapshot_id"))
    return {
        "campaign": columns,
        "segment": segment.slug.replace(slug, "our"),
        "snapshot": (snapshot.version, snapshot.number, snapshot.people, snapshot.taken_at),
        "members": sorted(place[person] for person in _members(snapshot.id)),
        "recipients": _recipients(campaign.id, place),
        "audit": _audited(house, campaign.id),
    }


def _members(snapshot_id: int) -> Any:
    return db.session.scalars(
        sa.select(SegmentMember.person_id).where(SegmentMember.snapshot_id == snapshot_id)
    )


def _recipients(campaign_id: int, place: dict[int, int]) -> list[Any]:
    rows = db.session.scalars(
        sa.select(Recipient)
        .where(Recipient.campaign_id == campaign_id)
        .order_by(Recipient.person_id)
    )
    skipped = ("campaign_id", "person_id")
    return [
        (
            place[row.person_id],
            {
                column.key: getattr(row, column.key)
                for column in sa.inspect(Recipient).columns
                if column.key not in skipped
            },
        )
        for row in rows
    ]


def _audited(house: House, campaign_id: int) -> list[str]:
    return list(
        db.session.scalars(
            sa.select(AuditEntry.action)
            .where(
                AuditEntry.organisation_id == house.organisation.id,
                AuditEntry.object_type == "campaign",
                AuditEntry.object_id == str(campaign_id),
            )
            .order_by(AuditEntry.id)
        )
    )


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with time_machine.travel(FRIDAY, tick=False) as traveller:
        monkeypatch.setattr(real_clock, "sleep", traveller.shift)
        yield


@pytest.mark.usefixtures("standing_clock")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_three_doors_leave_the_same_rows(app: APIFlask, case: dict[str, Any]):
    left: dict[str, Any] = {}
    for name, door in DOORS.items():
        house = House(app, f"by-{name}")
        house.prepare(case)
        door(house, case)
        left[name] = stored_rows(house)
    first = left["browser"]
    for name, rows in left.items():
        assert rows == first, name
    campaign = first["campaign"]
    # Seven are at the show; one is crew, two had the earlier message, one is at the other event.
    assert [number for number, _ in first["recipients"]] == [1, 4, 5]
    assert first["members"] == list(range(7))
    assert campaign["estimated_recipients"] == 3
    assert campaign["snapshot_mode"] == case.get("snapshot_mode", "reuse")
    assert first["snapshot"][1] == (2 if case.get("snapshot_mode") == "refresh" else 1)
    funnel = campaign["estimate_snapshot"]["funnel"]
    exclusions = {key: funnel[key] for key in funnel if key.startswith("excluded_")}
    assert exclusions == {"excluded_event": 1, "excluded_segment": 1, "excluded_campaign": 2}
    assert first["audit"] == ["campaign.create", "campaign.schedule"]
