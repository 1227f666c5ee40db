"""A segment made, captured, edited and decided on by browser, command and API: the same rows."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from apiflask import APIFlask

from rollcall.accounts.passwords import hash_password
from rollcall.accounts.tokens import create_token
from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.extensions import db
from rollcall.models import AuditEntry, Campaign, SegmentMember
from rollcall.segments.records import find_segment, list_versions, listed_people
from rollcall.segments.snapshots import list_snapshots
from tests.api.client import Program
from tests.campaigns.stage import Stage
from tests.factories import make_staff
from tests.web.browser import PASSWORD, Browser

DOORS = ("browser", "command", "api")
ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


class Door:
    """One way in; each method does one thing by it."""

    def __init__(self, kind: str, app: APIFlask, stage: Stage, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        staff = make_staff(organisation=stage.organisation, password_hash=hash_password(PASSWORD))
        self.email = staff.email
        self.browser = Browser(app)
        self.browser.log_in(staff)
        self.program = Program(app, create_token(stage.actor, "door", staff.id).plain)
        self.runner = app.test_cli_runner()

    def create(self, people: list[int]) -> None:
        self._write("/segments/new", ["create", "VIP", "--slug", "vip"], "POST", people)

    def edit(self, people: list[int]) -> None:
        self._write("/segments/vip/edit", ["edit", "vip"], "PATCH", people)

    def _write(self, path: str, command: list[str], method: str, people: list[int]) -> None:
        if self.kind == "browser":
            form = {"name": "VIP", "slug": "vip", "mode": "people", "people": people}
            assert self.browser.post(path, {**form, "action": "save"}).status_code == 302
        elif self.kind == "command":
            file = self.folder / "people.csv"
            file.write_text("\n".join(["id", *map(str, people)]))
            self.command(*command, "--people", str(file))
        else:
            body: dict[str, Any] = {"people": people}
            body |= {"name": "VIP", "slug": "vip"} if method == "POST" else {}
            self.call(method, "/segments" + ("" if method == "POST" else "/vip"), body)

    def snapshot(self, way: str = "") -> None:
        if self.kind == "browser":
            response = self.browser.post("/segments/vip/snapshots", {"way": way})
            assert response.status_code == 302
        elif self.kind == "command":
            option = {"": [], "force": ["--force"], "bump": ["--bump-version"]}[way]
            self.command("snapshot", "vip", *option)
        else:
            body = {"force": way == "force", "bump_version": way == "bump"}
            self.call("POST", "/segments/vip/snapshots", body)

    def decide(self, campaign_id: int, decision: str) -> None:
        if self.kind == "browser":
            form = {"campaign": str(campaign_id), "decision": decision}
            assert self.browser.post("/segments/vip/decide", form).status_code == 302
        elif self.kind == "command":
            self.command(decision, str(campaign_id))
        else:
            path = f"/campaigns/{campaign_id}/segment-version"
            self.call("POST", path, {"decision": decision})

    def command(self, *words: str) -> None:
        db.session.rollback()
        result = self.runner.invoke(args=["segment", *words, "--as", self.email])
        assert result.exit_code == 0, result.output

    def call(self, method: str, path: str, body: Any) -> None:
        response = self.program.call(method, path, json=body)
        assert response.status_code in (200, 201), response.text


def play(door: Door, stage: Stage) -> list[int]:
    """A list is captured, two campaigns are scheduled to it, it is edited, each is decided on."""
    people = stage.people(6, attending=None)
    door.create(people[:4])
    door.snapshot()
    door.snapshot()
    kept, adopted = (stage.for_sunday(False, criteria=ON_VIP) for _ in range(2))
    door.edit(people[1:])
    door.decide(kept, "keep")
    door.decide(adopted, "adopt")
    door.snapshot("force")
    door.snapshot("bump")
    return people


def stored(stage: Stage, people: list[int]) -> dict[str, Any]:
    """What an organisation's segment and campaigns left, people told by their place."""
    db.session.rollback()
    db.session.expire_all()
    place = {person_id: number for number, person_id in enumerate(people)}
    here = find_segment(stage.organisation_id, "vip")
    return {
        "segment": (here.name, here.kind, here.version, here.created_at, here.updated_at),
        "versions": [
            (row.version, row.definition, [place[person] for person in listed_people(row)])
            for row in list_versions(here)
        ],
        "snapshots": [
            (row.version, row.number, row.people, row.taken_at, members(row.id, place))
            for row in list_snapshots(here).rows
        ],
        "campaigns": [
            told(campaign, stage, place)
            for campaign in db.session.scalars(
                sa.select(Campaign).filter_by(segment_id=here.id).order_by(Campaign.id)
            )
        ],
        "audit": [
            entry.action
            for entry in db.session.scalars(
                sa.select(AuditEntry)
                .where(
                    AuditEntry.organisation_id == stage.organisation_id,
                    AuditEntry.object_type.in_(["segment", "campaign"]),
                )
                .order_by(AuditEntry.id)
            )
        ],
    }


def members(snapshot_id: int, place: dict[int, int]) -> list[int]:
    rows = db.session.scalars(sa.select(SegmentMember.person_id).filter_by(snapshot_id=snapshot_id))
    return sorted(place[person_id] for person_id in rows)


def told(campaign: Campaign, stage: Stage, place: dict[int, int]) -> tuple[Any, ...]:
    snapshot = campaign.segment_snapshot
    assert snapshot is not None
    return (
        *(campaign.state, campaign.version, campaign.targeting_criteria),
        *(campaign.estimated_recipients, campaign.estimate_snapshot, campaign.frozen_at),
        (snapshot.version, snapshot.number),
        [(place[row.person_id], row.in_final, row.state) for row in stage.recipients(campaign.id)],
    )


def test_three_doors_leave_the_same_rows(app: APIFlask, clock: Any, tmp_path: Path):
    left: dict[str, dict[str, Any]] = {}
    for kind in DOORS:
        stage = Stage(app, clock)
        people = play(Door(kind, app, stage, tmp_path), stage)
        left[kind] = stored(stage, people)
    first = left["browser"]
    for kind, rows in left.items():
        assert rows == first, kind
    snapshots = [(version, number, who) for version, number, _, _, who in first["snapshots"]]
    assert snapshots == [
        (3, 1, [1, 2, 3, 4, 5]),
        (2, 2, [1, 2, 3, 4, 5]),
        (2, 1, [1, 2, 3, 4, 5]),
        (1, 1, [0, 1, 2, 3]),
    ]
    kept, adopted = first["campaigns"]
    assert [place for place, *_ in kept[-1]] == [0, 1, 2, 3]
    assert [place for place, *_ in adopted[-1]] == [1, 2, 3, 4, 5]
    assert first["audit"].count("segment.snapshot") == 4
    assert {"campaign.keep_version", "campaign.adopt_version"} < set(first["audit"])
