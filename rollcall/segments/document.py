"""A segment in words and as JSON: the same objects for the command line and the API."""

from typing import Any

from rollcall.audience.criteria import criteria_to_json
from rollcall.audience.resolved import describe_audience
from rollcall.errors import InvalidInput
from rollcall.models import Segment, SegmentSnapshot, SegmentVersion
from rollcall.segments.records import count_listed, version_criteria
from rollcall.segments.snapshots import Ensured
from rollcall.wording import moment_json, say_people


def snapshot_json(snapshot: SegmentSnapshot) -> dict[str, Any]:
    """Return a segment's snapshot as the API gives it."""
    return {
        "id": snapshot.id,
        "version": snapshot.version,
        "number": snapshot.number,
        "count": snapshot.people,
        "created_at": moment_json(snapshot.taken_at),
    }


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


def _definition(segment: Segment, version: SegmentVersion) -> dict[str, Any]:
    try:
        criteria = version_criteria(version)
    except InvalidInput:
        criteria = None
    return {
        "description": describe_version(segment, version),
        "criteria": criteria_to_json(criteria) if criteria else None,
        "listed": count_listed(version) if version.definition is None else None,
    }
