"""What calls say about campaigns, turned into the draft that the verbs take."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from blueprints.api.criteria import TargetingCriteria, criteria_of
from blueprints.api.reading import Body, Moment, PageQuery, named_as
from rollcall.audience.criteria.table import criteria_keys
from rollcall.campaigns.drafts import MAX_EMAIL, CampaignDraft
from rollcall.campaigns.guards import LABELS
from rollcall.errors import InvalidInput
from rollcall.models import AudienceMode, Channel, OnFailure, QuietHours
from rollcall.walltime import check_timezone

LONGEST_LOCAL_TIME = 19  # 2026-11-29T10:00:00

State = Literal[
    "draft",
    "scheduled",
    "preparing",
    "needs_review",
    "sending",
    "paused",
    "completed",
    "failed",
    "cancelled",
]


class GuardLimitValues(Body):
    """Limits beyond which a campaign stops for review; null is no limit."""

    growth_percent: int | None = Field(None, ge=0, le=1_000_000_000)
    growth_people: int | None = Field(None, ge=0, le=1_000_000_000)
    ceiling: int | None = Field(None, ge=0, le=1_000_000_000)
    fall_percent: int | None = Field(None, ge=0, le=100)
    fall_stops: bool = False
    minimum: int | None = Field(None, ge=0, le=1_000_000_000)
    budget: str | None = Field(None, max_length=20, examples=["500.00"])


class CampaignContent(Body):
    """All that is decided about a campaign.

    The time is either `scheduled_at` (with the zone it is shown in, UTC when left out) or
    `scheduled_local_time` with `scheduled_timezone`; without one it stays open.
    """

    name: str = Field(max_length=200, description="Only staff see it.")
    channel: Literal["sms", "email"]
    message: str = Field(
        max_length=MAX_EMAIL, description="With placeholders such as %%FIRST_NAME%%."
    )
    subject: str = Field("", max_length=300, description="For e-mail.")
    link: str = Field("", max_length=1_000, description="What %%LINK%% becomes.")
    targeting_criteria: TargetingCriteria
    scheduled_at: Moment | None = None
    scheduled_local_time: str | None = Field(
        None, max_length=LONGEST_LOCAL_TIME, examples=["2026-11-29T10:00"]
    )
    scheduled_timezone: str | None = Field(None, max_length=64, examples=["America/Toronto"])
    repeated_time: Literal["earlier", "later"] | None = Field(
        None, description="Which one is meant where clocks go back and show the time twice."
    )
    reprocess_audience_at_send: bool = Field(
        False, description="Compute the audience again at the time of sending."
    )
    audience_mode: Literal["frozen", "reprocess", "removals", "additions"] | None = Field(
        None,
        description="Instead of reprocess_audience_at_send: removals takes off the frozen list "
        "whoever no longer matches, additions adds whoever matches since.",
    )
    min_growth: int | None = Field(
        None, ge=0, le=100_000, description="Re-process only from a growth of so many percent."
    )
    guard_limits: GuardLimitValues | None = Field(
        None, description="Limits of this campaign's own, not looser than the role's."
    )
    on_failure: Literal["fail", "estimate"] = Field(
        "fail", description="When computing it again fails: fail, or send to the estimate."
    )
    quiet_hours: Literal["wait", "skip", "override"] = Field(
        "wait",
        description="What a text message does that would reach somebody in their quiet hours: "
        "wait until their morning, leave them out, or (admin or super only) go all the same.",
    )
    snapshot_mode: str | None = Field(
        None,
        max_length=40,
        examples=["reuse", "refresh"],
        description="On a segment: `reuse` (default) freezes the list from its version's snapshot "
        "and takes one where there is none; `refresh` always takes a new one.",
    )
    bump_version: bool = Field(
        False, description="On a live segment: make a new version of it when the list is frozen."
    )
    force_snapshot: bool = Field(
        False, description="On a segment: take another snapshot even where there is one."
    )
    dry_run_address: str | None = Field(
        None,
        max_length=254,
        description="Make it a dry run: it goes the whole way, re-processing included, but "
        "messages nobody of its list; some of the messages go to this phone or e-mail address.",
    )
    dry_run_limit: int | None = Field(
        None, ge=1, le=50, description="How many messages a dry run sends (default 5)."
    )
    not_after: Moment | None = Field(
        None, description="Nothing goes out after this moment; whoever still waits is left out."
    )


class NewCampaign(CampaignContent):
    """A new campaign; it is a draft unless it is to be scheduled in the same call."""

    schedule: bool = Field(
        False, description="Freeze the audience and schedule it at once (needs the scope send)."
    )


class CampaignEdit(CampaignContent):
    """What a campaign becomes; a scheduled one goes back to draft."""

    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Refuse when it is no longer at this version."
    )


class Act(Body):
    """What an action on a campaign may be given."""

    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Refuse when it is no longer at this version."
    )


class MessageTest(Body):
    """Where a test of a campaign's message is to go."""

    address: str = Field(
        "",
        max_length=254,
        description="A phone, for a text message. The test of an e-mail goes to the own address "
        "of the staff member whose token it is.",
    )


