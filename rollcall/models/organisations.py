"""The tenant, the people who log in, and what they did."""

import enum
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rollcall.extensions import Model
from rollcall.models.types import Json, UTCDateTime


class Role(enum.StrEnum):
    """What a staff member may do; each role may do all that the ones before it may."""

    STAFF = "staff"
    ADMIN = "admin"
    SUPER = "super"

    def at_least(self, other: "Role") -> bool:
        """Return whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Organisation(Model):
    """The tenant: every row of data belongs to one, and nothing crosses."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(80), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    country: Mapped[str] = mapped_column(sa.String(2))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    currency: Mapped[str] = mapped_column(sa.String(3), default="USD")
    quiet_from: Mapped[time | None] = mapped_column(sa.Time, default=None)
    quiet_until: Mapped[time | None] = mapped_column(sa.Time, default=None)
    # Stands below every e-mail, as CASL and CAN-SPAM ask.
    postal_address: Mapped[str] = mapped_column(sa.String(300), default="", server_default="")
    # Limits that differ from the defaults, by role: see `rollcall.campaigns.guards`.
    guard_limits: Mapped[Any] = mapped_column(Json, nullable=True)
    is_demo: Mapped[bool] = mapped_column(default=False)
    rfm_computed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class StaffMember(Model):
    """A person who logs in; an e-mail address logs in to one organisation only."""

    __tablename__ = "staff_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200), default="")
    role: Mapped[Role] = mapped_column(sa.String(10))
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    active: Mapped[bool] = mapped_column(default=True)
    # Part of every session cookie: changing it ends all sessions of this staff member.
    session_key: Mapped[str] = mapped_column(sa.String(32))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    organisation: Mapped[Organisation] = relationship(lazy="joined")

    @property
    def rank(self) -> Role:
        """Return the role as Role, whatever the column gave back."""
        return Role(self.role)


class ApiToken(Model):
    """Lets a program act as a staff member; shown once, only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff_member.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    staff: Mapped[StaffMember] = relationship(lazy="joined")


class IdempotencyRecord(Model):
    """The answer once given to a POST with an `Idempotency-Key`, so that a repeat gets the same."""

    __tablename__ = "idempotency_record"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    key: Mapped[str] = mapped_column(sa.String(200))
    request_hash: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int | None] = mapped_column()
    body: Mapped[Any] = mapped_column(Json, nullable=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AuditEntry(Model):
    """One change of data: who, what, when, from where, before and after. Only ever added to."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.Index("ix_audit_entry_organisation_id_id", "organisation_id", "id"),
        sa.Index("ix_audit_entry_object", "organisation_id", "object_type", "object_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    origin: Mapped[str] = mapped_column(sa.String(20))  # browser, api, cli, scheduler
    address: Mapped[str | None] = mapped_column(sa.String(45))
    action: Mapped[str] = mapped_column(sa.String(60))
    object_type: Mapped[str] = mapped_column(sa.String(40))
    object_id: Mapped[str] = mapped_column(sa.String(80))
    before: Mapped[Any] = mapped_column(Json, nullable=True)
    after: Mapped[Any] = mapped_column(Json, nullable=True)

    staff: Mapped[StaffMember | None] = relationship(lazy="joined")
