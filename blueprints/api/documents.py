"""What answers look like, for the OpenAPI document; the tests hold the answers to it."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from blueprints.api.dry_run_documents import CollisionsDocument, DryRunDocument, QuietCountDocument
from blueprints.api.event_documents import HeldForDocument
from blueprints.api.guard_documents import (
    GuardLimitsDocument,
    GuardVerdictDocument,
    ReviewDocument,
)

Channel = Literal["sms", "email"]
Source = Literal["registration", "qr_scan", "both", "other"]


class FunnelDocument(BaseModel):
    """The audience explained: the steps and `reachable` add up to `matched`."""

    matched: int
    excluded_event: int | None = Field(None, description="Only where events are left out.")
    excluded_segment: int | None = Field(None, description="Only where segments are left out.")
    excluded_campaign: int | None = Field(None, description="Only where campaigns are left out.")
    no_address: int
    invalid_address: int
    blocked: int
    opted_out: int
    recently_messaged: int
    duplicate_address: int
    reachable: int


class BySource(BaseModel):
    """Reachable people by how they came in."""

    registration: int
    qr_scan: int
    both: int
    other: int


class PreviewDocument(BaseModel):
    """An exact audience as of one moment."""

    computed_for: Literal["now", "scheduled"]
    moment: str = Field(json_schema_extra={"format": "date-time"})
    funnel: FunnelDocument
    by_source: BySource
    sms_parts_each: int
    cost: str = Field(description="A decimal number as text.", examples=["3.98"])
    currency: str
    duration_ms: float
    quiet_hours: QuietCountDocument | None = Field(
        description="Null for e-mail, and where the organisation has quiet hours off."
    )


class AudienceSnapshot(BaseModel):
    """An audience as it was at one moment."""

    timestamp: str
    total: int
    by_source: BySource
    funnel: FunnelDocument


class AudienceSnapshots(BaseModel):
    """The audience at creation and at sending; null while it is not known."""

    at_creation: AudienceSnapshot | None
    at_send: AudienceSnapshot | None


class SnapshotDocument(BaseModel):
    """A segment's members at one moment; never changed."""

    id: int
    version: int
    number: int = Field(description="1 for the version's first snapshot.")
    count: int
    created_at: str


class CampaignSettings(BaseModel):
    """How the audience is chosen, and the list frozen at scheduling."""

    recipient_mode: str | None
    segment_id: int | None
    segment: str | None = Field(description="Its slug.")
    segment_version: int | None = Field(
        description="That the list stands on; before it is frozen, the one that is pinned."
    )
    snapshot_mode: Literal["reuse", "refresh"] | None
    segment_snapshot: SnapshotDocument | None = Field(description="That the list stands on.")
    frozen_at: str | None
    frozen_contact_ids: list[int] | None = Field(
        description="Null beyond 1,000 people: the recipients have them."
    )
    original_segment_id: int | None
    audience_mode: Literal["frozen", "reprocess", "removals", "additions"]
    min_growth: int | None
    guard_limits: GuardLimitsDocument = Field(description="Beyond them it stops for review.")
    on_failure: Literal["fail", "estimate"]
    quiet_hours: Literal["wait", "skip", "override"]


class CampaignMetadata(BaseModel):
    """Both lists in numbers: the estimate, the final audience and how they differ."""

    reprocess_audience_at_send: bool
    estimated_recipients: int | None
    actual_recipients: int | None
    audience_change_absolute: int | None
    audience_change_percent: int | None
    reprocessed_at: str | None
    reprocess_duration_ms: int | None
    reprocess_error: str | None
    audience_note: str | None
    guards: GuardVerdictDocument | None
    review: ReviewDocument | None
    audience_snapshot: AudienceSnapshots
    joined: int
    left: int
    left_by_reason: dict[str, int]


class CampaignResults(BaseModel):
    """What became of the messages; the states add up to the final audience."""

    sent: int
    delivered: int
    failed: int
    held_back: int
    held_back_by_reason: dict[str, int]
    in_doubt: int
    pending: int
    waiting: dict[str, int] = Field(
        description="Those of the pending who wait, by what they wait for: quiet_hours and others."
    )
    next_at: str | None = Field(description="When the first of those who wait is due.")
    cancelled: int
    cost: str = Field(description="A decimal number as text.", examples=["3.98"])
    currency: str
    sms_parts: int


class CampaignSummary(BaseModel):
    """A campaign as a list shows it."""

    id: int
    name: str
    status: str
    channel: Channel
    total_recipients: int | None
    scheduled_at: str | None
    scheduled_timezone: str | None
    scheduled_local_time: str | None
    reprocess_audience_at_send: bool
    dry_run: bool = Field(description="It messages nobody of its list.")
    created_at: str
    completed_at: str | None


class CampaignDocument(BaseModel):
    """Everything about a campaign."""

    id: int
    name: str
    status: str
    version: int
    channel: Channel
    subject: str | None
    message: str
    link: str | None
    total_recipients: int | None
    scheduled_at: str | None
    scheduled_timezone: str | None
    scheduled_local_time: str | None
    not_after: str | None = Field(description="Nothing goes out after this moment.")
    targeting_criteria: Any = Field(description="As given; damaged criteria are shown as text.")
    settings: CampaignSettings
    metadata: CampaignMetadata
    results: CampaignResults
    dry_run: DryRunDocument | None = Field(description="Null for a campaign that is none.")
    status_note: str | None
    held_for: HeldForDocument | None
    created_at: str
    created_by: str | None
    scheduled_by: str | None
    sent_started_at: str | None
    completed_at: str | None


