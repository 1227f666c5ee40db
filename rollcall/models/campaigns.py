"""Campaigns, the people of both their lists, and every attempt to reach one of them."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rollcall.extensions import Model
from rollcall.models.organisations import Organisation, StaffMember
from rollcall.models.people import Channel
from rollcall.models.segments import SegmentSnapshot, SnapshotMode
from rollcall.models.types import BigId, Code, Json, Key, Money, UTCDateTime


class CampaignState(enum.StrEnum):
    """Where a campaign is; `rollcall.campaigns.states` says what may follow what."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PREPARING = "preparing"
    NEEDS_REVIEW = "needs_review"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AudienceMode(enum.StrEnum):
    """Which list is sent to: the one frozen at scheduling, the one computed at send time, or
    the frozen one changed in one direction only.
    """

    FROZEN = "frozen"
    REPROCESS = "reprocess"
    REMOVALS = "removals"  # the frozen list, less those who no longer match
    ADDITIONS = "additions"  # the frozen list, and those who match since

    @property
    def computes_again(self) -> bool:
        """Return whether the criteria are run again at send time."""
        return self is not AudienceMode.FROZEN


class OnFailure(enum.StrEnum):
    """What follows when re-processing itself fails."""

    FAIL = "fail"
    ESTIMATE = "estimate"


class QuietHours(enum.StrEnum):
    """What a text message does that would arrive in somebody's quiet hours."""

    WAIT = "wait"  # until the recipient's morning
    SKIP = "skip"  # hold it back
    OVERRIDE = "override"  # send it all the same: an admin's decision


class AudienceSource(enum.IntEnum):
    """How a person came into an audience: the bits of `Source`, added up."""

    OTHER = 0
    REGISTRATION = 1
    QR_SCAN = 2
    BOTH = 3

    @property
    def key(self) -> str:
        """Return the word used in JSON."""
        return self.name.lower()


class Reason(enum.IntEnum):
    """Why somebody is not messaged; those below 10 are the funnel's steps."""

    REACHABLE = 0
    NO_ADDRESS = 1
    INVALID_ADDRESS = 2
    BLOCKED = 3
    OPTED_OUT = 4
    RECENTLY_MESSAGED = 5
    DUPLICATE_ADDRESS = 6
    EXCLUDED_EVENT = 7
    EXCLUDED_SEGMENT = 8
    EXCLUDED_CAMPAIGN = 9
    QUIET_HOURS = 10
    EXPIRED = 11  # still waiting when the campaign's "not after" time came
    SET_ASIDE = 12  # the program broke at this recipient again and again
    PROVIDER_BUSY = 13  # only while waiting: refused for now, to be tried again
    DRY_RUN = 14  # the campaign is one: nobody of its list is messaged
    CRITERIA_NO_LONGER_MET = 20

    @property
    def key(self) -> str:
        """Return the word used in JSON."""
        return self.name.lower()


class RecipientState(enum.IntEnum):
    """What became of one recipient's message."""

    QUEUED = 0
    CLAIMED = 1
    WIRING = 2
    SENT = 3
    DELIVERED = 4
    FAILED = 5
    HELD_BACK = 6
    IN_DOUBT = 7
    CANCELLED = 8
    LEFT = 9  # in the estimate, not in the final list: never to be sent to

    @property
    def key(self) -> str:
        """Return the word used in JSON."""
        return self.name.lower()


