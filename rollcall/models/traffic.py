"""What passes between the installation and its providers, beside the attempts themselves."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rollcall.extensions import Model
from rollcall.models.people import Channel
from rollcall.models.types import BigId, Key, UTCDateTime


class Installation(Model):
    """This installation, as one row: who it is, and up to where it has sent.

    `send_mark` goes up with every claim of recipients and is kept in a file outside the
    database too: a database that is behind the file was restored from a backup.
    """

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    uuid: Mapped[str] = mapped_column(sa.String(32))
    webhook_secret: Mapped[str] = mapped_column(sa.String(64))
    send_mark: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    last_sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Set while nothing may go out, until staff confirm.
    held_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    held_reason: Mapped[str] = mapped_column(sa.Text, default="")


class ProviderState(Model):
    """How a provider does, shared by all processes: its rate, its rest, its breaker."""

    __tablename__ = "provider_state"

    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    # When the next message may go by the rate limit, in seconds since 1970.
    free_at: Mapped[float] = mapped_column(sa.Double, default=0.0)
    resting_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    trouble_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failures: Mapped[int] = mapped_column(default=0)  # in a row, without one success between
    open_since: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the breaker is open
    error_code: Mapped[str] = mapped_column(sa.String(40), default="")
    error_text: Mapped[str] = mapped_column(sa.String(300), default="")
    error_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    succeeded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Alert(Model):
    """Something that staff must know of, shown until somebody has seen to it.

    Without an organisation it concerns all of the installation. Of one `key` only one alert is
    open at a time.
    """

    __tablename__ = "alert"
    __table_args__ = (
        sa.Index(
            "uq_alert_open",
            "key",
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.Index("ix_alert_organisation_id", "organisation_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisation.id"))
    campaign_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(sa.String(40))  # provider, missed, restored, …
    key: Mapped[str] = mapped_column(sa.String(120))
    text: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    closed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))


class InboundMeaning(enum.StrEnum):
    """What an inbound message asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    UNCLEAR = "unclear"  # may be meant as a stop: somebody has to read it
    OTHER = "other"


class InboundMessage(Model):
    """A message that somebody sent to one of our numbers, as one organisation sees it."""

    __tablename__ = "inbound_message"
    __table_args__ = (
        # A provider may deliver the same message several times.
        sa.UniqueConstraint(
            "provider", "provider_message_id", "organisation_id", name="uq_inbound_message_once"
        ),
        sa.Index("ix_inbound_message_organisation_id", "organisation_id", "id"),
        # Counted for every page that staff open.
        sa.Index(
            "ix_inbound_message_undecided",
            "organisation_id",
            "id",
            sqlite_where=sa.text("meaning = 'unclear' AND decision IS NULL"),
            postgresql_where=sa.text("meaning = 'unclear' AND decision IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    channel: Mapped[Channel] = mapped_column(sa.String(10))
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(Key)  # who wrote
    to_address: Mapped[str] = mapped_column(sa.String(120), default="")
    text: Mapped[str] = mapped_column(sa.Text)
    meaning: Mapped[InboundMeaning] = mapped_column(sa.String(10))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id", ondelete="SET NULL"))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # What staff made of an unclear one: "stop" or "ignored".
    decision: Mapped[str | None] = mapped_column(sa.String(10))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))


class EarlyReceipt(Model):
    """A receipt that came before we knew the provider's id of the message it speaks of."""

    __tablename__ = "early_receipt"
    __table_args__ = (sa.Index("ix_early_receipt_message", "provider", "provider_message_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str] = mapped_column(sa.String(120))
    status: Mapped[str] = mapped_column(sa.String(20))
    error_code: Mapped[str] = mapped_column(sa.String(40), default="")
    error_text: Mapped[str] = mapped_column(sa.String(300), default="")
    opted_out: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
