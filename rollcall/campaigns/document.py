"""A campaign as JSON: the one object that the API and `flask campaign show --json` give.

And what staff chose for the moment of sending, in words, for the plan and for the results.
"""

from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import campaign_criteria, criteria_to_json
from rollcall.audience.difference import audience_change
from rollcall.campaigns.dry_run import report_dry_run
from rollcall.campaigns.guards import campaign_limits, describe_limits
from rollcall.campaigns.hold_decisions import hold_json
from rollcall.campaigns.results import Results, campaign_results
from rollcall.campaigns.segment_base import SegmentBase
from rollcall.errors import InvalidInput
from rollcall.extensions import db
from rollcall.messages.pricing import DEFAULT_PRICES
from rollcall.models import AudienceMode, Campaign, OnFailure, Recipient, StaffMember
from rollcall.segments.document import snapshot_json
from rollcall.wording import moment_json

MAX_FROZEN_IDS = 1_000


def campaign_document(campaign: Campaign) -> dict[str, Any]:
    """Return everything about a campaign in the names of the contract."""
    results = campaign_results(campaign.id)
    dry_run = report_dry_run(campaign)
    final = campaign.actual_recipients
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.state,
        "version": campaign.version,
        "channel": campaign.channel,
        "subject": campaign.subject or None,
        "message": campaign.message,
        "link": campaign.link or None,
        "total_recipients": campaign.estimated_recipients if final is None else final,
        "scheduled_at": moment_json(campaign.scheduled_at),
        "scheduled_timezone": campaign.scheduled_timezone,
        "scheduled_local_time": campaign.scheduled_local_time,
        "not_after": moment_json(campaign.not_after),
        "targeting_criteria": _criteria_json(campaign),
        "settings": _settings(campaign),
        "metadata": _metadata(campaign, results),
        "results": results.to_json(DEFAULT_PRICES.currency),
        "dry_run": dry_run.to_json() if dry_run else None,
        "status_note": campaign.state_note or None,
        "held_for": hold_json(campaign),
        "created_at": moment_json(campaign.created_at),
        "created_by": _email(campaign.created_by_id),
        "scheduled_by": _email(campaign.scheduled_by_id),
        "sent_started_at": moment_json(campaign.sent_started_at),
        "completed_at": moment_json(campaign.completed_at),
    }


def _criteria_json(campaign: Campaign) -> Any:
    try:
        return criteria_to_json(campaign_criteria(campaign))
    except InvalidInput:
        # Damaged criteria are shown as they stand, so that whoever looks can see the damage.
        return campaign.targeting_criteria


def _settings(campaign: Campaign) -> dict[str, Any]:
    try:
        criteria = campaign_criteria(campaign)
    except InvalidInput:
        criteria = None
    snapshot = campaign.segment_snapshot
    chosen = criteria.segment if criteria else None
    pinned = chosen.version if chosen else None
    return {
        "recipient_mode": criteria.recipient_mode if criteria else None,
        "segment_id": campaign.segment_id,
        "segment": chosen.slug if chosen else None,
        # The version that the list stands on; before it is frozen, the one that is pinned.
        "segment_version": snapshot.version if snapshot else pinned,
        "snapshot_mode": campaign.snapshot_mode,
        "segment_snapshot": snapshot_json(snapshot) if snapshot else None,
        "frozen_at": moment_json(campaign.frozen_at),
        "frozen_contact_ids": _frozen_ids(campaign),
        "original_segment_id": snapshot.segment_id if snapshot else None,
        "audience_mode": campaign.audience_mode,
        "min_growth": campaign.min_growth,
        "guard_limits": campaign_limits(campaign).to_json(),
        "on_failure": campaign.on_failure,
        "quiet_hours": campaign.quiet_hours,
    }


def _review(campaign: Campaign) -> dict[str, Any] | None:
    """Return what was decided in review, None where nobody has decided anything."""
    if campaign.review_decision is None:
        return None
    return {
        "decision": campaign.review_decision,
        "reason": campaign.review_reason or None,
        "decided_at": moment_json(campaign.reviewed_at),
        "decided_by": _email(campaign.reviewed_by_id),
    }


def _frozen_ids(campaign: Campaign) -> list[int] | None:
    if not campaign.frozen_at or (campaign.estimated_recipients or 0) > MAX_FROZEN_IDS:
        return None
    return list(
        db.session.scalars(
            sa.select(Recipient.person_id)
            .where(Recipient.campaign_id == campaign.id, Recipient.in_estimate.is_(True))
            .order_by(Recipient.person_id)
        )
    )


def _metadata(campaign: Campaign, results: Results) -> dict[str, Any]:
    change = audience_change(campaign)
    return {
        "reprocess_audience_at_send": campaign.final_mode.computes_again,
        "estimated_recipients": campaign.estimated_recipients,
        "actual_recipients": campaign.actual_recipients,
        "audience_change_absolute": change.absolute if change else None,
        "audience_change_percent": change.percent if change else None,
        "reprocessed_at": moment_json(campaign.reprocessed_at),
        "reprocess_duration_ms": campaign.reprocess_duration_ms,
        "reprocess_error": campaign.reprocess_error,
        "audience_note": campaign.audience_note or None,
        "guards": campaign.guard_verdict,
        "review": _review(campaign),
        "audience_snapshot": {
            "at_creation": campaign.estimate_snapshot,
            "at_send": campaign.final_snapshot,
        },
        "joined": results.changes["joined"],
        "left": results.changes["left"],
        "left_by_reason": dict(results.left_by_reason),
    }


def _email(staff_id: int | None) -> str | None:
    staff = db.session.get(StaffMember, staff_id) if staff_id else None
    return staff.email if staff else None


MODE_WORDS = {
    AudienceMode.FROZEN: "The list stays as it is frozen",
    AudienceMode.REPROCESS: "The audience is computed again",
    AudienceMode.REMOVALS: "Those who no longer match are left out, and nobody joins",
    AudienceMode.ADDITIONS: "Those who match since join, and nobody leaves",
}


def describe_choices(campaign: Campaign, base: SegmentBase | None) -> list[tuple[str, str]]:
    """Return each choice as a label and a sentence without its full stop.

    A frozen campaign has only the one: its list is not computed again, so nothing can stop it.
    """
    mode = AudienceMode(campaign.audience_mode)
    if not mode.computes_again:
        return [("At send time", MODE_WORDS[mode])]
    failing = campaign.on_failure == OnFailure.ESTIMATE
    choices = [("At send time", f"{MODE_WORDS[mode]}{_describe_base(base)}")]
    if campaign.min_growth is not None:
        text = f"{campaign.min_growth} % or more; else the frozen list is used"
        choices.append(("Only if it grew by", text))
    return [
        *choices,
        ("Stops for review", describe_limits(campaign_limits(campaign))),
        ("If that fails", "The frozen list is used" if failing else "Nothing is sent"),
    ]


def _describe_base(base: SegmentBase | None) -> str:
    if base is None:
        return ""
    return f", by version {base.version}'s definition" if base.pinned else ", by the live segment"
