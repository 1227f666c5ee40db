"""A segment in words and as JSON: the same objects for the command line and the API."""

from collections.abc import Sequence
from typing import Any

from rollcall.audience.names import describe_audience
from rollcall.campaigns.document import moment_json, snapshot_json
from rollcall.errors import InvalidInput
from rollcall.models import Campaign, Segment, SegmentSnapshot, SegmentVersion
from rollcall.segments.records import count_listed, find_version, list_versions, version_criteria
from rollcall.segments.usage import Usage, Use, count_scheduled, latest_snapshots
from rollcall.snapshots.segments import Ensured
from rollcall.wording import say_people

VERSIONS_SHOWN = 50


def describe_version(segment: Segment, version: SegmentVersion) -> str:
    """Return who belongs to a version as one English sentence without its full stop."""
    if version.definition is None:
        return f"A list of {say_people(count_listed(version))}"
    try:
        criteria = version_criteria(version)
    except InvalidInput:
        return "A definition that is damaged"
    assert criteria is not None
    return describe_audience(segment.organisation_id, criteria)


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


def version_document(segment: Segment, version: SegmentVersion) -> dict[str, Any]:
    """Return one version of a segment with what it says."""
    return {
        "version": version.version,
        **_definition(segment, version),
        "created_at": moment_json(version.created_at),
        "created_by": version.created_by.email if version.created_by else None,
    }


def snapshot_document(segment: Segment, snapshot: SegmentSnapshot) -> dict[str, Any]:
    """Return a snapshot with its segment's slug and who took it."""
    taken_by = snapshot.taken_by
    return {
        **snapshot_json(snapshot),
        "segment": segment.slug,
        "created_by": taken_by.email if taken_by else None,
    }


def ensured_document(segment: Segment, ensured: Ensured) -> dict[str, Any]:
    """Return a snapshot that was asked for; `taken` says whether it is new."""
    return {**snapshot_document(segment, ensured.snapshot), "taken": ensured.taken}


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


def _definition(segment: Segment, version: SegmentVersion) -> dict[str, Any]:
    try:
        criteria = version_criteria(version)
    except InvalidInput:
        criteria = None
    return {
        "description": describe_version(segment, version),
        "criteria": criteria.to_json() if criteria else None,
        "listed": count_listed(version) if version.definition is None else None,
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
