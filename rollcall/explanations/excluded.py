"""By which segment or earlier campaign somebody was excluded, as far as what is stored tells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rollcall.audience.criteria import CampaignChoice, Reached
from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Evidence
from rollcall.extensions import db
from rollcall.models import Attempt, Campaign, Recipient, RecipientState
from rollcall.models.types import IdList, IsOneOf
from rollcall.segments.causes import either


def excluded_by_segment(context: Context, past: Mapping[int, bool]) -> dict[int, Evidence]:
    """Return the segments that are left out: which people they held then is not kept."""
    if context.criteria is None:
        return {}
    choices = context.criteria.exclude_segments
    names = either([context.names.segment(choice) for choice in choices])
    details = {"segments": [choice.slug for choice in choices]}
    return {
        person_id: Evidence(
            "segment",
            f"{'was' if over else 'is'} in the segment {names}, which is left out",
            None,
            details,
        )
        for person_id, over in past.items()
    }


def excluded_by_campaign(context: Context, moments: Mapping[int, datetime]) -> dict[int, Evidence]:
    """Return by person the first campaign that is left out and had reached them by then."""
    if context.criteria is None:
        return {}
    found: dict[int, Evidence] = {}
    for choice in context.criteria.exclude_campaigns:
        find = _listed if choice.who is Reached.PLANNED else _reached
        for person_id, at, text in find(context, choice, moments):
            name = context.names.campaigns.get(choice.id, str(choice.id))
            found.setdefault(
                person_id,
                Evidence(
                    "campaign",
                    f"{text} “{name}”, which is left out",
                    at,
                    {"campaign_id": choice.id, "campaign": name},
                ),
            )
    return found


def _listed(context: Context, choice: CampaignChoice, moments: Mapping[int, datetime]) -> Any:
    rows = db.session.execute(
        sa.select(
            Recipient.person_id,
            Recipient.in_estimate,
            Recipient.in_final,
            Campaign.frozen_at,
            Campaign.final_at,
        )
        .join(Campaign, Campaign.id == Recipient.campaign_id)
        .where(
            Recipient.campaign_id == choice.id,
            IsOneOf(Recipient.person_id, sa.literal(list(moments), IdList)),
        )
    )
    for row in rows:
        moment = moments[row.person_id]
        # Until it is sent a campaign's list is its estimate.
        early = row.final_at is not None and row.final_at > moment
        listed = row.in_estimate if early else row.in_final
        if listed and row.frozen_at is not None and row.frozen_at <= moment:
            yield row.person_id, row.frozen_at, "on the list of"


def _reached(context: Context, choice: CampaignChoice, moments: Mapping[int, datetime]) -> Any:
    attempts = db.session.scalars(
        sa.select(Attempt)
        .where(
            Attempt.campaign_id == choice.id,
            IsOneOf(Attempt.person_id, sa.literal(list(moments), IdList)),
        )
        .order_by(Attempt.id)
    )
    for attempt in attempts:
        moment = moments[attempt.person_id]
        if choice.who is Reached.DELIVERED:
            at = attempt.receipt_at or attempt.finished_at
            if attempt.outcome == RecipientState.DELIVERED and at is not None and at <= moment:
                yield attempt.person_id, at, f"got, on {context.say(at)},"
        elif attempt.started_at <= moment and attempt.outcome not in (
            RecipientState.FAILED,
            RecipientState.QUEUED,
        ):
            at = attempt.started_at
            yield attempt.person_id, at, f"was sent, on {context.say(at)},"