class IfSentNow(BaseModel):
    """Today's audience beside a scheduled campaign's estimate."""

    at: str
    estimated_recipients: int
    current_recipients: int
    change_absolute: int
    change_percent: int | None
    joined: int
    joined_by_source: dict[str, int]
    left: int
    left_by_reason: dict[str, int]
    funnel: FunnelDocument


class CampaignPreviewDocument(PreviewDocument):
    """A campaign's audience as of its time; `if_sent_now` is null until it is scheduled."""

    if_sent_now: IfSentNow | None
    collisions: CollisionsDocument | None = Field(
        description="Null where no other campaign comes near enough, and of a dry run."
    )


class RecipientDocument(BaseModel):
    """One person in a campaign."""

    person_id: int
    name: str
    phone: str | None
    email: str | None
    change: Literal["kept", "joined", "left"]
    status: str
    source: Source | None
    reason: str | None
    cause: str | None = Field(description="Why they joined or left; null for who stayed.")
    error: str | None


class CampaignPage(BaseModel):
    """A page of campaigns."""

    data: list[CampaignSummary]
    next_cursor: str | None


class RecipientPage(BaseModel):
    """A page of recipients."""

    data: list[RecipientDocument]
    next_cursor: str | None


class OptedOut(BaseModel):
    """Which channels the person's addresses are opted out of."""

    sms: bool
    email: bool


class Scores(BaseModel):
    """RFM scores from 1 (lowest) to 5; null without purchases."""

    recency: int | None
    frequency: int | None
    monetary: int | None


class PersonDocument(BaseModel):
    """A person."""

    id: int
    hash: str = Field(description="Stands for the person in public links.")
    phone: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    city: str | None
    country: str | None
    timezone: str | None
    blocked: bool
    blocked_reason: str | None
    opted_out: OptedOut
    scores: Scores
    last_message_at: str | None
    created_at: str
    updated_at: str


class PersonPage(BaseModel):
    """A page of people."""

    data: list[PersonDocument]
    next_cursor: str | None


class RejectedLine(BaseModel):
    """A row of a file that did not go in: its line, and why."""

    line: int
    reason: str


class ImportReport(BaseModel):
    """What became of a file."""

    id: int
    state: str
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    rejected_rows: list[RejectedLine]
    mapping: dict[str, str] | None = Field(description="Which column was read as what.")


class InboundDocument(BaseModel):
    """A message that somebody sent to one of our numbers.

    `meaning` is `unclear` where it may be meant as a stop: then somebody has to decide.
    """

    id: int
    channel: Channel
    from_address: str
    text: str
    meaning: Literal["stop", "start", "help", "unclear", "other"]
    decision: Literal["stop", "ignore"] | None
    decided_at: str | None
    person_id: int | None
    last_campaign_id: int | None
    received_at: str


class InboundPage(BaseModel):
    """A page of messages, the newest first."""

    data: list[InboundDocument]
    next_cursor: str | None


class AlertDocument(BaseModel):
    """Something that staff must know of, until somebody has seen to it."""

    id: int
    kind: str
    text: str
    campaign_id: int | None
    whole_installation: bool = Field(description="It concerns every organisation.")
    created_at: str


class AlertPage(BaseModel):
    """The open alerts, the newest first."""

    data: list[AlertDocument]
    next_cursor: str | None


class ClosedDocument(BaseModel):
    """An alert that is closed."""

    id: int
    closed: bool


class InstallationDocument(BaseModel):
    """Whether messages may go out."""

    sending: Literal["free", "held"]
    held_at: str | None
    held_reason: str | None
    last_sent_at: str | None


class ProviderDocument(BaseModel):
    """Who carries a channel, and how that does."""

    channel: Channel
    provider: str
    label: str
    state: Literal["works", "untried", "doubtful", "resting", "failing", "not_set_up"]
    sentence: str
    rate: float | None = Field(description="Messages a second; null without a limit.")
    receipts: Literal["webhook", "session", "none"]
    proves_refusal: list[str]
    leaves_doubt: list[str]
    last_success_at: str | None


class ProviderPage(BaseModel):
    """The provider of each channel."""

    data: list[ProviderDocument]
    next_cursor: str | None


class FindingDocument(BaseModel):
    """One thing that a check looked at."""

    ok: bool
    text: str


class CheckDocument(BaseModel):
    """What a check of a provider found."""

    channel: Channel
    findings: list[FindingDocument]


class TrialDocument(BaseModel):
    """What the provider answered to a test message."""

    channel: Channel
    accepted: bool
    in_doubt: bool
    code: str | None
    text: str


class DoubtDocument(BaseModel):
    """Somebody whose message may have gone out."""

    person_id: int
    name: str
    address: str
    tried_at: str
    why: str


class DoubtPage(BaseModel):
    """A page of the people in doubt."""

    data: list[DoubtDocument]
    next_cursor: str | None


class DecidedDocument(BaseModel):
    """On how many people it was decided, and how many are in doubt still."""

    decided: int
    in_doubt: int


class AskedDocument(BaseModel):
    """For how many the provider was asked, and of how many it knew what became."""

    asked: int
    known: int
    in_doubt: int
