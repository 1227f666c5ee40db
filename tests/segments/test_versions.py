"""A segment's new version: scheduled campaigns keep theirs or adopt it, all or nothing."""

from contextlib import suppress

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.campaigns import freezing
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.campaigns.segment_versions import (
    adopt_segment_version,
    compare_with_adopting,
    decide_segment_version,
    keep_segment_version,
)
from rollcall.errors import Conflict, InvalidInput, NotFound
from rollcall.extensions import db
from rollcall.models import AuditEntry, Campaign, Recipient, Role, SegmentMember, SegmentSnapshot
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import SUNDAY
from tests.factories import make_actor, make_organisation
from tests.failing import COMMIT, BrokenStatement, failing_at, failing_commit

ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


@pytest.fixture
def people(stage) -> list[int]:
    """Six people; the first four are on version 1 of the static segment "vip"."""
    people = stage.people(6, attending=None)
    create_segment(stage.actor, SegmentDraft("VIP", people=tuple(people[:4])))
    return people


def edit(stage, people: list[int]) -> None:
    """Make version 2: the first leaves, the fifth and sixth join."""
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=tuple(people[1:])))


def listed(stage, campaign_id: int) -> list[int]:
    return [row.person_id for row in stage.recipients(campaign_id)]


def audited(action: str) -> list[AuditEntry]:
    return list(db.session.scalars(sa.select(AuditEntry).filter_by(action=action)))


def everything() -> list[object]:
    """All rows that adopting touches."""
    db.session.rollback()
    db.session.expire_all()
    tables = (Campaign, Recipient, SegmentSnapshot, SegmentMember, AuditEntry)
    return [
        list(db.session.execute(sa.select(table.__table__).order_by(*table.__table__.primary_key)))
        for table in tables
    ]


