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
    # How many hours before its time a campaign is rehearsed; None is the default, [] never.
    rehearsal_hours: Mapped[Any] = mapped_column(Json, nullable=True)
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
    # Without one nobody can log in: whoever was invited chooses it.
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    active: Mapped[bool] = mapped_column(default=True)
    # What Rollcall tells them stands on their page of notices in any case.
    mail_notices: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
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
    """One change of data: who, what, when, from where, before and after. Only ever added to.

    `number` counts an organisation's entries without a gap, and `seal` is the hash of the entry
    and the seal before it: both are set when the transaction that made the change ends. After
    that triggers refuse to change the row; see `rollcall.sealing`.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "number"),
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
    number: Mapped[int | None] = mapped_column()
    seal: Mapped[str | None] = mapped_column(sa.String(64))

    staff: Mapped[StaffMember | None] = relationship(lazy="joined")


class AuditHead(Model):
    """The last sealed entry of an organisation's audit trail: who adds to it holds this row."""

    __tablename__ = "audit_head"

    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), primary_key=True)
    number: Mapped[int] = mapped_column(default=0)
    seal: Mapped[str] = mapped_column(sa.String(64), default="")


class StaffSession(Model):
    """A browser in which a staff member is logged in; its cookie holds the key."""

    __tablename__ = "staff_session"
    __table_args__ = (sa.Index("ix_staff_session_staff_id", "staff_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff_member.id"))
    key_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    browser: Mapped[str] = mapped_column(sa.String(200), default="")  # as it calls itself
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    staff: Mapped[StaffMember] = relationship(lazy="joined")


class LinkKind(enum.StrEnum):
    """What a link that was sent to a staff member lets them do, once."""

    INVITATION = "invitation"
    RESET = "reset"


class StaffLink(Model):
    """A link by which a staff member sets a password; only the hash of its secret is kept."""

    __tablename__ = "staff_link"
    __table_args__ = (sa.Index("ix_staff_link_staff_id", "staff_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff_member.id"))
    kind: Mapped[LinkKind] = mapped_column(sa.String(10))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    staff: Mapped[StaffMember] = relationship(foreign_keys=[staff_id])


class Notice(Model):
    """Something that one staff member is told, on their page and by e-mail; once for each key."""

    __tablename__ = "notice"
    __table_args__ = (
        sa.UniqueConstraint("staff_id", "key"),
        sa.Index("ix_notice_staff_id", "staff_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff_member.id"))
    kind: Mapped[str] = mapped_column(sa.String(40))  # rehearsal, review, reminder, change, alert
    key: Mapped[str] = mapped_column(sa.String(160))
    title: Mapped[str] = mapped_column(sa.String(300))
    text: Mapped[str] = mapped_column(sa.Text)
    path: Mapped[str] = mapped_column(sa.String(200), default="")  # of the page that it is about
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class StaffMail(Model):
    """An e-mail to somebody who works with Rollcall: waiting to go out, gone, or given up.

    Claimed before the wire; one whose process died there goes again, since a notice twice does
    less harm than none. A path that is a secret is dropped once the mail is gone.
    """

    __tablename__ = "staff_mail"
    __table_args__ = (
        sa.Index(
            "ix_staff_mail_waiting",
            "not_before",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    address: Mapped[str] = mapped_column(sa.String(254))
    subject: Mapped[str] = mapped_column(sa.String(300))
    text: Mapped[str] = mapped_column(sa.Text)
    path: Mapped[str] = mapped_column(sa.String(200), default="")  # of the page that it leads to
    secret: Mapped[bool] = mapped_column(default=False)  # the path is one
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    not_before: Mapped[datetime] = mapped_column(UTCDateTime)  # also the end of a claim
    tries: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(sa.String(400))  # of the last try