class Campaign(Model):
    """One message to one audience over one channel, now or at a scheduled time."""

    __tablename__ = "campaign"
    __table_args__ = (
        sa.Index("ix_campaign_organisation_id_state", "organisation_id", "state", "id"),
        sa.Index("ix_campaign_due", "state", "scheduled_at"),
        sa.Index("ix_campaign_segment_id", "segment_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    channel: Mapped[Channel] = mapped_column(sa.String(10))
    subject: Mapped[str] = mapped_column(sa.String(300), default="")
    message: Mapped[str] = mapped_column(sa.Text)
    link: Mapped[str] = mapped_column(sa.String(1000), default="")  # what %%LINK%% becomes
    state: Mapped[CampaignState] = mapped_column(sa.String(20), default=CampaignState.DRAFT)
    # Goes up with each edit and change of state: whoever acts on an older one is told.
    version: Mapped[int] = mapped_column(default=1)

    # JSON as text: damaged criteria must fail this campaign's re-processing, not its page.
    targeting_criteria: Mapped[str | None] = mapped_column(sa.Text)
    # The criteria's segment, so that it can be asked which campaigns use one; and which
    # snapshot of it the list was frozen from.
    segment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("segment.id"))
    snapshot_mode: Mapped[SnapshotMode | None] = mapped_column(sa.String(10))
    # What scheduling is asked to do once: make a new version, take a new snapshot.
    bump_version: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    force_snapshot: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    segment_snapshot_id: Mapped[int | None] = mapped_column(sa.ForeignKey("segment_snapshot.id"))
    audience_mode: Mapped[AudienceMode] = mapped_column(sa.String(20), default=AudienceMode.FROZEN)
    on_failure: Mapped[OnFailure] = mapped_column(sa.String(20), default=OnFailure.FAIL)
    quiet_hours: Mapped[QuietHours] = mapped_column(
        sa.String(10), default=QuietHours.WAIT, server_default="wait"
    )
    # Nothing goes out after this moment; chosen in the zone of the scheduled time.
    not_after: Mapped[datetime | None] = mapped_column(UTCDateTime)

    scheduled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    scheduled_timezone: Mapped[str | None] = mapped_column(sa.String(64))
    scheduled_local_time: Mapped[str | None] = mapped_column(sa.String(19))  # as it was chosen

    frozen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    estimated_recipients: Mapped[int | None] = mapped_column()
    estimate_snapshot: Mapped[Any] = mapped_column(Json, nullable=True)
    final_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    actual_recipients: Mapped[int | None] = mapped_column()
    final_snapshot: Mapped[Any] = mapped_column(Json, nullable=True)
    reprocessed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reprocess_duration_ms: Mapped[int | None] = mapped_column()
    reprocess_error: Mapped[str | None] = mapped_column(sa.Text)
    # Which list was sent to and why, where that is not what the mode alone says.
    audience_note: Mapped[str] = mapped_column(sa.Text, default="")
    state_note: Mapped[str] = mapped_column(sa.Text, default="")
    # Limits of this campaign's own, by the names of `rollcall.campaigns.guards`.
    guard_limits: Mapped[Any] = mapped_column(Json, nullable=True)
    # What the guards said when they stopped it: blockers and warnings, in sentences.
    guard_verdict: Mapped[Any] = mapped_column(Json, nullable=True)
    review_decision: Mapped[str | None] = mapped_column(sa.String(10))  # final, estimate
    review_reason: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    review_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reviewed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reviewed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    # Re-process only where the audience grew by at least so many percent (D6).
    min_growth: Mapped[int | None] = mapped_column()
    # A dry run (C11): rendered messages go to this address only, and to nobody of the list.
    dry_run_address: Mapped[str | None] = mapped_column(sa.String(254))
    dry_run_limit: Mapped[int | None] = mapped_column()
    # The change of an event that holds it for a decision: event, change, from, to.
    held_for: Mapped[Any] = mapped_column(Json, nullable=True)

    owner: Mapped[str | None] = mapped_column(sa.String(80))
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)

    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    scheduled_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sent_started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    organisation: Mapped[Organisation] = relationship()
    created_by: Mapped[StaffMember | None] = relationship(foreign_keys=[created_by_id])
    scheduled_by: Mapped[StaffMember | None] = relationship(foreign_keys=[scheduled_by_id])
    reviewed_by: Mapped[StaffMember | None] = relationship(foreign_keys=[reviewed_by_id])
    segment_snapshot: Mapped[SegmentSnapshot | None] = relationship()

    @property
    def is_dry_run(self) -> bool:
        """Return whether it only goes through the motions, and messages nobody of its list."""
        return self.dry_run_address is not None

    @property
    def final_mode(self) -> AudienceMode:
        """Return how its final list comes about: that of a dry run is always computed again."""
        mode = AudienceMode(self.audience_mode)
        return AudienceMode.REPROCESS if self.is_dry_run and not mode.computes_again else mode


class CampaignEvent(Model):
    """An event that a campaign's criteria choose people by, or leave out."""

    __tablename__ = "campaign_event"
    __table_args__ = (sa.Index("ix_campaign_event_event_id", "event_id"),)

    campaign_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("event.id", ondelete="CASCADE"), primary_key=True
    )
    excluded: Mapped[bool] = mapped_column(primary_key=True)


class CampaignSegment(Model):
    """A segment that a campaign's criteria stand on, or leave out."""

    __tablename__ = "campaign_segment"
    __table_args__ = (sa.Index("ix_campaign_segment_segment_id", "segment_id"),)

    campaign_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    segment_id: Mapped[int] = mapped_column(
        sa.ForeignKey("segment.id", ondelete="CASCADE"), primary_key=True
    )
    excluded: Mapped[bool] = mapped_column(primary_key=True)
    pinned: Mapped[bool] = mapped_column()  # to one version, rather than the live one


class CampaignExclusion(Model):
    """An earlier campaign whose people a campaign's criteria leave out."""

    __tablename__ = "campaign_exclusion"
    __table_args__ = (sa.Index("ix_campaign_exclusion_excluded_id", "excluded_id"),)

    campaign_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    excluded_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    who: Mapped[str] = mapped_column(sa.String(10), primary_key=True)  # see `Reached`