def test_adopting_freezes_the_list_anew_on_the_live_version(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    assert listed(stage, campaign_id) == people[:4]
    change = compare_with_adopting(stage.campaign(campaign_id))
    assert (change.joined, change.left) == (2, 1)
    assert adopt_segment_version(stage.actor, campaign_id) == 5
    settings = stage.document(campaign_id)["settings"]
    assert settings["frozen_contact_ids"] == people[1:]
    assert settings["segment_version"] == settings["segment_snapshot"]["version"] == 2
    assert settings["segment_snapshot"]["count"] == 5
    assert stage.document(campaign_id)["status"] == "scheduled"
    assert stage.document(campaign_id)["targeting_criteria"]["segment"]["version"] is None
    (entry,) = audited("campaign.adopt_version")
    assert entry.before["estimated_recipients"] == 4
    assert entry.after["estimated_recipients"] == 5
    stage.run_on_sunday()
    assert stage.reached(campaign_id) == people[1:]


def test_adopting_reuses_the_snapshot_that_the_version_has(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    taken = ensure_segment_snapshot(stage.actor, "vip")
    adopt_segment_version(stage.actor, campaign_id)
    assert stage.document(campaign_id)["settings"]["segment_snapshot"]["id"] == taken.id


def test_adopting_twice_changes_nothing_more(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    version = stage.campaign(campaign_id).version
    assert adopt_segment_version(stage.actor, campaign_id, version) == 5
    before = everything()
    assert adopt_segment_version(stage.actor, campaign_id, version) == 5
    assert everything() == before


def test_a_pinned_campaign_is_pinned_to_the_new_version(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP.with_segment(version=1))
    edit(stage, people)
    adopt_segment_version(stage.actor, campaign_id)
    document = stage.document(campaign_id)
    assert document["targeting_criteria"]["segment"] == {"slug": "vip", "version": 2}
    assert document["settings"]["frozen_contact_ids"] == people[1:]


def test_keeping_pins_the_version_and_leaves_the_list(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    before = stage.document(campaign_id)["settings"]
    assert keep_segment_version(stage.actor, campaign_id) == 4
    document = stage.document(campaign_id)
    assert document["settings"] == before
    assert document["targeting_criteria"]["segment"] == {"slug": "vip", "version": 1}
    (entry,) = audited("campaign.keep_version")
    assert entry.before["segment_version"] is None
    assert entry.after["segment_version"] == 1
    stage.run_on_sunday()
    assert stage.reached(campaign_id) == people[:4]


def test_a_reprocessing_campaign_that_keeps_evaluates_its_version(stage, people):
    kept = stage.for_sunday(True, criteria=ON_VIP)
    adopted = stage.for_sunday(True, criteria=ON_VIP)
    edit(stage, people)
    keep_segment_version(stage.actor, kept)
    adopt_segment_version(stage.actor, adopted)
    for campaign_id in (kept, adopted):
        assert stage.document(campaign_id)["metadata"]["reprocess_audience_at_send"] is True
    stage.run_on_sunday()
    assert stage.reached(kept) == people[:4]
    assert stage.reached(adopted) == people[1:]


@pytest.mark.parametrize("decision", ["keep", "adopt"])
def test_whoever_looked_at_an_older_campaign_is_told(stage, people, decision):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    before = everything()
    with pytest.raises(Conflict, match="Somebody else has changed this campaign"):
        decide_segment_version(stage.actor, campaign_id, decision, 1)
    assert everything() == before


@pytest.mark.parametrize("decision", ["keep", "adopt"])
def test_only_a_scheduled_campaign_on_a_segment_can_be_decided_on(stage, people, decision):
    draft = create_campaign(stage.actor, stage.draft(criteria=ON_VIP, local_time=SUNDAY))
    on_event = stage.for_sunday(False)
    sent, cancelled = (stage.for_sunday(False, criteria=ON_VIP) for _ in range(2))
    cancel_campaign(stage.actor, cancelled)
    stage.run_on_sunday()
    edit(stage, people)
    before = everything()
    for campaign_id, told in (
        (draft, "is a draft"),
        (on_event, "not on a segment"),
        (sent, "is completed"),
        (cancelled, "is cancelled"),
    ):
        with pytest.raises(Conflict, match=told):
            decide_segment_version(stage.actor, campaign_id, decision)
    stranger = make_actor(make_organisation("other"), Role.SUPER)
    with pytest.raises(NotFound):
        decide_segment_version(stranger, draft, decision)
    with pytest.raises(InvalidInput, match="keep, adopt"):
        decide_segment_version(stage.actor, draft, "drop")
    assert everything() == before


@pytest.mark.parametrize("decision", ["keep", "adopt"])
def test_a_failure_at_any_statement_leaves_everything_as_it_was(stage, people, decision):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP.with_segment(version=None))
    edit(stage, people)
    before = everything()

    def decide() -> None:
        decide_segment_version(stage.actor, campaign_id, decision)

    with failing_commit(), pytest.raises(BrokenStatement):
        decide()
    assert everything() == before
    failed: list[str] = []
    while everything() == before:
        with failing_at(len(failed) + 1) as breakage, suppress(BrokenStatement):
            decide()
        failed.append(breakage.hit or COMMIT)
    # What comes after the COMMIT only drops what was evaluated, so that the walk ends there.
    assert failed[-1].startswith(("BEGIN", "DROP", "SELECT", COMMIT))
    changed = "INSERT INTO recipient" if decision == "adopt" else "UPDATE campaign"
    assert any(changed in text for text in failed)
    assert any("INSERT INTO audit_entry" in text for text in failed)


def test_a_version_made_while_adopting_evaluates_is_the_one_adopted(stage, people, monkeypatch):
    """The evaluation happens outside of any lock; what changed in between is evaluated again."""
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit(stage, people)
    real, made = freezing.staged_audience, []

    def meanwhile(*args):
        if not made:
            made.append(edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=(people[5],))))
        return real(*args)

    monkeypatch.setattr(freezing, "staged_audience", meanwhile)
    assert adopt_segment_version(stage.actor, campaign_id) == 1
    assert made == [3]
    assert listed(stage, campaign_id) == [people[5]]
    assert stage.document(campaign_id)["settings"]["segment_version"] == 3
