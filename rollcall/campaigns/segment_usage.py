"""Where a segment is used: which campaigns stand on which version, and what a newer one changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rollcall.audience.comparison import Comparison
from rollcall.audience.criteria import campaign_criteria
from rollcall.campaigns.segment_versions import compare_with_adopting
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.models import (
    AudienceMode,
    Campaign,
    CampaignSegment,
    CampaignState,
    Segment,
    SegmentSnapshot,
    SegmentVersion,
)
from rollcall.segments.document import VERSIONS_SHOWN, _definition, snapshot_json, version_document
from rollcall.segments.records import find_version, list_versions
from rollcall.wording import moment_json

# To compare evaluates an audience for each campaign; beyond these the page names them only.
MOST_COMPARED = 20
MOST_LISTED = 50


@dataclass(frozen=True)
class Use:
    """A campaign on the segment, the version that its list stands on, and the one it is pinned to.

    `change` says who would join and leave if the live version were adopted: of scheduled
    campaigns that stand on an earlier version, as far as they were compared.
    """

    campaign: Campaign
    version: int | None
    pinned: int | None
    behind: bool
    change: Comparison | None = None

    @property
    def needs_decision(self) -> bool:
        """Return whether its list stands on an earlier version and nobody has pinned that."""
        return self.behind and self.pinned is None

    @property
    def reprocesses(self) -> bool:
        """Return whether its list is computed again when it is sent."""
        return self.campaign.audience_mode == AudienceMode.REPROCESS


@dataclass(frozen=True)
class VersionUse:
    """How many scheduled campaigns stand on a version, and how many of them are not pinned."""

    version: int
    scheduled: int
    unpinned: int


@dataclass(frozen=True)
class Usage:
    """All campaigns of a segment: those that are scheduled, others, and those that leave it out.

    The numbers are exact; of the campaigns themselves only the newest are listed.
    """

    segment: Segment
    by_version: list[VersionUse]
    by_state: dict[CampaignState, int]
    scheduled: list[Use]
    others: list[Use]
    excluded_by: list[Campaign]

    @property
    def outdated(self) -> list[VersionUse]:
        """Return the earlier versions on which scheduled campaigns wait for a decision."""
        live = self.segment.version
        return [line for line in self.by_version if line.version < live and line.unpinned]

    @property
    def is_used(self) -> bool:
        """Return whether there is any campaign to tell of."""
        return bool(self.by_state or self.excluded_by)


def find_usage(segment: Segment, compared: int = MOST_COMPARED) -> Usage:
    """Return where the segment is used; up to `compared` outdated lists are compared with adopting.

    Nothing is stored.
    """
    scheduled = _uses(segment, Campaign.state == CampaignState.SCHEDULED)
    behind = [use.campaign.id for use in scheduled if use.behind][:compared]
    return Usage(
        segment=segment,
        by_version=count_scheduled_by_version(segment),
        by_state=_count_by_state(segment),
        scheduled=[_compared(use) if use.campaign.id in behind else use for use in scheduled],
        others=_uses(segment, Campaign.state != CampaignState.SCHEDULED),
        excluded_by=list_excluding(segment),
    )


def count_scheduled_by_version(segment: Segment) -> list[VersionUse]:
    """Return on which versions scheduled campaigns stand, the newest first."""
    rows = db.session.execute(
        sa.select(
            SegmentVersion.version,
            sa.func.count(),
            sa.func.sum(sa.case((CampaignSegment.pinned.is_(False), 1), else_=0)),
        )
        .join(SegmentSnapshot, SegmentSnapshot.version_id == SegmentVersion.id)
        .join(Campaign, Campaign.segment_snapshot_id == SegmentSnapshot.id)
        .outerjoin(
            CampaignSegment,
            sa.and_(
                CampaignSegment.campaign_id == Campaign.id,
                CampaignSegment.segment_id == segment.id,
                CampaignSegment.excluded.is_(False),
            ),
        )
        .where(Campaign.segment_id == segment.id, Campaign.state == CampaignState.SCHEDULED)
        .group_by(SegmentVersion.version)
        .order_by(SegmentVersion.version.desc())
    )
    return [VersionUse(version, campaigns, int(free)) for version, campaigns, free in rows]


def count_scheduled(segment_ids: Sequence[int]) -> dict[int, int]:
    """Return for each of the segments how many scheduled campaigns use it."""
    rows = db.session.execute(
        sa.select(Campaign.segment_id, sa.func.count())
        .where(Campaign.segment_id.in_(segment_ids), Campaign.state == CampaignState.SCHEDULED)
        .group_by(Campaign.segment_id)
    )
    found = {segment_id: campaigns for segment_id, campaigns in rows}  # noqa: C416 (typed rows)
    return {segment_id: found.get(segment_id, 0) for segment_id in segment_ids}


def list_excluding(segment: Segment, limit: int = MOST_LISTED) -> list[Campaign]:
    """Return the newest campaigns that leave the segment's people out."""
    return list(
        db.session.scalars(
            sa.select(Campaign)
            .join(CampaignSegment, CampaignSegment.campaign_id == Campaign.id)
            .where(CampaignSegment.segment_id == segment.id, CampaignSegment.excluded.is_(True))
            .order_by(Campaign.id.desc())
            .limit(limit)
        )
    )