class Recipient(Model):
    """One person in a campaign: in which of its two lists, and what became of the message.

    Until sending begins the final list is the estimate. Kept, joined and left follow from
    the two flags; nothing here is deleted once sending has begun.
    """

    __tablename__ = "recipient"
    __table_args__ = (
        # Nobody twice, whatever the code does: the address is set with the intent.
        sa.Index("uq_recipient_address", "campaign_id", "address", unique=True),
        {"sqlite_with_rowid": False},
    )

    campaign_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    in_estimate: Mapped[bool] = mapped_column()
    in_final: Mapped[bool] = mapped_column()
    estimate_source: Mapped[AudienceSource | None] = mapped_column(Code(AudienceSource))
    final_source: Mapped[AudienceSource | None] = mapped_column(Code(AudienceSource))
    left_reason: Mapped[Reason | None] = mapped_column(Code(Reason))
    state: Mapped[RecipientState] = mapped_column(
        Code(RecipientState), default=RecipientState.QUEUED
    )
    # Why held back; of somebody queued, what they wait for until `not_before`.
    held_reason: Mapped[Reason | None] = mapped_column(Code(Reason))
    held_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when it was held back
    not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # How often the recipient was claimed and the process then died before the wire.
    claims: Mapped[int] = mapped_column(sa.SmallInteger, default=0, server_default="0")
    address: Mapped[str | None] = mapped_column(Key)


class LeftOut(Model):
    """Why somebody whom the criteria matched did not come onto a list, at both moments.

    With the recipients these are all the people of both funnels, so that each of them is
    explained as it was and not as it looks today. `at_creation` is kept of whoever was not on
    the estimate, `at_send` of whoever was on neither list; None where the criteria did not match
    the person at that moment or were not run, REACHABLE where the campaign's mode adds nobody.
    """

    __tablename__ = "left_out"
    __table_args__ = ({"sqlite_with_rowid": False},)

    campaign_id: Mapped[int] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    at_creation: Mapped[Reason | None] = mapped_column(Code(Reason))
    at_send: Mapped[Reason | None] = mapped_column(Code(Reason))


class Attempt(Model):
    """One request for one recipient: written down before it goes to the wire.

    `outcome` is None until it is known, and QUEUED where the provider proved that it accepted
    nothing, so that another attempt follows. The token is random and travels with the message.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        sa.Index("ix_attempt_campaign_id", "campaign_id", "person_id"),
        sa.Index("ix_attempt_person_id", "person_id", "started_at"),
        # Some receipts name the provider's own id of the message and nothing of ours.
        sa.Index(
            "ix_attempt_provider_message_id",
            "provider_message_id",
            sqlite_where=sa.text("provider_message_id IS NOT NULL"),
            postgresql_where=sa.text("provider_message_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaign.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    token: Mapped[int] = mapped_column(sa.BigInteger)
    fence: Mapped[int] = mapped_column()
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[RecipientState | None] = mapped_column(Code(RecipientState))
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str | None] = mapped_column(sa.String(120))
    error_code: Mapped[str | None] = mapped_column(sa.String(40))
    error_text: Mapped[str | None] = mapped_column(sa.String(300))
    receipt_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What staff decided of a message in doubt: "sent" (count it so) or "again".
    resolution: Mapped[str | None] = mapped_column(sa.String(10))
    parts: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    cost: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))


class Rehearsal(Model):
    """The whole way to the final list, gone once without sending: what would have happened.

    `hours_before` is which of the organisation's rehearsals it was, None for one by hand.
    """

    __tablename__ = "rehearsal"
    __table_args__ = (
        # Of the processes that rehearse at the same moment, one stores it and tells of it.
        sa.UniqueConstraint("campaign_id", "scheduled_at", "hours_before"),
        sa.Index("ix_rehearsal_campaign_id", "campaign_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaign.id", ondelete="CASCADE"))
    scheduled_at: Mapped[datetime] = mapped_column(UTCDateTime)  # as the campaign was then
    hours_before: Mapped[int | None] = mapped_column()
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    duration_ms: Mapped[int] = mapped_column()
    estimate: Mapped[int] = mapped_column()
    people: Mapped[int | None] = mapped_column()  # None where it failed
    joined: Mapped[int] = mapped_column(default=0)
    left: Mapped[int] = mapped_column(default=0)
    left_by_reason: Mapped[Any] = mapped_column(Json, nullable=True)
    cost: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    outcome: Mapped[str] = mapped_column(sa.String(20))  # within_limits, review, estimate, failure
    verdict: Mapped[Any] = mapped_column(Json, nullable=True)
    sentence: Mapped[str] = mapped_column(sa.Text)


class TrialMessage(Model):
    """A rendered message that went to staff instead of the person it was written for.

    Of a dry run, or a test of one campaign; stored before the wire, as an attempt is.
    """

    __tablename__ = "trial_message"
    __table_args__ = (
        sa.Index("ix_trial_message_campaign_id", "campaign_id", "id"),
        sa.Index("ix_trial_message_staff_id", "staff_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # None where the message of a form was tried before it was stored.
    campaign_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(sa.String(10))  # dry_run, test
    # For whom it was filled in; None where nobody was there to fill it in for.
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id", ondelete="SET NULL"))
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    address: Mapped[str] = mapped_column(sa.String(254))
    subject: Mapped[str] = mapped_column(sa.String(300), default="")
    text: Mapped[str] = mapped_column(sa.Text)
    parts: Mapped[int] = mapped_column(sa.SmallInteger, default=1)
    provider: Mapped[str] = mapped_column(sa.String(20))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # Both empty: the process died on the way, so that nobody can know.
    accepted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(sa.String(400))
