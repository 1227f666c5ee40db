"""Snapshots of segments: taken once, again by force, and what campaigns are frozen from."""

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import CampaignChoice, Criteria, Reached, SegmentChoice
from rollcall.errors import InvalidInput, NotFound
from rollcall.extensions import db
from rollcall.models import SegmentMember, Source
from rollcall.segments.records import (
    SegmentDraft,
    create_segment,
    edit_segment,
    find_segment,
    list_versions,
)
from rollcall.segments.snapshots import ensure_segment_snapshot, list_snapshots, snapshot_exists

AT_THE_SHOW = Criteria(events=("show",))
ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


def members(snapshot) -> list[int]:
    return list(
        db.session.scalars(
            sa.select(SegmentMember.person_id)
            .where(SegmentMember.snapshot_id == snapshot.id)
            .order_by(SegmentMember.person_id)
        )
    )


@pytest.fixture
def vip(stage):
    """A segment of whoever is at the show."""
    return create_segment(stage.actor, SegmentDraft("VIP", AT_THE_SHOW))


def test_a_snapshot_is_taken_once_and_stays_as_it_was(stage, vip):
    first = stage.people(3)
    assert not snapshot_exists(stage.organisation_id, "vip")
    taken = ensure_segment_snapshot(stage.actor, "vip")
    assert (taken.version, taken.number, taken.people) == (1, 1, 3)
    stage.people(2)
    again = ensure_segment_snapshot(stage.actor, "vip")
    assert again.id == taken.id
    assert members(again) == first
    assert snapshot_exists(stage.organisation_id, "vip")


def test_force_takes_another_and_leaves_the_first(stage, vip):
    first = stage.people(3)
    taken = ensure_segment_snapshot(stage.actor, "vip")
    more = stage.people(2)
    forced = ensure_segment_snapshot(stage.actor, "vip", force=True)
    assert (forced.version, forced.number, forced.people) == (1, 2, 5)
    assert members(forced) == first + more
    assert members(taken) == first
    assert ensure_segment_snapshot(stage.actor, "vip").id == forced.id


def test_a_bump_makes_a_version_with_a_snapshot_of_its_own(stage, vip):
    stage.people(3)
    ensure_segment_snapshot(stage.actor, "vip")
    stage.people(1)
    bumped = ensure_segment_snapshot(stage.actor, "vip", bump_version=True)
    assert (bumped.version, bumped.number, bumped.people) == (2, 1, 4)
    segment = find_segment(stage.organisation_id, "vip")
    assert segment.version == 2
    assert len({version.definition for version in list_versions(segment)}) == 1
    assert [snapshot.people for snapshot in list_snapshots(segment).rows] == [4, 3]


def test_an_edit_makes_a_version_without_a_snapshot(stage, vip):
    stage.people(3)
    ensure_segment_snapshot(stage.actor, "vip")
    scanned = Criteria(events=("show",), sources=(Source.QR_SCAN,))
    assert edit_segment(stage.actor, "vip", SegmentDraft("VIP", scanned)) == 2
    assert edit_segment(stage.actor, "vip", SegmentDraft("Very", scanned)) == 2
    assert not snapshot_exists(stage.organisation_id, "vip")
    assert snapshot_exists(stage.organisation_id, "vip", 1)
    assert ensure_segment_snapshot(stage.actor, "vip").people == 0


def test_a_static_segment_is_its_list(stage):
    people = stage.people(4, attending=None)
    create_segment(stage.actor, SegmentDraft("Friends", people=tuple(people[:3])))
    assert members(ensure_segment_snapshot(stage.actor, "friends")) == people[:3]
    bumped = ensure_segment_snapshot(stage.actor, "friends", bump_version=True)
    assert members(bumped) == people[:3]
    edit_segment(stage.actor, "friends", SegmentDraft("Friends", people=tuple(people[1:])))
    edited = ensure_segment_snapshot(stage.actor, "friends")
    assert (edited.version, members(edited)) == (3, people[1:])


