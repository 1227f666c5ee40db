"""Where a segment is used, and who is in it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.campaigns.segment_usage import count_scheduled, find_usage, latest_snapshots
from rollcall.campaigns.segment_versions import keep_segment_version
from rollcall.errors import NotFound
from rollcall.extensions import db
from rollcall.models import CampaignState, Person, SegmentSnapshot
from rollcall.segments.members import (
    choose_members,
    count_members,
    export_members,
    list_members,
)
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment, find_segment
from rollcall.segments.snapshots import ensure_segment_snapshot

ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)
AT_THE_SHOW = Criteria(events=("show",), window_hours=0)


@pytest.fixture
def people(stage) -> list[int]:
    """Six people; the first four are on version 1 of the static segment "vip"."""
    people = stage.people(6, attending=None)
    create_segment(stage.actor, SegmentDraft("VIP", people=tuple(people[:4])))
    return people


def vip(stage):
    return find_segment(stage.organisation_id, "vip")


def test_an_edit_shows_whom_it_affects_and_what_each_would_gain_and_lose(stage, people):
    first, second = (stage.for_sunday(False, criteria=ON_VIP) for _ in range(2))
    pinned = stage.for_sunday(True, criteria=ON_VIP.with_segment(version=1))
    assert find_usage(vip(stage)).outdated == []
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=tuple(people[1:])))
    newer = stage.for_sunday(False, criteria=ON_VIP)
    usage = find_usage(vip(stage))
    assert [(line.version, line.scheduled) for line in usage.by_version] == [(2, 1), (1, 3)]
    assert [(line.version, line.unpinned) for line in usage.outdated] == [(1, 2)]
    assert usage.by_state == {CampaignState.SCHEDULED: 4}
    uses = {use.campaign.id: use for use in usage.scheduled}
    assert {key: use.needs_decision for key, use in uses.items()} == {
        first: True,
        second: True,
        pinned: False,
        newer: False,
    }
    assert uses[pinned].pinned == 1
    for campaign_id in (first, second, pinned):
        change = uses[campaign_id].change
        assert change is not None
        assert (change.joined, change.left) == (2, 1)
    assert uses[newer].change is None


def test_whoever_keeps_a_version_needs_no_decision_any_more(stage, people):
    campaign_id = stage.for_sunday(False, criteria=ON_VIP)
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=tuple(people[1:])))
    keep_segment_version(stage.actor, campaign_id)
    usage = find_usage(vip(stage))
    assert usage.outdated == []
    (use,) = usage.scheduled
    assert (use.behind, use.needs_decision, use.pinned) == (True, False, 1)


def test_campaigns_that_leave_the_segment_out_are_told_apart(stage, people):
    stage.people(2)
    create_segment(stage.actor, SegmentDraft("Very VIP", people=(people[0],), slug="very-vip"))
    excluded = (SegmentChoice("crew", 1), SegmentChoice("vip"))
    create_segment(stage.actor, SegmentDraft("Crew", people=(people[5],)))
    left_out = stage.for_sunday(
        False, criteria=Criteria(events=("show",), exclude_segments=excluded)
    )
    stage.for_sunday(
        False,
        criteria=Criteria(
            segment=SegmentChoice("vip"), exclude_segments=(SegmentChoice("very-vip"),)
        ),
    )
    assert [campaign.id for campaign in find_usage(vip(stage)).excluded_by] == [left_out]


def test_what_a_list_of_segments_needs_is_counted_at_once(stage, people):
    crew = create_segment(stage.actor, SegmentDraft("Crew", people=(people[5],)))
    stage.for_sunday(False, criteria=ON_VIP)
    ensure_segment_snapshot(stage.actor, "vip", force=True)
    ids = [vip(stage).id, crew]
    assert count_scheduled(ids) == {ids[0]: 1, crew: 0}
    found = latest_snapshots(ids)
    assert [(key, snapshot.number) for key, snapshot in found.items()] == [(ids[0], 2)]


def test_members_are_those_of_a_snapshot_or_of_a_version_as_it_is_now(stage):
    first = stage.people(3)
    create_segment(stage.actor, SegmentDraft("Show", AT_THE_SHOW))
    taken = ensure_segment_snapshot(stage.actor, "show")
    more = stage.people(2)
    segment = find_segment(stage.organisation_id, "show")
    then, now = choose_members(segment, snapshot=taken.id), choose_members(segment)
    assert (count_members(then), count_members(now)) == (3, 5)
    assert [row.person_id for row in list_members(then).rows] == first
    page = list_members(now, limit=3)
    rest = list_members(now, page.next_cursor, limit=3)
    assert [row.person_id for row in [*page.rows, *rest.rows]] == [*first, *more]
    assert rest.next_cursor is None
    assert len("".join(export_members(now)).splitlines()) == 6
    for wrong in ({"version": 2}, {"snapshot": taken.id + 1}, {"version": 10**20}):
        with pytest.raises(NotFound):
            choose_members(segment, **wrong)


def test_members_can_be_searched_and_no_cell_of_the_file_computes(stage, people):
    db.session.execute(
        sa.update(Person)
        .where(Person.id == people[0])
        .values(first_name="=HYPERLINK(1)", last_name="", name_key="=hyperlink(1)")
    )
    db.session.commit()
    members = choose_members(vip(stage))
    assert [row.person_id for row in list_members(members, text="hyper").rows] == [people[0]]
    text = "".join(export_members(members))
    assert text.startswith("\ufeffperson,name,phone,email")
    assert f"{people[0]},'=HYPERLINK(1)" in text


def test_two_at_once_take_one_snapshot(app, stage):
    """Both have seen that there is none, and evaluate; the second finds the first one's."""
    stage.people(3)
    create_segment(stage.actor, SegmentDraft("Show", AT_THE_SHOW))
    db.session.remove()
    together = Barrier(2)

    def take() -> int:
        with app.app_context():
            try:
                together.wait(30)
                return ensure_segment_snapshot(stage.actor, "show").id
            finally:
                db.session.remove()

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            first, second = (future.result(60) for future in [pool.submit(take), pool.submit(take)])
        assert first == second
        assert db.session.scalars(sa.select(SegmentSnapshot.number)).all() == [1]
        db.session.execute(sa.delete(SegmentSnapshot))
        db.session.commit()