class Decision(Act):
    """What is decided about a campaign that waits for it."""

    decision: Literal["keep", "move", "final", "estimate", "cancel"] = Field(
        description="`keep` its time or `move` it with the event, for a campaign that a change "
        "of its event holds; `final` and `estimate` send to one of the two lists."
    )
    reason: str = Field("", max_length=500, description="Kept in the audit trail.")


class DoubtDecision(Body):
    """What is decided of messages in doubt: of one person's, or of all."""

    decision: Literal["sent", "again"] = Field(
        description="Count as sent; or send again (admin or super only), perhaps a second time."
    )
    person_id: int | None = Field(None, ge=1, le=2**31 - 1)


class CampaignQuery(PageQuery):
    """Which campaigns: the newest first."""

    status: State | None = None


class RecipientQuery(PageQuery):
    """Which recipients: every part that is given narrows the list."""

    status: str | None = Field(None, max_length=40, description="Such as sent or held_back.")
    change: Literal["kept", "joined", "left"] | None = None
    reason: str | None = Field(
        None, max_length=40, description="Why held back or left, such as opted_out."
    )
    source: Literal["registration", "qr_scan", "both", "other"] | None = None
    cause: str | None = Field(
        None, max_length=40, description="Why they joined or left, such as attended."
    )
    q: str | None = Field(None, max_length=200, description="A part of a name or an address.")


def draft_of(body: CampaignContent) -> CampaignDraft:
    """Return the draft; raises InvalidInput for criteria and times that can't be read."""
    local_time, zone, repeated = _time_of(body)
    if zone is None and local_time is None:
        zone = "UTC"
    not_after = None
    if body.not_after is not None and zone is not None:
        check_timezone(zone, "scheduled_timezone")
        not_after = body.not_after.astimezone(ZoneInfo(zone))
    return CampaignDraft(
        name=body.name,
        channel=Channel(body.channel),
        message=body.message,
        subject=body.subject,
        link=body.link,
        criteria=criteria_of(body.targeting_criteria, "targeting_criteria"),
        audience_mode=_mode_of(body),
        min_growth=body.min_growth,
        guard_limits=_limits_of(body),
        on_failure=OnFailure(body.on_failure),
        local_time=local_time,
        timezone=zone,
        repeated=repeated,
        quiet_hours=QuietHours(body.quiet_hours),
        snapshot_mode=body.snapshot_mode,
        bump_version=body.bump_version,
        force_snapshot=body.force_snapshot,
        dry_run_address=body.dry_run_address,
        dry_run_limit=body.dry_run_limit,
        not_after=_wall_clock(not_after) if not_after else None,
        not_after_repeated=("later" if not_after.fold else "earlier") if not_after else None,
    )


def _limits_of(body: CampaignContent) -> dict[str, Any] | None:
    return body.guard_limits.model_dump(exclude_unset=True) if body.guard_limits else None


def _mode_of(body: CampaignContent) -> AudienceMode:
    if body.audience_mode is None:
        again = body.reprocess_audience_at_send
        return AudienceMode.REPROCESS if again else AudienceMode.FROZEN
    if body.reprocess_audience_at_send and body.audience_mode == AudienceMode.FROZEN:
        raise InvalidInput(
            {"audience_mode": "A frozen list is not re-processed: give one of the two."}
        )
    return AudienceMode(body.audience_mode)


def named_as_given(body: CampaignContent) -> AbstractContextManager[None]:
    """Let errors of the block name fields as the body does."""
    names = {key: f"targeting_criteria.{key}" for key in criteria_keys()}
    if body.audience_mode is None:
        names["audience_mode"] = "reprocess_audience_at_send"
    names |= {name: f"guard_limits.{name}" for name in LABELS}
    if body.scheduled_local_time is None:
        names["scheduled_local_time"] = "scheduled_at"
    return named_as(names)


def _time_of(body: CampaignContent) -> tuple[str | None, str | None, str | None]:
    """Return wall-clock time, zone and which of two equal times, as the draft wants them."""
    if body.scheduled_at is None:
        return body.scheduled_local_time, body.scheduled_timezone, body.repeated_time
    if body.scheduled_local_time is not None:
        raise InvalidInput(
            {"scheduled_at": "Give either scheduled_at or scheduled_local_time, not both."}
        )
    zone = body.scheduled_timezone or "UTC"
    check_timezone(zone, "scheduled_timezone")
    local = body.scheduled_at.astimezone(ZoneInfo(zone))
    return _wall_clock(local), zone, "later" if local.fold else "earlier"


def _wall_clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