def latest_snapshots(segment_ids: Sequence[int]) -> dict[int, SegmentSnapshot]:
    """Return the snapshot of each of the segments that was taken last; some have none."""
    newest = (
        sa.select(sa.func.max(SegmentSnapshot.id))
        .where(SegmentSnapshot.segment_id.in_(segment_ids))
        .group_by(SegmentSnapshot.segment_id)
    )
    rows = db.session.scalars(sa.select(SegmentSnapshot).where(SegmentSnapshot.id.in_(newest)))
    return {snapshot.segment_id: snapshot for snapshot in rows}


def _uses(segment: Segment, condition: sa.ColumnElement[bool]) -> list[Use]:
    campaigns = db.session.scalars(
        sa.select(Campaign)
        .where(Campaign.segment_id == segment.id, condition)
        .order_by(Campaign.id.desc())
        .limit(MOST_LISTED)
    )
    return [_use(segment, campaign) for campaign in campaigns]


def _use(segment: Segment, campaign: Campaign) -> Use:
    snapshot = campaign.segment_snapshot
    version = snapshot.version if snapshot else None
    scheduled = campaign.state == CampaignState.SCHEDULED
    return Use(
        campaign,
        version,
        _pinned(campaign),
        behind=scheduled and version is not None and version < segment.version,
    )


def _pinned(campaign: Campaign) -> int | None:
    try:
        choice = campaign_criteria(campaign).segment
    except InvalidInput:
        return None
    return choice.version if choice else None


def _compared(use: Use) -> Use:
    try:
        change = compare_with_adopting(use.campaign)
    except InvalidInput:
        # Its criteria are damaged, or an event of theirs is gone: the campaign's page says so.
        return use
    return Use(use.campaign, use.version, use.pinned, use.behind, change)


def _count_by_state(segment: Segment) -> dict[CampaignState, int]:
    rows = db.session.execute(
        sa.select(Campaign.state, sa.func.count())
        .where(Campaign.segment_id == segment.id)
        .group_by(Campaign.state)
    )
    found = {CampaignState(state): campaigns for state, campaigns in rows}
    return {state: found[state] for state in CampaignState if state in found}


def segment_documents(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """Return segments as a list of them gives each one."""
    ids = [segment.id for segment in segments]
    scheduled, latest = count_scheduled(ids), latest_snapshots(ids)
    return [
        _summary(segment, latest.get(segment.id), scheduled[segment.id]) for segment in segments
    ]


def segment_document(segment: Segment) -> dict[str, Any]:
    """Return a segment with its definition and its newest versions."""
    (summary,) = segment_documents([segment])
    live = find_version(segment)
    versions = list_versions(segment, limit=VERSIONS_SHOWN)
    return {
        **summary,
        **_definition(segment, live),
        "versions": [version_document(segment, version) for version in versions],
    }


def usage_document(usage: Usage) -> dict[str, Any]:
    """Return where a segment is used."""
    return {
        "segment": usage.segment.slug,
        "version": usage.segment.version,
        "scheduled_by_version": [
            {
                "version": line.version,
                "campaigns": line.scheduled,
                "needs_decision": line.unpinned if line.version < usage.segment.version else 0,
            }
            for line in usage.by_version
        ],
        "campaigns_by_status": {state.value: count for state, count in usage.by_state.items()},
        "scheduled": [_use_document(use) for use in usage.scheduled],
        "others": [_use_document(use) for use in usage.others],
        "excluded_by": [_campaign(campaign) for campaign in usage.excluded_by],
    }


def _summary(segment: Segment, snapshot: SegmentSnapshot | None, scheduled: int) -> dict[str, Any]:
    return {
        "id": segment.id,
        "slug": segment.slug,
        "name": segment.name,
        "kind": segment.kind,
        "version": segment.version,
        "latest_snapshot": snapshot_json(snapshot) if snapshot else None,
        "scheduled_campaigns": scheduled,
        "created_at": moment_json(segment.created_at),
        "updated_at": moment_json(segment.updated_at),
    }


def _campaign(campaign: Campaign) -> dict[str, Any]:
    return {"id": campaign.id, "name": campaign.name, "status": campaign.state}


def _use_document(use: Use) -> dict[str, Any]:
    return {
        **_campaign(use.campaign),
        "campaign_version": use.campaign.version,
        "segment_version": use.version,
        "pinned_version": use.pinned,
        "reprocess_audience_at_send": use.reprocesses,
        "needs_decision": use.needs_decision,
        "if_adopted": use.change.to_json() if use.change else None,
    }
