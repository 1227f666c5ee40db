"""Event plans: what is made for an event, the snapshot of it, and what was amended since."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rollcall.extensions import Model
from rollcall.models.events import Event
from rollcall.models.organisations import StaffMember
from rollcall.models.types import Json, Money, UTCDateTime


class PlanState(enum.StrEnum):
    """Where a plan is: each follows the one before; a locked plan may go back to draft."""

    DRAFT = "draft"
    LOCKED = "locked"
    IN_PRODUCTION = "in_production"
    COMPLETED = "completed"


class EventPlan(Model):
    """An event's production plan; one without any items is a valid plan."""

    __tablename__ = "event_plan"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisation.id"))
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"), unique=True)
    state: Mapped[PlanState] = mapped_column(sa.String(20), default=PlanState.DRAFT)
    # Goes up with each edit and change of state: whoever acts on an older one is told.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    event: Mapped[Event] = relationship()


class PlanRecipe(Model):
    """How something is made, and how much one batch of it gives."""

    __tablename__ = "plan_recipe"
    __table_args__ = (sa.UniqueConstraint("plan_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(sa.ForeignKey("event_plan.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(200))
    yield_per_batch: Mapped[Decimal] = mapped_column(Money)


class PlanFinishedGood(Model):
    """Something to be there at the event, and how many; `per_person` is what each is to get."""

    __tablename__ = "plan_finished_good"
    __table_args__ = (sa.UniqueConstraint("plan_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(sa.ForeignKey("event_plan.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(200))
    quantity: Mapped[Decimal] = mapped_column(Money)
    per_person: Mapped[Decimal | None] = mapped_column(Money)


class PlanBatchDecision(Model):
    """How many batches of a recipe are made, and what each is reckoned to give."""

    __tablename__ = "plan_batch_decision"
    __table_args__ = (sa.UniqueConstraint("plan_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(sa.ForeignKey("event_plan.id", ondelete="CASCADE"))
    recipe_id: Mapped[int] = mapped_column(sa.ForeignKey("plan_recipe.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(200))
    batches: Mapped[Decimal] = mapped_column(Money)
    yield_per_batch: Mapped[Decimal] = mapped_column(Money)


class PlanSnapshot(Model):
    """A plan as it stood when production started; there is one a plan, and it never changes."""

    __tablename__ = "plan_snapshot"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(
        sa.ForeignKey("event_plan.id", ondelete="CASCADE"), unique=True
    )
    taken_at: Mapped[datetime] = mapped_column(UTCDateTime)
    taken_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    people: Mapped[int] = mapped_column()  # the event's head count at that moment
    content: Mapped[Any] = mapped_column(Json)

    taken_by: Mapped[StaffMember | None] = relationship()


class PlanAmendment(Model):
    """One change after the snapshot: what, from, to, who, why. Only ever added to.

    `before` is None for an item that was added, `after` for one that was taken out.
    """

    __tablename__ = "plan_amendment"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(
        sa.ForeignKey("event_plan.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(sa.String(20))  # recipe, finished_good, batch_decision
    slug: Mapped[str] = mapped_column(sa.String(80))
    field: Mapped[str | None] = mapped_column(sa.String(20))  # None where the whole item is meant
    before: Mapped[Any] = mapped_column(Json, nullable=True)
    after: Mapped[Any] = mapped_column(Json, nullable=True)
    reason: Mapped[str] = mapped_column(sa.String(500))
    amended_at: Mapped[datetime] = mapped_column(UTCDateTime)
    amended_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff_member.id"))

    amended_by: Mapped[StaffMember | None] = relationship()