def test_what_there_is_not_is_said(stage, vip):
    with pytest.raises(NotFound, match="There is no segment 'nobody'"):
        ensure_segment_snapshot(stage.actor, "nobody")
    with pytest.raises(InvalidInput, match="There is a segment 'vip' already"):
        create_segment(stage.actor, SegmentDraft("VIP", AT_THE_SHOW, slug="vip"))
    with pytest.raises(InvalidInput, match="Choose who gets this"):
        create_segment(stage.actor, SegmentDraft("Empty", Criteria()))
    with pytest.raises(InvalidInput, match="can't be built on other segments"):
        create_segment(stage.actor, SegmentDraft("On it", ON_VIP))


def test_a_campaign_reuses_the_snapshot_that_is_there(stage, vip):
    first = stage.people(3)
    taken = ensure_segment_snapshot(stage.actor, "vip")
    stage.people(2)
    campaign = stage.for_sunday(False, criteria=ON_VIP)
    settings = stage.document(campaign)["settings"]
    assert settings["frozen_contact_ids"] == first
    assert settings["segment_snapshot"]["id"] == taken.id
    assert (settings["snapshot_mode"], settings["segment_version"]) == ("reuse", 1)
    assert settings["original_segment_id"] == settings["segment_id"] == vip


def test_a_campaign_takes_the_snapshot_that_is_missing(stage, vip):
    first = stage.people(3)
    campaign = stage.for_sunday(False, criteria=ON_VIP)
    snapshot = ensure_segment_snapshot(stage.actor, "vip")
    assert members(snapshot) == first
    assert stage.document(campaign)["settings"]["segment_snapshot"]["id"] == snapshot.id


def test_refresh_always_takes_a_new_one(stage, vip):
    stage.people(3)
    ensure_segment_snapshot(stage.actor, "vip")
    stage.people(2)
    campaign = stage.for_sunday(False, criteria=ON_VIP, snapshot_mode="refresh")
    settings = stage.document(campaign)["settings"]
    assert (settings["segment_snapshot"]["number"], settings["segment_snapshot"]["count"]) == (2, 5)
    assert stage.document(campaign)["metadata"]["estimated_recipients"] == 5


def test_an_unsupported_mode_fails_at_once(stage, vip):
    with pytest.raises(InvalidInput) as refusal:
        stage.for_sunday(False, criteria=ON_VIP, snapshot_mode="x")
    assert refusal.value.fields == {
        "snapshot_mode": "Unsupported snapshot mode 'x': use reuse or refresh"
    }


def test_reprocessing_evaluates_the_live_segment_or_the_pinned_version(stage, vip):
    registered = stage.people(3)
    live = stage.for_sunday(True, criteria=ON_VIP)
    pinned = stage.for_sunday(True, criteria=ON_VIP.with_segment(version=1))
    scanned = stage.people(2, attending=Source.QR_SCAN)
    narrowed = Criteria(events=("show",), sources=(Source.QR_SCAN,))
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", narrowed))
    stage.run_on_sunday()
    assert stage.reached(live) == scanned
    assert stage.reached(pinned) == registered + scanned


def test_exclusions_are_lines_of_the_funnel(stage, vip):
    people = stage.people(6)
    create_segment(stage.actor, SegmentDraft("Crew", people=(people[0],)))
    earlier = stage.at_once(criteria=Criteria(people=(people[1], people[2]), window_hours=0))
    criteria = Criteria(
        events=("show",),
        exclude_segments=(SegmentChoice("crew"),),
        exclude_campaigns=(CampaignChoice(earlier, Reached.PLANNED),),
        window_hours=0,
    )
    campaign = stage.for_sunday(False, criteria=criteria)
    document = stage.document(campaign)
    funnel = document["metadata"]["audience_snapshot"]["at_creation"]["funnel"]
    assert document["settings"]["frozen_contact_ids"] == people[3:]
    assert funnel["excluded_segment"] == 1
    assert funnel["excluded_campaign"] == 2
    assert "excluded_event" not in funnel
    assert sum(funnel.values()) - funnel["matched"] == funnel["matched"] == 6
