"""People who can be messaged, and the narrow facts that decide whether they may be."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rollcall.extensions import Model
from rollcall.models.types import Json, Key, Money, UTCDateTime


class Channel(enum.StrEnum):
    """How a message travels."""

    SMS = "sms"
    EMAIL = "email"


class Person(Model):
    """Somebody who can be messaged.

    Phones (E.164) and e-mail addresses (lower case) are not unique: a couple may share a
    phone, a group one buyer's e-mail. Two records are the same person when every address
    that both carry is equal, at least one is, and the names that both carry are equal too;
    equal phone and equal e-mail are enough whatever the names. Otherwise they are different
    people who share an address, and the funnel's last step leaves one of them.
    """

    __tablename__ = "person"
    __table_args__ = (
        sa.Index("ix_person_phone", "organisation_id", "phone"),
        sa.Index("ix_person_email", "organisation_id", "email"),
        sa.Index("ix_person_name_key", "organisation_id", "name_key"),
        sa.Index("ix_person_last_name_key", "organisation_id", "last_name_key"),
        sa.Index("ix_person_city_key", "organisation_id", "city_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    hash: Mapped[str] = mapped_column(sa.String(16), unique=True)
    first_name: Mapped[str] = mapped_column(sa.String(200), default="")
    last_name: Mapped[str] = mapped_column(sa.String(200), default="")
    name_key: Mapped[str] = mapped_column(Key, default="")  # "first last", case folded
    last_name_key: Mapped[str] = mapped_column(Key, default="")
    phone: Mapped[str | None] = mapped_column(Key)
    email: Mapped[str | None] = mapped_column(Key)
    city: Mapped[str] = mapped_column(sa.String(200), default="")
    city_key: Mapped[str] = mapped_column(Key, default="")  # case folded
    country: Mapped[str] = mapped_column(sa.String(2), default="")
    timezone: Mapped[str] = mapped_column(sa.String(64), default="")
    blocked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    blocked_reason: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    facts: Mapped["PersonFacts"] = relationship(back_populates="person", lazy="raise_on_sql")

    @property
    def full_name(self) -> str:
        """Return first and last name, or an empty string."""
        return f"{self.first_name} {self.last_name}".strip()


class PersonFacts(Model):
    """All that the audience query needs of a person, in one narrow row.

    Written in the same transaction as what it mirrors: `rollcall.people.facts.refresh_facts`
    derives the address and opt-out flags; blocks, scores and the last message are set where
    they change.
    """

    __tablename__ = "person_facts"
    __table_args__ = (sa.Index("ix_person_facts_organisation_id", "organisation_id"),)

    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    has_phone: Mapped[bool] = mapped_column(default=False)
    has_email: Mapped[bool] = mapped_column(default=False)
    phone_invalid: Mapped[bool] = mapped_column(default=False)
    email_invalid: Mapped[bool] = mapped_column(default=False)
    phone_shared: Mapped[bool] = mapped_column(default=False)
    email_shared: Mapped[bool] = mapped_column(default=False)
    blocked: Mapped[bool] = mapped_column(default=False)
    opted_out_sms: Mapped[bool] = mapped_column(default=False)
    opted_out_email: Mapped[bool] = mapped_column(default=False)
    phone_country: Mapped[str] = mapped_column(sa.String(2), default="")  # for the cost
    # Where a text message arrives, for quiet hours: see `rollcall.messages.quiet`; "" is unknown.
    phone_zones: Mapped[str] = mapped_column(sa.String(200), default="", server_default="")
    recency: Mapped[int | None] = mapped_column(sa.SmallInteger)
    frequency: Mapped[int | None] = mapped_column(sa.SmallInteger)
    monetary: Mapped[int | None] = mapped_column(sa.SmallInteger)
    # When a message over any channel last went, or began to go, to this person.
    last_message_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    person: Mapped[Person] = relationship(back_populates="facts", lazy="raise_on_sql")


class RfmScore(Model):
    """The raw values behind a person's scores, as of the last computation."""

    __tablename__ = "rfm_score"

    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    last_purchase_at: Mapped[datetime] = mapped_column(UTCDateTime)
    purchases: Mapped[int] = mapped_column()
    spent: Mapped[Decimal] = mapped_column(Money)
    recency: Mapped[int] = mapped_column(sa.SmallInteger)
    frequency: Mapped[int] = mapped_column(sa.SmallInteger)
    monetary: Mapped[int] = mapped_column(sa.SmallInteger)


class Suppression(Model):
    """An address that must not be messaged by this organisation over this channel.

    Kept by hash and not by person, so that an opt-out outlives the person's record.
    """

    __tablename__ = "suppression"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "channel", "address_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    channel: Mapped[Channel] = mapped_column(sa.String(10))
    address_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ConsentChange(Model):
    """Somebody opted out or in again: what said so, and when. Only ever added to."""

    __tablename__ = "consent_change"
    __table_args__ = (sa.Index("ix_consent_change_person_id", "person_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    channel: Mapped[Channel] = mapped_column(sa.String(10))
    opted_out: Mapped[bool] = mapped_column()
    source: Mapped[str] = mapped_column(sa.String(40))  # staff, import, api, stop word, …
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class ImportRun(Model):
    """One CSV file taken in: what it was, how far it is, and what became of its rows."""

    __tablename__ = "import_run"
    __table_args__ = (sa.Index("ix_import_run_organisation_id_id", "organisation_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))  # people, purchases
    file_name: Mapped[str] = mapped_column(sa.String(255))
    stored_as: Mapped[str] = mapped_column(sa.String(255), default="")
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    source: Mapped[str] = mapped_column(sa.String(20), default="")
    mapping: Mapped[Any] = mapped_column(Json, nullable=True)
    state: Mapped[str] = mapped_column(sa.String(20))  # uploaded, running, completed, failed
    error: Mapped[str] = mapped_column(sa.Text, default="")
    bytes_total: Mapped[int] = mapped_column(default=0)
    bytes_done: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column(default=0)
    added: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    touched_at: Mapped[datetime] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RejectedRow(Model):
    """A row that did not go in: its line in the file, the reason, and what stood there."""

    __tablename__ = "rejected_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    import_run_id: Mapped[int] = mapped_column(
        sa.ForeignKey("import_run.id", ondelete="CASCADE"), index=True
    )
    line: Mapped[int] = mapped_column()
    reason: Mapped[str] = mapped_column(sa.Text)
    raw: Mapped[Any] = mapped_column(Json)


class ColumnMapping(Model):
    """How staff last read a file with this header, to be proposed the next time."""

    __tablename__ = "column_mapping"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "kind", "header_signature"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    header_signature: Mapped[str] = mapped_column(sa.String(64))
    mapping: Mapped[Any] = mapped_column(Json)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
