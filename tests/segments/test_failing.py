"""A database that fails in the middle of taking a snapshot leaves everything as it was."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import Criteria, SegmentChoice
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import schedule_campaign
from rollcall.extensions import db
from rollcall.models import (
    AuditEntry,
    Campaign,
    Recipient,
    Segment,
    SegmentListing,
    SegmentMember,
    SegmentSnapshot,
    SegmentVersion,
)
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import SUNDAY
from tests.failing import COMMIT, BrokenStatement, failing_at, failing_commit

ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)
TABLES = (
    *(Segment, SegmentVersion, SegmentListing, SegmentSnapshot, SegmentMember),
    *(Campaign, Recipient, AuditEntry),
)


def everything() -> dict[str, list[Any]]:
    """Every row of every table that a snapshot could touch."""
    db.session.rollback()
    db.session.expire_all()
    return {
        model.__tablename__: sorted(
            map(repr, db.session.execute(sa.select(sa.inspect(model).local_table)).all())
        )
        for model in TABLES
    }


def check_each_failure(work: Callable[[], Any]) -> list[str]:
    """Let each statement of the work fail in turn, and its COMMIT; return those that did.

    As long as nothing is committed, nothing may have changed. What comes after the COMMIT
    only tidies up and reads, so that the first failure there ends the walk.
    """
    before = everything()
    with failing_commit() as commit, pytest.raises(BrokenStatement):
        work()
    assert commit.hit == COMMIT
    assert everything() == before, "something stayed after the COMMIT failed"
    failed: list[str] = []
    while True:
        with failing_at(len(failed) + 1) as breakage, suppress(BrokenStatement):
            work()
        if everything() != before:
            assert breakage.hit is None or breakage.hit.startswith(("BEGIN", "DROP", "SELECT"))
            return failed
        assert breakage.hit is not None, "the work did nothing"
        failed.append(breakage.hit)


@pytest.fixture
def vip(stage):
    stage.people(3)
    create_segment(stage.actor, SegmentDraft("VIP", Criteria(events=("show",))))


def insert_of(table: str, failed: list[str]) -> bool:
    return any(statement.startswith(f"INSERT INTO {table} ") for statement in failed)


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
@pytest.mark.parametrize(
    "asked",
    [{}, {"force": True}, {"bump_version": True}, {"bump_version": True, "force": True}],
    ids=["plain", "force", "bump", "both"],
)
def test_a_snapshot_that_fails_leaves_nothing(stage, vip, asked, static):
    if static:
        people = tuple(stage.people(2))
        create_segment(stage.actor, SegmentDraft("Friends", people=people))
    slug = "friends" if static else "vip"
    if asked:
        ensure_segment_snapshot(stage.actor, slug)
    failed = check_each_failure(lambda: ensure_segment_snapshot(stage.actor, slug, **asked))
    assert insert_of("segment_member", failed)
    assert insert_of("segment_snapshot", failed)
    assert insert_of("segment_version", failed) == ("bump_version" in asked)


@pytest.mark.parametrize("reuse", [True, False], ids=["reused", "taken"])
def test_a_campaign_that_fails_to_be_scheduled_leaves_neither_list_nor_snapshot(stage, vip, reuse):
    if reuse:
        ensure_segment_snapshot(stage.actor, "vip")
    draft = stage.draft(
        criteria=ON_VIP, local_time=SUNDAY, bump_version=not reuse, snapshot_mode="reuse"
    )
    campaign_id = create_campaign(stage.actor, draft)
    failed = check_each_failure(lambda: schedule_campaign(stage.actor, campaign_id))
    assert insert_of("recipient", failed)
    assert insert_of("segment_snapshot", failed) != reuse
    assert stage.document(campaign_id)["status"] == "scheduled"
    assert len(stage.recipients(campaign_id)) == 3
